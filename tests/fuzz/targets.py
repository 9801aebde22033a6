"""What must hold for any bytes at all. Hypothesis, the corpus and atheris all feed these functions.

Each raises only where the product is wrong: an exception that is none of its own, or a broken promise.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np
import png

from core.base.errors import ArchiveError, ImageError
from core.base.settings import Settings
from core.images import pixels
from core.images.formats import avif, bmp, dicom, gif, jpeg, jpeg2000, pnm, tiff, webp
from core.images.formats import png as png_format
from core.images.formats.format import FileReader, ImageFormat, ImageHeader, InMemory, decoded_header, for_browsers
from core.images.formats.png import HEADER_BYTES, SIGNATURE, decode, read_header, strip
from core.stacks.sources import open_source
from core.stacks.sources.source import Scratch, Source
from tests.builders import read_samples

# Far below the defaults, so that every limit is met by small inputs.
LIMITS = Settings(
    max_entries=40, max_entry_bytes=100_000, max_total_bytes=1_000_000, max_pixels=4096, max_compression_ratio=20
)
_FAILURES_OF_PYPNG = (png.Error, IndexError, ValueError, zlib.error)  # the last three where a palette is too short


def check_png(data: bytes) -> None:
    """Decoding gives a whole image, the one that another decoder sees, or an error with a sentence."""
    _check_png(data)
    _check_png(with_right_checksums(data))  # or hardly any change would come further than the checksums


def check_archive(data: bytes) -> None:
    """Opening and reading stay within the limits, and give whole files under safe names, or errors with a sentence."""
    # No ZIP gives more than its own bytes can hold: none of them counts twice, and deflate has a highest ratio.
    _check_archive(data, most_bytes=min(LIMITS.max_total_bytes, 1032 * len(data)))


def check_tar(data: bytes) -> None:
    """The same for a TAR, compressed or not."""
    _check_archive(data, most_bytes=LIMITS.max_total_bytes)
    _check_archive(with_right_sums(data), most_bytes=min(LIMITS.max_total_bytes, len(data)))


def _check_archive(data: bytes, most_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.zip"
        path.write_bytes(data)
        try:
            with open_source(path, LIMITS, Scratch(Path(folder))) as archive:
                _check_names(archive)
                assert sum(_check_entry(archive, index) for index in range(len(archive.entries))) <= most_bytes
        except ArchiveError as error:
            assert _is_sentence(error)
        assert list(Path(folder).iterdir()) == [path]


def check_image(image_format: ImageFormat, data: bytes) -> None:
    """Headers and frames agree, and are bounded; or there is an error with a sentence, and nothing else ever."""
    file = InMemory(data)
    try:
        headers = list(islice(image_format.read_headers(file), LIMITS.max_entries))
    except ImageError as error:
        assert _is_sentence(error)
        return
    assert headers
    for frame, header in enumerate(headers):
        assert header.width >= 1
        assert header.height >= 1
        assert not any(unicodedata.category(character).startswith("C") for character in header.label)
        _check_frame(image_format, file, frame, header)


def _check_frame(image_format: ImageFormat, file: FileReader, frame: int, header: ImageHeader) -> None:
    try:
        found = image_format.decode(file, frame, max_pixels=LIMITS.max_pixels)
    except ImageError as error:
        assert _is_sentence(error)
        return
    assert header.pixels <= LIMITS.max_pixels, "more than is allowed was decoded"
    assert found.shape[:2] == (header.height, header.width)
    assert found.shape[2] in (1, 2, 3, 4)
    assert found.dtype == header.dtype
    rgb = pixels.shown(found, header)
    assert (rgb.shape, rgb.dtype) == ((header.height, header.width, 3), np.uint8)
    half = (header.width + 1) // 2, (header.height + 1) // 2
    announced = decoded_header(image_format, header, half)
    with suppress(ImageError):  # smaller sizes may be another library's work
        smaller = image_format.decode(file, frame, max_pixels=LIMITS.max_pixels, at_least=half)
        assert smaller.shape[:2] == (announced.height, announced.width)
    if shown := for_browsers(image_format, header):
        sent = InMemory(shown.for_browser(file, frame))
        (again,) = image_format.read_headers(sent)
        assert (again.width, again.height) == (header.width, header.height)
        np.testing.assert_array_equal(image_format.decode(sent, max_pixels=LIMITS.max_pixels), found)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "archive": check_archive,
    "tar": check_tar,
    "png": check_png,
    "jpeg": partial(check_image, jpeg.FORMAT),
    "gif": partial(check_image, gif.FORMAT),
    "webp": partial(check_image, webp.FORMAT),
    "apng": partial(check_image, png_format.FORMAT),
    "bmp": partial(check_image, bmp.FORMAT),
    "pnm": partial(check_image, pnm.FORMAT),
    "tiff": partial(check_image, tiff.FORMAT),
    "jpeg2000": partial(check_image, jpeg2000.FORMAT),
    "avif": partial(check_image, avif.FORMAT),
    "dicom": partial(check_image, dicom.FORMAT),
}


def with_right_sums(data: bytes) -> bytes:
    """The same headers as far as their sizes lead, each with the checksum that belongs to it."""
    fixed, position = bytearray(data), 0
    while position + 512 <= len(data):
        header = fixed[position : position + 512]
        header[148:156] = b" " * 8
        fixed[position + 148 : position + 156] = b"%06o\0 " % sum(header)
        size = re.match(rb"[0-7]*", bytes(header[124:136]))
        position += 512 + -(-int(size[0] or b"0", 8) // 512) * 512 if size else 512
        if not any(data[position : position + 512]):
            break
    return bytes(fixed)


def with_right_checksums(data: bytes) -> bytes:
    """The same chunks as far as they can be told apart, each with the checksum that belongs to it."""
    fixed, position = bytearray(data), len(SIGNATURE)
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if end > len(data):
            break
        fixed[end - 4 : end] = zlib.crc32(data[position + 4 : end - 4]).to_bytes(4, "big")
        position = end
    return bytes(fixed)


def _check_png(data: bytes) -> None:
    try:
        found = decode(data, max_pixels=LIMITS.max_pixels)
    except ImageError as error:
        assert _is_sentence(error)
        return
    header = read_header(data)
    assert found.shape[:2] == (header.height, header.width)
    assert found.shape[2] in (1, 2, 3, 4)
    assert found.size <= 4 * LIMITS.max_pixels
    assert found.dtype == (np.uint16 if header.bit_depth == 16 else np.uint8)
    rgb = pixels.to_rgb(found)
    assert (rgb.shape, rgb.dtype) == ((header.height, header.width, 3), np.uint8)
    stripped = strip(data)
    np.testing.assert_array_equal(decode(stripped, max_pixels=LIMITS.max_pixels), found)
    if not _is_transparent_colour_in_range(stripped):
        return
    try:
        samples, maximum = read_samples(stripped)
    except _FAILURES_OF_PYPNG:
        return
    np.testing.assert_array_equal(found, samples * max(1, 255 // maximum))


def _is_transparent_colour_in_range(stripped: bytes) -> bool:
    """Of a larger one the lowest bits count (PNG specification, 11.3.1.1), which pypng does not know."""
    header = read_header(stripped)
    if header.color_type == 3 or stripped[HEADER_BYTES + 4 : HEADER_BYTES + 8] != b"tRNS":
        return True
    samples = np.frombuffer(stripped, ">u2", 1 if header.color_type == 0 else 3, HEADER_BYTES + 8)
    return bool(samples.max() < 2**header.bit_depth)


def _check_names(archive: Source) -> None:
    names = [entry.name for entry in archive.entries]
    assert len(set(names)) == len(names)
    assert len(names) + len(archive.skipped) <= LIMITS.max_entries
    for name in names:
        path = PurePosixPath(name)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert "\\" not in name
    for shown in [*names, *(skipped.name for skipped in archive.skipped)]:
        assert not any(unicodedata.category(character) == "Cc" for character in shown)
    for skipped in archive.skipped:
        assert skipped.reason.endswith(".")


def _check_entry(archive: Source, index: int) -> int:
    """The number of bytes that the entry gives."""
    entry = archive.entries[index]
    assert entry.file_size <= LIMITS.max_entry_bytes
    try:
        data = archive.read(index)
    except ImageError as error:
        assert _is_sentence(error)
        return 0
    assert len(data) == entry.file_size
    assert read_header(data) == entry.header
    return len(data)


def _is_sentence(error: Exception) -> bool:
    return str(error)[:1].isupper() and str(error).endswith(".")
