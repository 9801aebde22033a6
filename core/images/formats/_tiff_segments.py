"""The strips and tiles of a TIFF's page, unpacked into exactly as many bytes as they have to have."""

from __future__ import annotations

import lzma
import zlib
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from core.base.errors import ImageError
from core.images.formats import _jpeg_parts, jpeg2000, webp
from core.images.formats._tiff_parts import DAMAGED
from core.images.formats.format import ImageHeader, InMemory

NONE, LZW, JPEG, DEFLATE, PACKBITS, DEFLATE_OLD, LZMA, ZSTD = 1, 5, 7, 8, 32773, 32946, 34925, 50000
_JPEG_2000, _WEBP = (33005, 34712), 50001
PICTURES = (JPEG, *_JPEG_2000, _WEBP)  # whose parts are images, each with a header of its own
COMPRESSIONS = (NONE, LZW, DEFLATE, PACKBITS, DEFLATE_OLD, LZMA, ZSTD, *PICTURES)
NAMES = {
    2: "as a fax", 3: "as a fax", 4: "as a fax", 6: "as an old JPEG", 33003: "as JPEG 2000 in a way of its own",
    33004: "as JPEG 2000 in a way of its own", 34887: "with LERC", 50002: "as JPEG XL",
    52546: "as JPEG XL", 34892: "as a raw photo", 34661: "as JBIG", 22610: "as JPEG XR", 34933: "as PNG",
}  # fmt: skip
HORIZONTAL, FLOATING = 2, 3  # predictors
_LZMA_MEMORY = 128 * 1024 * 1024


def unpack(data: bytes, compression: int, size: int) -> bytes:
    """``size`` bytes; where ``data`` holds fewer, there is an error, and what is beyond them is not unpacked.

    Raises:
        ImageError: damaged.
    """
    try:
        found = _unpack(data, compression, size)
    except (RuntimeError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise ImageError(DAMAGED) from error
    if len(found) < size:
        raise ImageError(DAMAGED)
    return found[:size]


def _unpack(data: bytes, compression: int, size: int) -> bytes:
    if compression == NONE:
        return data
    if compression in (DEFLATE, DEFLATE_OLD):
        return zlib.decompressobj().decompress(data, size)
    if compression == LZW:
        return bytes(imagecodecs.lzw_decode(data, out=size))
    if compression == PACKBITS:
        return bytes(imagecodecs.packbits_decode(data, out=size))
    if compression == ZSTD:
        return bytes(imagecodecs.zstd_decode(data, out=size))
    return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY).decompress(data, size)


def decode_picture(
    data: bytes, compression: int, size: tuple[int, int], bits: int, *, tables: bytes, photometric: int
) -> NDArray[Any]:
    """The pixels ``[h, width, C]`` of a strip or tile that is an image by itself, up to ``size`` high; RGB if colours.

    Args:
        data: all of it.
        compression: one of ``PICTURES``.
        size: width, and most rows.
        bits: of each sample.
        tables: of the page, which a JPEG may leave its own to.
        photometric: what the page says of its colours.

    Raises:
        ImageError: damaged, or not of this width and depth.
    """
    try:
        header = _header_of(data, compression)
        if header.width != size[0] or header.height > size[1] or header.bit_depth != bits:
            raise ImageError(DAMAGED)
        if compression == _WEBP:
            found = imagecodecs.webp_decode(data)
        elif compression in _JPEG_2000:
            found = imagecodecs.jpeg2k_decode(data)
        else:
            spaces = {2: ("RGB", "RGB"), 6: ("YCBCR", "RGB")}.get(photometric, (None, None))
            found = imagecodecs.jpeg8_decode(data, tables=tables or None, colorspace=spaces[0], outcolorspace=spaces[1])
    except (RuntimeError, ValueError, _jpeg_parts.TooShort) as error:
        raise ImageError(DAMAGED) from error
    pixels: NDArray[Any] = found if found.ndim == 3 else found[..., np.newaxis]
    return pixels


def _header_of(data: bytes, compression: int) -> ImageHeader:
    if compression == _WEBP:
        (header,) = webp.FORMAT.read_headers(InMemory(data))  # more than one are an animation
        return header
    if compression in _JPEG_2000:
        return jpeg2000.read_codestream(data, signed=False)
    if not data.endswith(b"\xff\xd9"):
        raise ImageError(DAMAGED)
    return _jpeg_parts.read_header(data)


def undo_predictor(samples: NDArray[Any], predictor: int) -> NDArray[Any]:
    """``[h, w, C]`` as it was before each value became its difference to the one on its left."""
    if predictor == HORIZONTAL:
        if samples.dtype.kind == "f":
            whole = samples.view(f"u{samples.dtype.itemsize}")
            return np.cumsum(whole, axis=1, dtype=whole.dtype).view(samples.dtype)
        return np.cumsum(samples, axis=1, dtype=samples.dtype)
    return samples


def undo_floating(data: bytes, height: int, width: int, channels: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """``[h, w, C]`` of numbers whose bytes were stored apart, the most telling ones first (TIFF technical note 3)."""
    size = dtype.itemsize
    rows = np.frombuffer(data, np.uint8).reshape(height, width * channels * size)
    # Differences run over the bytes of a row, each to the one a pixel before it.
    summed = np.cumsum(rows.reshape(height, width * size, channels), axis=1, dtype=np.uint8)
    planes = summed.reshape(height, size, width * channels)
    big_endian = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(dtype.newbyteorder(">"))
    return big_endian.reshape(height, width, channels).astype(dtype)


def unpack_bits(data: bytes, height: int, width: int, channels: int, bits: int) -> NDArray[Any]:
    """``[h, w, C]`` of samples of 1 to 16 bits that are packed; each row begins with a byte of its own."""
    row = width * channels
    packed = np.frombuffer(data, np.uint8).reshape(height, -1)
    single = np.unpackbits(packed, axis=1, count=row * bits).reshape(height, row, bits)
    weights = (1 << np.arange(bits - 1, -1, -1)).astype(np.uint16)
    samples = (single.astype(np.uint16) * weights).sum(axis=2, dtype=np.uint16)
    found: NDArray[Any] = samples.reshape(height, width, channels).astype(np.uint8 if bits <= 8 else np.uint16)
    return found
