"""What an image format is to everything else: headers without decoding, frames as pixels, files for a browser."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import DTypeLike, NDArray

from core.base.errors import ImageTooLarge

Pixels = NDArray[Any]
"""Samples ``[H, W, C]``: C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA); of one of ``SAMPLE_TYPES``.

Where there is alpha, they are uint8 or uint16.
"""
SAMPLE_TYPES = ("uint8", "uint16", "int16", "uint32", "int32", "float32", "float64")
BAND_PIXELS = 1024 * 1024  # converted at a time, so that the intermediate values of a huge image take no memory
SampleKind = Literal["unsigned", "signed", "float"]

Size = tuple[int, int]
"""Width and height, in pixels."""

Window = tuple[float, float]
"""The values that are shown black and white."""

Place = tuple[str, float, float, int] | tuple[()]
"""Which series an image is of, what orders it there, and how many images the series must have for that, or 0.

Empty where an image's name orders it.
"""

ColorKind = Literal["grey", "grey + alpha", "RGB", "RGBA", "palette", "CMYK"]

Fact = tuple[str, str]
"""What something is called, and what a file says it is: ``("Patient ID", "4711")``."""

PIECE_BYTES = 256 * 1024  # of a file that is read piece by piece
MAX_SIDE = 1_000_000  # pixels; libpng's own limit, PNG_USER_WIDTH_MAX and PNG_USER_HEIGHT_MAX


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file says of one of its frames before anything is decoded.

    ``bit_depth`` is bits per sample, or per palette index, as stored, and ``sample_kind`` what kind of number that is.
    ``label`` tells a frame from the others of its file (``"z 14"``); empty where a file has one frame only.
    ``window`` is what the file itself wants to be shown of a grey image, evenly, or by its ``curve``: levels of 0 to
    255 from the one end of the window to the other. It is ``inverted`` where its low values are white. ``windows`` are
    all that the file offers, the first one being what is shown, and ``unit`` is that of its values (``"HU"``).
    ``place`` orders the images of one series in a folder, where names say less.
    """

    width: int
    height: int
    bit_depth: int
    color: ColorKind
    label: str = ""
    sample_kind: SampleKind = "unsigned"
    window: Window | None = None
    inverted: bool = False
    place: Place = ()
    curve: bytes = b""
    windows: tuple[Window, ...] = ()
    unit: str = ""

    @property
    def pixels(self) -> int:
        """How many the frame has."""
        return self.width * self.height

    @property
    def is_grey(self) -> bool:
        """Whether what is shown of the frame has three equal channels."""
        return self.color in ("grey", "grey + alpha")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of decoded samples: fewer than 8 bits, and palettes, are decoded to 8."""
        bits = 8 if self.color == "palette" else self.bit_depth
        if self.sample_kind == "float":
            return np.dtype(np.float32 if bits <= 32 else np.float64)
        if self.sample_kind == "signed":
            return np.dtype(np.int16 if bits <= 16 else np.int32)
        return np.dtype(np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32)

    @property
    def highest_sample(self) -> int | float:
        """The highest value that a decoded sample can have."""
        return float(np.finfo(self.dtype).max) if self.sample_kind == "float" else int(np.iinfo(self.dtype).max)

    def stored_bytes(self, file_size: int) -> int:
        """How much of a file of this size is read to decode the frame."""
        return file_size

    @property
    def working_bytes(self) -> int:
        """What a decoder needs beside the file and the samples, in whichever size it decodes."""
        return 0

    @property
    def description(self) -> str:
        """The kind of image in words, such as ``"16-bit grey"`` or ``"32-bit float grey"``."""
        kind = "" if self.sample_kind == "unsigned" else f"{self.sample_kind} "
        return f"{self.bit_depth}-bit {kind}{self.color}"


class FileReader(Protocol):
    """One file, wherever it is kept. Threads may read at the same time."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def key(self) -> Hashable:
        """The same for all readers of this file, and for those of no other, ever; it keeps nothing open."""
        ...

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        """``count`` bytes from ``start`` on, fewer where the file ends before; without ``count`` all of them, checked.

        Raises:
            ImageError: the file is damaged where it is kept.
        """
        ...

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        """All bytes from ``start`` on, up to ``PIECE_BYTES`` at a time, so that a large file takes no memory.

        Raises:
            ImageError: the file is damaged where it is kept; after the last piece at the latest.
        """
        ...


class InMemory:
    """A file whose bytes are at hand."""

    __slots__ = ("_data", "key")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.key: Hashable = object()

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self._data)

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        """See ``FileReader.read``."""
        if start == 0 and count is None:
            return self._data
        return self._data[start : None if count is None else start + count]

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        """See ``FileReader.pieces``."""
        for position in range(start, len(self._data), PIECE_BYTES):
            yield self._data[position : position + PIECE_BYTES]


class ImageFormat(Protocol):
    """One image file format. To add one: a module in this package with such an object called ``FORMAT``.

    Attributes:
        name: what people call it, such as ``"PNG"``.
        extensions: in lower case with the dot, such as ``(".png",)``; what a file is called decides who reads it.
        media_type: of its files.
        head_bytes: as many first bytes as ``matches`` wants to see.
        reads_parts: whether a frame takes only its part of a file, which may then be larger than what is held of one.
        names_people: whether files say whose they are; what is exported of them is then their pixels alone.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def extensions(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def media_type(self) -> str: ...  # noqa: D102
    @property
    def head_bytes(self) -> int: ...  # noqa: D102
    @property
    def reads_parts(self) -> bool: ...  # noqa: D102
    @property
    def names_people(self) -> bool: ...  # noqa: D102

    def matches(self, head: bytes) -> bool:
        """Whether a file that begins with ``head`` is one of this format."""
        ...

    def read_headers(self, file: FileReader) -> Iterable[ImageHeader]:
        """One for each frame, at least one, from as few bytes as possible and without decoding.

        Of a file with more frames than anybody wants only some are taken, so they are read one after the other.

        Raises:
            ImageError: not a file of this format, or damaged.
        """
        ...

    def decode(self, file: FileReader, frame: int = 0, *, max_pixels: int, at_least: Size | None = None) -> Pixels:
        """Decode one frame, to the type that its header tells: the values that are stored, unscaled.

        Fewer than 8 bits alone are scaled to 0..255.

        Args:
            file: the whole file; of a file of many frames only what this one needs should be read.
            frame: position in what ``read_headers`` gives.
            max_pixels: as for ``check_size``.
            at_least: width and height that are enough: a format that decodes smaller sizes faster may give one
                that is larger than these, see ``FormatInSizes``. Without it, the full size.

        Raises:
            ImageTooLarge: see ``check_size``.
            ImageError: not a file of this format, or damaged.
        """
        ...


@runtime_checkable
class FormatForBrowsers(ImageFormat, Protocol):
    """A format of which browsers show some files; what they do not show is decoded for them."""

    def browsers_show(self, header: ImageHeader) -> bool:
        """Whether ``for_browser`` has a file for a frame with this header; if not, it must be decoded."""
        ...

    def for_browser(self, file: FileReader, frame: int = 0) -> bytes:
        """A file of ``media_type`` in which every browser shows exactly what ``decode`` and then ``shown`` give.

        Raises:
            ImageError: not a file of this format, or damaged.
        """
        ...


@runtime_checkable
class FormatInStrips(ImageFormat, Protocol):
    """A format that also decodes from top to bottom, so that a large image takes little memory.

    A format may do without: ``core.images.strips`` then decodes in one piece.
    """

    def decode_strips(
        self, file: FileReader, frame: int = 0, *, max_pixels: int, strip_pixels: int
    ) -> Iterator[Pixels]:
        """What ``decode`` gives in the full size, in strips ``[h, W, C]`` of about ``strip_pixels`` pixels.

        Raises:
            ImageTooLarge: see ``check_size``.
            ImageError: as for ``decode``; after the last strip at the latest.
        """
        ...

    def strip_bytes(self, header: ImageHeader) -> int:
        """Memory that ``decode_strips`` takes beside a few strips, in bytes; 0 where it holds nothing else."""
        ...

    def pieces_for_browser(self, file: FileReader, frame: int = 0) -> Iterator[bytes]:
        """What ``for_browser`` gives, in pieces.

        Raises:
            ImageError: as for ``for_browser``; after the last piece at the latest.
        """
        ...


@runtime_checkable
class FormatInSizes(ImageFormat, Protocol):
    """A format that decodes smaller sizes faster, see ``at_least`` of ``decode``."""

    def decoded_size(self, header: ImageHeader, at_least: Size) -> Size:
        """Width and height that ``decode`` gives: the full ones divided by a whole number, to within a pixel."""
        ...


@runtime_checkable
class FormatOfPeople(ImageFormat, Protocol):
    """A format whose files say whose they are; see ``names_people``."""

    def read_people(self, file: FileReader) -> tuple[Fact, ...]:
        """What a file says of a person, to be told at once and kept nowhere.

        Raises:
            ImageError: not a file of this format, or damaged.
        """
        ...


def for_browsers(image_format: ImageFormat, header: ImageHeader) -> FormatForBrowsers | None:
    """The format, where it has a file for browsers of a frame with this header."""
    if isinstance(image_format, FormatForBrowsers) and image_format.browsers_show(header):
        return image_format
    return None


def decoded_header(image_format: ImageFormat, header: ImageHeader, at_least: Size) -> ImageHeader:
    """The header of what ``decode`` gives of a frame where ``at_least`` is enough."""
    if not isinstance(image_format, FormatInSizes):
        return header
    width, height = image_format.decoded_size(header, at_least)
    return replace(header, width=width, height=height)


def in_strips(pixels: Pixels, strip_pixels: int) -> Iterator[Pixels]:
    """``[H, W, C]`` in strips ``[h, W, C]`` of about ``strip_pixels`` pixels, at least one row each."""
    rows = max(1, strip_pixels // pixels.shape[1])
    for start in range(0, len(pixels), rows):
        yield pixels[start : start + rows]


def by_strips(
    pixels: Pixels,
    dtype: DTypeLike,
    work: Callable[[Pixels], NDArray[Any]],
    *,
    channels: int | None = None,
    strip_pixels: int = BAND_PIXELS,
) -> NDArray[Any]:
    """What ``work`` makes of ``pixels``, ``[H, W, channels]`` of ``dtype``, without all intermediate values at once.

    Args:
        pixels: ``[H, W, C]``.
        work: makes ``[h, W, channels]`` of each strip ``[h, W, C]``; it is cast to ``dtype``.
        channels: as many as ``pixels`` has where none are given.
        strip_pixels: about so many in a strip, at least one row.
    """
    made = np.empty((*pixels.shape[:2], channels or pixels.shape[2]), dtype)
    row = 0
    for strip in in_strips(pixels, strip_pixels):
        made[row : row + len(strip)] = work(strip)
        row += len(strip)
    return made


def check_size(header: ImageHeader, max_pixels: int) -> None:
    """Refuse an image by its header, before anything is decoded.

    Raises:
        ImageTooLarge: more than ``max_pixels`` pixels, or a side longer than ``MAX_SIDE``.
    """
    if header.pixels > max_pixels or max(header.width, header.height) > MAX_SIDE:
        raise ImageTooLarge(
            f"The image has {header.width} x {header.height} pixels; at most {max_pixels:,} in all and "
            f"{MAX_SIDE:,} on a side can be read. Make it smaller."
        )
