"""TIFF files of every kind."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import tifffile

from tests.pictures import Array, Kind, picture


def tiff(pages: Array | list[Array], **options: Any) -> bytes:
    """The file that tifffile writes; ``options`` go to ``tifffile.imwrite``, or to each page's ``write``."""
    buffer = io.BytesIO()
    if isinstance(pages, list):
        with tifffile.TiffWriter(buffer) as writer:
            for page in pages:
                writer.write(page, metadata=None, **options)
    else:
        if options.get("ome"):  # or tifffile takes another identity each time
            options["metadata"] = {"UUID": "urn:uuid:00000000-0000-1000-8000-000000000000"} | options["metadata"]
        tifffile.imwrite(buffer, pages, **options)
    return buffer.getvalue()


def _of_type(dtype: str, channels: int = 1) -> Array:
    """Samples over a good part of what a type can have, negative ones too, ``[H, W]`` or ``[H, W, C]``."""
    unit = picture(37, 23, channels).astype(np.float64) / 255
    kind = np.dtype(dtype)
    if kind.kind == "f":
        samples = (unit - 0.25) * 4
    else:
        limits = np.iinfo(kind)
        samples = limits.min / 2 + unit * (limits.max / 2 - limits.min / 2)
    found = samples.astype(kind)
    return found[..., 0] if channels == 1 else found


def _tiff_kinds() -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}

    def add(name: str, written: Array, description: str, wanted: Array | None = None, **options: Any) -> None:
        frame = written if wanted is None else wanted
        frame = frame[..., np.newaxis] if frame.ndim == 2 else frame
        kinds[name] = Kind(tiff(written, metadata=None, **options), description, [frame])

    for dtype, words in {
        "uint8": "8-bit", "uint16": "16-bit", "uint32": "32-bit", "int16": "16-bit signed", "int32": "32-bit signed",
        "float32": "32-bit float", "float64": "64-bit float",
    }.items():  # fmt: skip
        add(dtype, _of_type(dtype), f"{words} grey", photometric="minisblack")
    add("int8", _of_type("int8"), "8-bit signed grey", _of_type("int8").astype(np.int16), photometric="minisblack")
    half = _of_type("float16")
    add("float16", half, "16-bit float grey", half.astype(np.float32), photometric="minisblack")
    deep, photo, deep_photo = _of_type("uint16"), _of_type("uint8", 3), _of_type("uint16", 3)
    for compression in ("zlib", "lzw", "packbits", "zstd", "lzma"):
        for predictor in (False, True):
            if compression == "packbits" and predictor:
                continue
            name = f"{compression}{' with differences' * predictor}"
            add(name, deep, "16-bit grey", compression=compression, predictor=predictor, photometric="minisblack")
    single = _of_type("float32")
    add("floating differences", single, "32-bit float grey", compression="zlib", predictor=3, photometric="minisblack")
    add("colour differences", photo, "8-bit RGB", compression="lzw", predictor=True, photometric="rgb")
    add("floating differences of big-endian numbers", _of_type("float64"), "64-bit float grey", compression="zlib",
        predictor=3, byteorder=">", photometric="minisblack")  # fmt: skip
    for order in "<>":
        add(f"order {order}", deep_photo, "16-bit RGB", byteorder=order, photometric="rgb", rowsperstrip=5)
    add("BigTIFF", deep, "16-bit grey", bigtiff=True, photometric="minisblack")
    add("BigTIFF tiles", deep, "16-bit grey", bigtiff=True, tile=(16, 16), byteorder=">", photometric="minisblack")
    add("tiles", photo, "8-bit RGB", tile=(16, 32), photometric="rgb")
    add(
        "packed tiles", deep, "16-bit grey", tile=(16, 16), compression="zlib", predictor=True, photometric="minisblack"
    )
    add("strips", deep, "16-bit grey", rowsperstrip=4, compression="zstd", photometric="minisblack")
    planar = np.ascontiguousarray(np.moveaxis(photo, 2, 0))
    add("planar", planar, "8-bit RGB", photo, planarconfig="separate", photometric="rgb")
    add("planar tiles", planar, "8-bit RGB", photo, planarconfig="separate", photometric="rgb", tile=(16, 16))
    clear = _of_type("uint8", 4)
    add("RGBA", clear, "8-bit RGBA", photometric="rgb", extrasamples=["unassalpha"])
    white = _of_type("uint8")
    add("white is zero", white, "8-bit grey", 255 - white, photometric="miniswhite")
    bits = _of_type("uint8") > 99
    add("1 bit", bits, "1-bit grey", bits.astype(np.uint8) * 255, photometric="minisblack")
    palette = np.random.default_rng(3).integers(0, 65536, (3, 256)).astype(np.uint16)
    add(
        "palette",
        white,
        "8-bit palette",
        (palette >> 8).T.astype(np.uint8)[white],
        photometric="palette",
        colormap=palette,
    )
    inks = _of_type("uint8", 4)
    light = 255 - inks.astype(np.uint16)
    add(
        "CMYK",
        inks,
        "8-bit CMYK",
        ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8),
        photometric="separated",
    )
    smooth = picture(48, 32)
    data = tiff(smooth, metadata=None, compression="jpeg", photometric="rgb", tile=(16, 16))
    kinds["JPEG tiles"] = Kind(data, "8-bit RGB", [tifffile.imread(io.BytesIO(data))])
    grey = picture(48, 32, 1)
    data = tiff(grey[..., 0], metadata=None, compression="jpeg", rowsperstrip=16, photometric="minisblack")
    kinds["JPEG strips"] = Kind(data, "8-bit grey", [tifffile.imread(io.BytesIO(data))[..., np.newaxis]])
    pages = [_of_type("uint16"), _of_type("uint8")[:9], _of_type("float32")[:, :11]]
    kinds["pages of all kinds"] = Kind(
        tiff(pages, photometric="minisblack"), "16-bit grey", [page[..., np.newaxis] for page in pages]
    )
    return kinds


TIFF_KINDS = _tiff_kinds()
