"""The stored samples of one frame of a DICOM file: where they are, and unpacking them by imagecodecs."""

from __future__ import annotations

import struct
from array import array
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from core.base.errors import ImageError
from core.images.formats import _dicom_parts as parts
from core.images.formats import _jpeg_parts, _jpegls_parts, jpeg2000
from core.images.formats._dicom_frame import Layout
from core.images.formats._dicom_parts import DAMAGED, TRUNCATED, UNDEFINED, Dataset
from core.images.formats.format import FileReader, ImageHeader, by_strips

_PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
_RLE = "1.2.840.10008.1.2.5"
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
_JPEG_LS = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (80, 81))
_JPEG_2000 = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201, 202, 203))  # the last three: quick ones
_ADOBE = b"\xff\xee\0\x0eAdobe"  # a whole one; of shorter ones no decoder takes notice
_INFLATED_BYTES = 256 * 1024 * 1024  # of a deflated file, which is inflated from its beginning for each frame
_MAX_PARTS = 1_000_000  # of compressed data


def check_transfer(dataset: Dataset, layout: Layout, file: FileReader) -> None:
    """Refuse what cannot be read, and files with fewer bytes than their frames need.

    Raises:
        ImageError: with the reason.
    """
    if dataset.transfer not in (*_PLAIN, _RLE, *_JPEG, *_JPEG_LS, *_JPEG_2000):
        raise ImageError("A DICOM file compressed in a rare way, which cannot be read; export it without compression.")
    if dataset.transfer not in _PLAIN:
        if layout.kind == "float" or layout.allocated not in ((8, 16, 32) if dataset.transfer == _RLE else (8, 16)):
            raise ImageError(DAMAGED)
        if dataset.length != UNDEFINED:
            raise ImageError(DAMAGED)
        if dataset.start + 8 * (layout.frames + 1) > file.size:
            raise ImageError(TRUNCATED)
        return
    size = layout.all_bytes
    if dataset.length == UNDEFINED or dataset.length < size:
        raise ImageError(DAMAGED)
    if dataset.compressed_at:
        if dataset.start + size > _INFLATED_BYTES:
            raise ImageError("A deflated DICOM file of more than 256 MiB; export it without compression.")
    elif dataset.start + size > file.size:
        raise ImageError(TRUNCATED)


def find_parts(dataset: Dataset, layout: Layout, file: FileReader) -> array[int]:
    """Start and length of each piece of compressed data, the table of frames first.

    Raises:
        ImageError: damaged or cut short.
    """
    found = array("Q")
    if dataset.transfer in _PLAIN:
        return found
    position, whole = dataset.start, b"" if layout.frames > 1 else file.read(0, _most(dataset, layout, file))
    while len(found) < 2 * _MAX_PARTS:
        head = whole[position : position + 8] if whole else file.read(position, 8)
        if len(head) < 8:
            raise ImageError(TRUNCATED)
        group, element, length = struct.unpack(f"{dataset.syntax.order}HHL", head)
        tag = group << 16 | element
        if tag == parts.SEQUENCE_END:
            return found
        if tag != parts.ITEM or length == UNDEFINED:
            raise ImageError(DAMAGED)
        if position + 8 + length > file.size:
            raise ImageError(TRUNCATED)
        found.extend((position + 8, length))
        position += 8 + length
    raise ImageError(DAMAGED)


def read_samples(dataset: Dataset, layout: Layout, file: FileReader, pieces: array[int], frame: int) -> NDArray[Any]:
    """The stored samples ``[H, W, C]`` of a frame, unsigned, signed or floating; colours are RGB.

    Raises:
        ImageError: damaged or cut short.
    """
    if dataset.transfer in _PLAIN:
        samples = _plain(dataset, layout, _in_order(dataset, layout, file, *_place(layout, frame)), frame)
        is_rgb = layout.photometric == "RGB"
    else:
        data = _joined(dataset, layout, file, pieces, frame)
        try:
            samples, is_rgb = _unpack(data, dataset.transfer, layout)
        except (RuntimeError, ValueError) as error:  # imagecodecs' own are of these
            raise ImageError(DAMAGED) from error
    if samples.shape != (layout.height, layout.width, layout.samples):
        raise ImageError(DAMAGED)
    if layout.samples == 3:
        return samples if is_rgb else _to_rgb(samples)
    return _counted(samples, layout)


def _most(dataset: Dataset, layout: Layout, file: FileReader) -> int:
    """How many bytes of a file of one frame are read at most."""
    return min(file.size, dataset.start + 2 * layout.frame_bytes + 65536)


def _place(layout: Layout, frame: int) -> tuple[int, int]:
    """Which byte of the uncompressed frames one begins at, and how many it has."""
    if layout.allocated != 1:
        return frame * layout.frame_bytes, layout.frame_bytes
    pixels = layout.width * layout.height
    start = frame * pixels // 8
    return start, ((frame + 1) * pixels + 7) // 8 - start


def _in_order(dataset: Dataset, layout: Layout, file: FileReader, inside: int, size: int) -> bytes:
    """The bytes of a frame; those that lie in words the other way round are put in order."""
    if not (dataset.in_words and dataset.syntax.order == ">" and layout.allocated <= 8):
        return _frame_bytes(dataset, layout, file, inside, size)
    before = inside % 2
    words = _frame_bytes(dataset, layout, file, inside - before, (before + size + 1) // 2 * 2)
    return np.frombuffer(words, "<u2").byteswap().tobytes()[before : before + size]


def _frame_bytes(dataset: Dataset, layout: Layout, file: FileReader, inside: int, size: int) -> bytes:
    start = dataset.start + inside
    if dataset.compressed_at:
        found = parts.inflate(file.read()[dataset.compressed_at :], start + size)[start:]
    elif layout.frames > 1:
        found = file.read(start, size)
    elif _most(dataset, layout, file) == file.size:
        found = file.read()[start : start + size]  # all of it, so that its checksum is looked at
    else:
        found = file.read(0, start + size)[start:]
    if len(found) < size:
        raise ImageError(TRUNCATED)
    return found


def _plain(dataset: Dataset, layout: Layout, data: bytes, frame: int) -> NDArray[Any]:
    height, width, samples = layout.height, layout.width, layout.samples
    if layout.allocated == 1:
        first = frame * height * width % 8
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[first : first + height * width]
        return bits.reshape(height, width, 1)
    letter = "f" if layout.kind == "float" else "u"
    dtype = np.dtype(f"{dataset.syntax.order}{letter}{layout.allocated // 8}")
    values = np.frombuffer(data, dtype)
    if layout.photometric == "YBR_FULL_422":
        return _from_pairs(values, layout)
    if samples == 3 and layout.planar:
        return np.moveaxis(values.reshape(3, height, width), 0, 2).astype(dtype.newbyteorder("="))
    return values.reshape(height, width, samples).astype(dtype.newbyteorder("="), copy=False)


def _from_pairs(values: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Y, Y, Cb, Cr of each two pixels as Y, Cb, Cr of each."""
    if layout.width % 2:
        raise ImageError(DAMAGED)
    pairs = values.reshape(layout.height, layout.width // 2, 4)
    found = np.empty((layout.height, layout.width, 3), np.uint8)
    found[:, 0::2, 0], found[:, 1::2, 0] = pairs[..., 0], pairs[..., 1]
    found[..., 1:] = np.repeat(pairs[..., 2:], 2, axis=1)
    return found


def _joined(dataset: Dataset, layout: Layout, file: FileReader, pieces: array[int], frame: int) -> bytes:
    """The compressed data of a frame, from all pieces that it is in."""
    starts, lengths = pieces[2::2], pieces[3::2]
    if layout.frames == 1:
        chosen = range(len(starts))
    elif len(starts) == layout.frames:
        chosen = range(frame, frame + 1)
    else:
        chosen = _by_table(dataset, layout, file, pieces, frame)
    size = sum(lengths[place] for place in chosen)
    if not chosen or size > 2 * layout.frame_bytes + 65536:
        raise ImageError(DAMAGED)
    if layout.frames > 1:
        return b"".join(file.read(starts[place], lengths[place]) for place in chosen)
    end = starts[-1] + lengths[-1]
    whole = file.read() if _most(dataset, layout, file) == file.size else file.read(0, end)
    if len(whole) < end:
        raise ImageError(TRUNCATED)
    return b"".join(whole[starts[place] : starts[place] + lengths[place]] for place in chosen)


def _by_table(dataset: Dataset, layout: Layout, file: FileReader, pieces: array[int], frame: int) -> range:
    """Which pieces a frame is in, by the table that says where each frame begins."""
    if pieces[1] < 4 * layout.frames:
        raise ImageError("A DICOM file that does not say where its frames begin; export it without compression.")
    table = np.frombuffer(file.read(pieces[0], 4 * layout.frames), f"{dataset.syntax.order}u4")
    if len(table) < layout.frames:
        raise ImageError(TRUNCATED)
    first = pieces[2] - 8 if len(pieces) > 2 else 0
    begins = np.frombuffer(pieces, np.uint64)[2::2].astype(np.int64) - 8 - first
    start = int(table[frame])
    end = int(table[frame + 1]) if frame + 1 < layout.frames else int(begins[-1]) + 1 if len(begins) else 0
    return range(int(np.searchsorted(begins, start)), int(np.searchsorted(begins, end)))


def _unpack(data: bytes, transfer: str, layout: Layout) -> tuple[NDArray[Any], bool]:
    """Samples ``[H, W, C]``, and whether three of them are RGB."""
    is_rgb = layout.photometric == "RGB"
    if transfer == _RLE:
        return _unpack_rle(data, layout), is_rgb
    if transfer in _JPEG:
        return _unpack_jpeg(data, layout)
    if transfer in _JPEG_LS:
        _check_same(_jpegls_parts.read_header(data), layout)
        return _with_channels(imagecodecs.jpegls_decode(data)), is_rgb
    _check_same(jpeg2000.read_codestream(data, signed=layout.kind == "signed"), layout)
    is_rgb = layout.photometric not in ("YBR_FULL", "YBR_FULL_422")  # the codec itself turns the others back
    return _with_channels(imagecodecs.jpeg2k_decode(data)), is_rgb


def _unpack_rle(data: bytes, layout: Layout) -> NDArray[Any]:
    """Runs of each byte of each sample (PS3.5, annex G)."""
    of_sample = layout.allocated // 8
    count = layout.samples * of_sample
    if len(data) < 64:
        raise ImageError(TRUNCATED)
    found, *offsets = struct.unpack_from("<16L", data)
    if found != count or any(not 64 <= offset <= len(data) for offset in offsets[:count]):
        raise ImageError(DAMAGED)
    size = layout.width * layout.height
    ends = [*offsets[1:count], len(data)]
    planes = np.empty((layout.samples, of_sample, size), np.uint8)
    for number, (start, end) in enumerate(zip(offsets[:count], ends, strict=True)):
        plane = bytes(imagecodecs.packbits_decode(data[start:end], out=size))
        if len(plane) < size:
            raise ImageError(DAMAGED)
        # The most telling byte comes first; samples are put together with the least telling one first.
        planes[number // of_sample, of_sample - 1 - number % of_sample] = np.frombuffer(plane, np.uint8, size)
    values = np.ascontiguousarray(planes.transpose(2, 0, 1)).view(f"<u{of_sample}")
    return values.reshape(layout.height, layout.width, layout.samples)


def _unpack_jpeg(data: bytes, layout: Layout) -> tuple[NDArray[Any], bool]:
    try:
        header = _jpeg_parts.read_header(data)
    except _jpeg_parts.TooShort as error:
        raise ImageError(TRUNCATED) from error
    _check_same(header, layout)
    whole = _jpeg_parts.rebuild(data, header)
    if layout.samples == 1:
        return _with_channels(imagecodecs.jpeg8_decode(whole)), False
    if not header.scales:  # lossless: nothing is turned
        return imagecodecs.jpeg8_decode(whole, colorspace="RGB", outcolorspace="RGB"), layout.photometric == "RGB"
    marked = b"JFIF\0" in whole[:64] or _ADOBE in whole[:128]  # says itself what it is, and is right more often
    space = None if marked else "RGB" if layout.photometric == "RGB" else "YCBCR"
    return imagecodecs.jpeg8_decode(whole, colorspace=space, outcolorspace="RGB"), True


def _check_same(header: ImageHeader, layout: Layout) -> None:
    """Refuse compressed data of another size than the file says, before it is unpacked."""
    channels = {"grey": 1, "RGB": 3}.get(header.color)
    same = (header.width, header.height, channels) == (layout.width, layout.height, layout.samples)
    if not same or not (header.bit_depth <= layout.allocated):
        raise ImageError(DAMAGED)


def _with_channels(found: NDArray[Any]) -> NDArray[Any]:
    return found[..., np.newaxis] if found.ndim == 2 else found


def _to_rgb(ybr: NDArray[Any]) -> NDArray[np.uint8]:
    """RGB of YBR_FULL (PS3.3, C.7.6.3.1.2)."""
    luma, blue, red = (ybr[..., channel].astype(np.float32) for channel in range(3))
    blue, red = blue - 128, red - 128
    colours = np.stack((luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue), axis=2)
    rgb: NDArray[np.uint8] = np.clip(np.rint(colours), 0, 255).astype(np.uint8)
    return rgb


def _counted(samples: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Only the bits that count, with their sign."""
    if layout.kind == "float":
        return samples
    if layout.allocated == 1:
        return samples * np.uint8(255)  # as of all formats
    wide, narrow = (np.int64, "int32") if layout.allocated == 32 else (np.int32, "int16")
    sign = 0 if layout.kind == "unsigned" else 1 << (layout.stored - 1)

    def counted(stored: NDArray[Any]) -> NDArray[Any]:
        bits: NDArray[Any] = stored.astype(wide)
        bits = (bits >> layout.shift) & (2**layout.stored - 1)
        return (bits ^ sign) - sign

    return by_strips(samples.view(f"u{samples.dtype.itemsize}"), narrow if sign else f"u{narrow}", counted)
