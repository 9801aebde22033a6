"""One image: formats, pixels, windowing, samples, thumbnails and model inputs."""
