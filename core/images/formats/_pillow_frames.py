"""Animations that Pillow decodes one frame after the other."""

from __future__ import annotations

from PIL import Image

from core.images.formats._animation import Animations
from core.images.formats._pillow import open_image, to_pixels
from core.images.formats.format import FileReader, Pixels


class PillowFrames:
    """The frames of the files of one of Pillow's readers."""

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self._open: Animations[Image.Image] = Animations()

    def decode(self, file: FileReader, frame: int, mode: str) -> Pixels:
        """One frame as it is shown, ``[H, W, C]`` of this mode; raises what Pillow raises."""
        found = self._open.take(file.key, frame)
        image = open_image(file.read(), self._plugin) if found is None else found[1]
        image.seek(frame)
        pixels = to_pixels(image.convert(mode))
        self._open.leave(file.key, frame + 1, image, file.size, image.width * image.height)
        return pixels
