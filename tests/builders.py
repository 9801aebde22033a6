"""PNG and ZIP files made in code: every kind there is, and every way to break them.

PNGs are written by pypng, a pure Python implementation that shares no code with the product.
"""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ZIP_DATE = (2020, 2, 2, 20, 20, 20)  # of every file in ``zip_bytes``: the same files are the same bytes on any day


@dataclass(frozen=True)
class PngKind:
    """One kind of PNG: colour mode, bits, whether ``tRNS`` makes parts transparent, interlacing."""

    mode: str  # grey, grey + alpha, RGB, RGBA, palette
    bit_depth: int
    transparency: bool = False
    interlaced: bool = False

    def __str__(self) -> str:
        """An id for test names, such as ``8-bit-palette-tRNS-interlaced``."""
        marks = ["tRNS"] * self.transparency + ["interlaced"] * self.interlaced
        return "-".join([f"{self.bit_depth}-bit", self.mode.replace(" ", ""), *marks])


_DEPTHS = {"grey": (1, 2, 4, 8, 16), "grey + alpha": (8, 16), "RGB": (8, 16), "RGBA": (8, 16), "palette": (1, 2, 4, 8)}
PNG_KINDS = tuple(
    PngKind(mode, bit_depth, transparency, interlaced)
    for mode, depths in _DEPTHS.items()
    for bit_depth in depths
    for transparency in ((False, True) if mode in ("grey", "RGB", "palette") else (False,))
    for interlaced in (False, True)
)


def png_bytes(samples: np.ndarray, bit_depth: int = 8, **options: object) -> bytes:
    """A PNG of ``[H, W, C]`` samples, C = 1 to 4 as grey, grey + alpha, RGB, RGBA; ``options`` go to pypng."""
    height, width, channels = samples.shape
    writer = png.Writer(width, height, bitdepth=bit_depth, greyscale=channels < 3, alpha=channels in (2, 4), **options)
    return _written(writer, samples)


def photo_png(width: int = 40, height: int = 30, seed: int = 0) -> bytes:
    """An 8-bit RGB PNG of random pixels; different seeds give different pictures."""
    return png_bytes(np.random.default_rng(seed).integers(0, 256, (height, width, 3)))


def png_of_kind(kind: PngKind, width: int = 13, height: int = 11, seed: int = 0) -> bytes:
    """A PNG of random samples of this kind; with ``transparency``, its first pixel's colour is transparent."""
    rng = np.random.default_rng(seed)
    if kind.mode == "palette":
        indices = rng.integers(0, 2**kind.bit_depth, (height, width, 1))
        palette = rng.integers(0, 256, (2**kind.bit_depth, 4 if kind.transparency else 3))
        colours = [tuple(int(value) for value in colour) for colour in palette]
        writer = png.Writer(width, height, bitdepth=kind.bit_depth, palette=colours, interlace=kind.interlaced)
        return _written(writer, indices)
    channels = {"grey": 1, "grey + alpha": 2, "RGB": 3, "RGBA": 4}[kind.mode]
    samples = rng.integers(0, 2**kind.bit_depth, (height, width, channels))
    first = tuple(int(value) for value in samples[0, 0])
    transparent = (first if channels == 3 else first[0]) if kind.transparency else None
    return png_bytes(samples, kind.bit_depth, transparent=transparent, interlace=kind.interlaced)


def read_samples(data: bytes) -> tuple[np.ndarray, int]:
    """What pypng decodes: ``[H, W, C]`` samples with palette and ``tRNS`` applied, and their highest value."""
    width, height, rows, info = png.Reader(bytes=data).asDirect()
    samples = np.array([list(row) for row in rows]).reshape(height, width, info["planes"])
    return samples, 2 ** info["bitdepth"] - 1


def chunk(kind: bytes, content: bytes = b"", crc: int | None = None) -> bytes:
    """One PNG chunk, with a checksum of one's own choice if given."""
    checksum = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def header_chunk(width: int = 5, height: int = 4, bit_depth: int = 8, color_type: int = 2, *rest: int) -> bytes:
    """An IHDR chunk of any numbers; ``rest`` is compression, filter and interlace method (0 unless given)."""
    return chunk(b"IHDR", struct.pack(">2I5B", width, height, bit_depth, color_type, *(rest or (0, 0, 0))))


def assemble_png(*chunks: bytes) -> bytes:
    """The signature, then chunks of any order and content."""
    return SIGNATURE + b"".join(chunks)


def _broken_pngs() -> dict[str, bytes]:
    ihdr, end = header_chunk(), chunk(b"IEND")
    rows = b"\0" + bytes(range(15)) + b"\1" * 16 + b"\2" * 16 + b"\4" * 16  # 4 rows of 5 RGB pixels
    packed = zlib.compress(rows)
    data = chunk(b"IDAT", packed)
    palette_ihdr, palette_data = header_chunk(5, 4, 1, 3), chunk(b"IDAT", zlib.compress(bytes(8)))
    whole = assemble_png(ihdr, data, end)
    return {
        "wrong checksum of IDAT": assemble_png(ihdr, chunk(b"IDAT", packed, crc=1), end),
        "wrong checksum of the first of two": assemble_png(
            ihdr, chunk(b"IDAT", packed[:9], crc=1), chunk(b"IDAT", packed[9:]), end
        ),
        "wrong checksum of the last of two": assemble_png(
            ihdr, chunk(b"IDAT", packed[:-4]), chunk(b"IDAT", packed[-4:], crc=1), end
        ),
        "wrong checksum inside the data": assemble_png(ihdr, chunk(b"IDAT", packed[:-1] + b"\x99"), end),
        "data is no zlib stream": assemble_png(ihdr, chunk(b"IDAT", b"nonsense" * 9), end),
        "data stops early": assemble_png(ihdr, chunk(b"IDAT", packed[: len(packed) // 2]), end),
        "too few rows": assemble_png(ihdr, chunk(b"IDAT", zlib.compress(rows[:32])), end),
        "too many rows": assemble_png(ihdr, chunk(b"IDAT", zlib.compress(rows * 1000)), end),
        "unknown row filter": assemble_png(ihdr, chunk(b"IDAT", zlib.compress(rows[:48] + b"\5" * 16)), end),
        "no data": assemble_png(ihdr, end),
        "no end": assemble_png(ihdr, data),
        "cut off in the data": whole[:60],
        "cut off in a chunk header": whole[:37],
        "chunk longer than the file": assemble_png(ihdr, b"\x7f\xff\xff\xffIDAT" + packed),
        "second header": assemble_png(ihdr, ihdr, data, end),
        "unknown critical chunk": assemble_png(ihdr, chunk(b"ABCD", b"?"), data, end),
        "palette image without palette": assemble_png(palette_ihdr, palette_data, end),
        "palette of odd length": assemble_png(palette_ihdr, chunk(b"PLTE", b"abcd"), palette_data, end),
        "palette too long for the bit depth": assemble_png(palette_ihdr, chunk(b"PLTE", bytes(9)), palette_data, end),
        "wrong checksum of the palette": assemble_png(palette_ihdr, chunk(b"PLTE", bytes(6), crc=1), palette_data, end),
        "transparency longer than the palette": assemble_png(
            palette_ihdr, chunk(b"PLTE", bytes(6)), chunk(b"tRNS", bytes(3)), palette_data, end
        ),
        "transparent colour of the wrong length": assemble_png(ihdr, chunk(b"tRNS", bytes(5)), data, end),
        "palette after the data": assemble_png(palette_ihdr, palette_data, chunk(b"PLTE", bytes(6)), end),
        "palette in two parts": assemble_png(
            palette_ihdr, chunk(b"PLTE", bytes(3)), chunk(b"PLTE", bytes(3)), palette_data, end
        ),
        "transparency before the palette": assemble_png(
            palette_ihdr, chunk(b"tRNS", bytes(1)), chunk(b"PLTE", bytes(6)), palette_data, end
        ),
        "transparency after the data": assemble_png(ihdr, data, chunk(b"tRNS", bytes(6)), end),
        "transparency in two parts": assemble_png(
            palette_ihdr, chunk(b"PLTE", bytes(6)), chunk(b"tRNS", b"a"), chunk(b"tRNS", b"b"), palette_data, end
        ),
        "transparency of no bytes": assemble_png(ihdr, chunk(b"tRNS"), data, end),
        "data in two places": assemble_png(
            ihdr, chunk(b"IDAT", packed[:9]), chunk(b"tEXt", b"a\0b"), chunk(b"IDAT", packed[9:]), end
        ),
        "wrong checksum of the header": assemble_png(ihdr[:-1] + bytes([ihdr[-1] ^ 1]), data, end),
        "zero width": assemble_png(header_chunk(0), data, end),
        "zero height": assemble_png(header_chunk(5, 0), data, end),
        "bit depth 3": assemble_png(header_chunk(5, 4, 3), data, end),
        "16-bit palette": assemble_png(header_chunk(5, 4, 16, 3), data, end),
        "4-bit RGB": assemble_png(header_chunk(5, 4, 4, 2), data, end),
        "colour type 5": assemble_png(header_chunk(5, 4, 8, 5), data, end),
        "compression method 1": assemble_png(header_chunk(5, 4, 8, 2, 1, 0, 0), data, end),
        "filter method 1": assemble_png(header_chunk(5, 4, 8, 2, 0, 1, 0), data, end),
        "interlace method 2": assemble_png(header_chunk(5, 4, 8, 2, 0, 0, 2), data, end),
        "header is not the first chunk": assemble_png(data, ihdr, end),
        "signature only": SIGNATURE,
        "text": b"This is no image, whatever its name says.",
        "empty": b"",
    }


BROKEN_PNGS = _broken_pngs()


def zip_bytes(
    files: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
    compression: int = zipfile.ZIP_DEFLATED,
    edit: Callable[[zipfile.ZipInfo], None] | None = None,
) -> bytes:
    """A ZIP of these files, in this order; ``edit`` changes what the central directory says of each.

    A name ending in ``/`` is a folder. Pairs instead of a mapping allow equal names.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as archive:
        warnings.filterwarnings("ignore", message="Duplicate name")
        for name, content in files.items() if isinstance(files, Mapping) else files:
            info = zipfile.ZipInfo(name, ZIP_DATE)
            info.external_attr = (stat.S_IFDIR | 0o775) << 16 if name.endswith("/") else 0o600 << 16
            archive.writestr(info, content, compression)
        if edit is not None:
            for info in archive.infolist():
                edit(info)
    return buffer.getvalue()


def encrypted(info: zipfile.ZipInfo) -> None:
    """An ``edit`` for ``zip_bytes``: mark the file as protected by a password."""
    info.flag_bits |= 0x1


def _written(writer: png.Writer, samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    writer.write(buffer, samples.reshape(samples.shape[0], -1).tolist())
    return buffer.getvalue()
