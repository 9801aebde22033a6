"""Image file formats, one module each."""
