"""Image files of all formats but PNG, made in code: kinds with what they must decode to, and ways to break them."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

Array = np.ndarray[Any, Any]


def picture(width: int = 40, height: int = 30, channels: int = 3, seed: int = 0) -> Array:
    """uint8 ``[H, W, C]``: smooth, as photos are, so that lossy formats keep it well."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 5, channels)).astype(np.uint8)
    bands = [
        np.asarray(Image.fromarray(small[..., band]).resize((width, height), Image.Resampling.BICUBIC))
        for band in range(channels)
    ]
    return np.stack(bands, axis=2)


def saved(image: Image.Image | Array, kind: str, **options: Any) -> bytes:
    """The file that Pillow writes of an image, or of uint8 ``[H, W, C]`` with 1, 3 or 4 (RGBA) channels."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Array:
    """What Pillow decodes, ``[H, W, C]``."""
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image)
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


@dataclass(frozen=True)
class Kind:
    """A file, the words for its frames, and the samples ``[H, W, C]`` of each; ``off_by`` at most."""

    data: bytes = field(repr=False)
    description: str
    frames: list[Array] = field(repr=False)
    off_by: int = 0


def _jpeg(image: Image.Image | Array, description: str, **options: Any) -> Kind:
    data = saved(image, "JPEG", **options)
    return Kind(data, description, [opened(data)])


def _cmyk() -> Kind:
    image = Image.fromarray(picture(channels=4), "CMYK")
    data = saved(image, "JPEG", quality=95)
    with Image.open(io.BytesIO(data)) as reopened:
        return Kind(data, "8-bit CMYK", [np.asarray(reopened.convert("RGB"))], off_by=1)


def _deep(bits: int, channels: int, *, lossless: bool) -> Kind:
    samples = picture(channels=channels).astype(np.uint16) << (bits - 8)
    flat = samples[..., 0] if channels == 1 else samples
    options = {} if channels == 1 else {"subsampling": "444"}
    data = bytes(imagecodecs.jpeg8_encode(flat, level=100, bitspersample=bits, lossless=lossless, **options))
    color = "grey" if channels == 1 else "RGB"
    return Kind(data, f"{bits}-bit {color}", [samples], off_by=0 if lossless else 1 << (bits - 6))


def _jpeg_kinds() -> dict[str, Kind]:
    photo, grey = picture(), picture(channels=1)
    lossless = bytes(imagecodecs.jpeg8_encode(photo, lossless=True))
    return {
        "baseline": _jpeg(photo, "8-bit RGB", quality=90),
        "progressive": _jpeg(photo, "8-bit RGB", quality=90, progressive=True),
        "grey": _jpeg(grey, "8-bit grey"),
        "grey progressive": _jpeg(grey, "8-bit grey", progressive=True),
        "4:4:4": _jpeg(photo, "8-bit RGB", subsampling=0),
        "4:2:2": _jpeg(photo, "8-bit RGB", subsampling=1),
        "stored as RGB": _jpeg(photo, "8-bit RGB", keep_rgb=True),
        "restart markers": _jpeg(photo, "8-bit RGB", restart_marker_blocks=2),
        "optimized tables": _jpeg(photo, "8-bit RGB", optimize=True),
        "one pixel": _jpeg(picture(1, 1), "8-bit RGB"),
        "odd size": _jpeg(picture(17, 9), "8-bit RGB"),
        "with a profile and a preview": _jpeg(photo, "8-bit RGB", icc_profile=bytes(70_000), comment=b"x" * 5000),
        "CMYK": _cmyk(),
        "12 bits": _deep(12, 1, lossless=False),
        "12 bits colour": _deep(12, 3, lossless=False),
        "lossless": Kind(lossless, "8-bit RGB", [photo]),
        "lossless 12 bits": _deep(12, 1, lossless=True),
        "lossless 16 bits": _deep(16, 1, lossless=True),
    }


JPEG_KINDS = _jpeg_kinds()


def segment(marker: int, content: bytes) -> bytes:
    """One segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def jpeg_frame(width: int, height: int, depth: int = 8, components: int = 3, marker: int = 0xC0) -> bytes:
    """A frame header (SOF) of any numbers."""
    parts = b"".join(bytes((number + 1, 0x11, 0)) for number in range(components))
    return segment(marker, struct.pack(">BHHB", depth, height, width, components) + parts)


def _broken_jpegs() -> dict[str, bytes]:
    whole = saved(picture(), "JPEG", quality=90)
    frame = whole.index(b"\xff\xc0")
    scan = whole.index(b"\xff\xda")
    rest = whole[scan:]
    before = whole[:frame]
    sized = whole[:frame] + jpeg_frame(3000, 3000) + whole[frame + 19 :]
    return {
        "empty": b"",
        "signature only": b"\xff\xd8\xff",
        "text": b"This is no image, whatever its name says.",
        "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(60),
        "no end": whole[:-2],
        "cut off in the data": whole[: scan + 40],
        "cut off in the tables": whole[:100],
        "cut off in the frame header": whole[: frame + 8],
        "no frame": before + rest,
        "no scan": whole[:scan] + b"\xff\xd9",
        "two frames": whole[: frame + 19] + jpeg_frame(40, 30) + whole[frame + 19 :],
        "a frame behind the scan": whole[:-2] + jpeg_frame(40, 30) + b"\xff\xd9",
        "no width": before + jpeg_frame(0, 30) + whole[frame + 19 :],
        "height that comes later": before + jpeg_frame(40, 0) + whole[frame + 19 :],
        "9 bits": before + jpeg_frame(40, 30, 9) + whole[frame + 19 :],
        "2 components": before + jpeg_frame(40, 30, 8, 2) + whole[frame + 19 :],
        "hierarchical": before + jpeg_frame(40, 30, marker=0xC5) + whole[frame + 19 :],
        "frame header of a wrong length": before + segment(0xC0, b"\x08\0\x1e\0\x28\x03") + whole[frame + 19 :],
        "more pixels than the data can hold": sized,
        "65 scans": whole[:-2] + (rest[: rest.index(b"\x3f\0") + 2] + b"\0") * 65 + b"\xff\xd9",
        "an unknown marker": whole[:-2] + segment(0xF0, b"?") + b"\xff\xd9",
        "segment of no length": whole[:20] + b"\xff\xe5\0\0" + whole[20:],
        "huffman table beyond its segment": whole[:20] + segment(0xC4, b"\0" + b"\xff" * 16) + whole[20:],
    }


BROKEN_JPEGS = _broken_jpegs()


def _animation(frames: list[Array], kind: str, **options: Any) -> bytes:
    first, *others = [Image.fromarray(frame) for frame in frames]
    return saved(first, kind, save_all=True, append_images=others, duration=50, **options)


def _moving(channels: int = 3) -> list[Array]:
    """Frames of which each changes a part of the one before."""
    frames = [picture(channels=channels)]
    if channels == 4:
        frames[0][..., 3] = 255
    for number in range(1, 5):
        frame = frames[-1].copy()
        frame[4 * number : 4 * number + 6, 5 * number : 5 * number + 9, :3] = (250, 10 * number, 60)
        frames.append(frame)
    return frames


def _gif_kinds() -> dict[str, Kind]:
    few = [np.asarray(Image.fromarray(frame).quantize(16).convert("RGB")) for frame in _moving()]
    see_through = Image.fromarray(few[0]).quantize(16)
    one = saved(see_through, "GIF", transparency=3)
    return {
        "still": Kind(saved(Image.fromarray(few[0]).quantize(16), "GIF"), "8-bit palette", few[:1]),
        "interlaced": Kind(saved(Image.fromarray(few[0]).quantize(16), "GIF", interlace=1), "8-bit palette", few[:1]),
        "transparent": Kind(one, "8-bit palette", [np.asarray(Image.open(io.BytesIO(one)).convert("RGBA"))]),
        "animation": Kind(_animation(few, "GIF"), "8-bit palette", few),
    }


GIF_KINDS = _gif_kinds()


def _webp_kinds() -> dict[str, Kind]:
    photo, clear, moving = picture(), picture(channels=4), _moving()
    exif = Image.Exif()
    exif[0x0112] = 6
    lossy = saved(photo, "WEBP", quality=90)
    return {
        "lossless": Kind(saved(photo, "WEBP", lossless=True), "8-bit RGB", [photo]),
        "lossless transparent": Kind(saved(clear, "WEBP", lossless=True, exact=True), "8-bit RGBA", [clear]),
        "lossy": Kind(lossy, "8-bit RGB", [opened(lossy)]),
        "turned": Kind(saved(photo, "WEBP", lossless=True, exif=exif), "8-bit RGB", [np.rot90(photo, -1)]),
        "animation": Kind(_animation(moving, "WEBP", lossless=True), "8-bit RGBA", moving),
    }


WEBP_KINDS = _webp_kinds()


def _apng_kinds() -> dict[str, Kind]:
    moving = _moving(4)
    return {
        f"dispose {dispose} blend {blend}": Kind(
            _animation(moving, "PNG", disposal=dispose, blend=blend), "8-bit RGBA", moving
        )
        for dispose in (0, 1)  # Pillow writes the third way as nobody reads it
        for blend in (0, 1)
    }


APNG_KINDS = _apng_kinds()


def _bmp_kinds() -> dict[str, Kind]:
    photo, grey = picture(), picture(channels=1)
    indexed = Image.fromarray(photo).quantize(32)
    return {
        "24 bits": Kind(saved(photo, "BMP"), "8-bit RGB", [photo]),
        "8 bits grey": Kind(saved(grey, "BMP"), "8-bit palette", [grey]),
        "palette": Kind(saved(indexed, "BMP"), "8-bit palette", [np.asarray(indexed.convert("RGB"))]),
        "1 bit": Kind(
            saved(Image.fromarray(grey[..., 0] > 99), "BMP"), "1-bit palette", [(grey > 99).astype(np.uint8) * 255]
        ),
    }


BMP_KINDS = _bmp_kinds()


def _pnm_kinds() -> dict[str, Kind]:
    photo, grey = picture(9, 5), picture(9, 5, 1)
    bits = (grey > 99).astype(np.uint8)
    deep = grey.astype(np.uint16) * 16
    text = " ".join(map(str, photo.ravel()))
    black = "".join(map(str, 1 - bits.ravel()))
    return {
        "P1": Kind(f"P1 # comment\n9 5\n{black}\n".encode(), "1-bit grey", [bits * 255]),
        "P2": Kind(f"P2\n9 5 15\n{' '.join(map(str, grey.ravel() // 17))}".encode(), "4-bit grey", [grey // 17 * 17]),
        "P3": Kind(f"P3\n# a\n#b\n9 5\n255\n{text}\n".encode(), "8-bit RGB", [photo]),
        "P4": Kind(b"P4 9 5\n" + np.packbits(1 - bits[..., 0], axis=1).tobytes(), "1-bit grey", [bits * 255]),
        "P5": Kind(b"P5\n9 5\n255\n" + grey.tobytes(), "8-bit grey", [grey]),
        "P5 12 bits": Kind(b"P5 9 5 4095\n" + deep.astype(">u2").tobytes(), "12-bit grey", [deep]),
        "P6": Kind(b"P6\n#x\n9 5 255\n" + photo.tobytes(), "8-bit RGB", [photo]),
        "P6 16 bits": Kind(
            b"P6 9 5 65535\n" + (photo.astype(">u2") * 257).tobytes(), "16-bit RGB", [photo * np.uint16(257)]
        ),
    }


PNM_KINDS = _pnm_kinds()

KINDS: dict[str, dict[str, Kind]] = {
    "jpeg": JPEG_KINDS,
    "gif": GIF_KINDS,
    "webp": WEBP_KINDS,
    "apng": APNG_KINDS,
    "bmp": BMP_KINDS,
    "pnm": PNM_KINDS,
}


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


def by_hand(shape: tuple[int, ...], bits: int, compression: int, photometric: int, data: bytes) -> bytes:
    """A TIFF of one strip, of which each byte is given: kinds that tifffile does not write."""
    height, width, *samples = shape
    count = samples[0] if samples else 1
    tags = {256: width, 257: height, 258: bits, 259: compression, 262: photometric, 273: 0, 277: count, 278: height,
            279: len(data)}  # fmt: skip
    size = 8 + 2 + 12 * len(tags) + 4
    tags[273] = size + 2 * count
    entries = b"".join(
        struct.pack("<HHLHH", tag, 3, count, bits, bits if count == 2 else 0) if tag == 258 and count < 3
        else struct.pack("<HHLL", tag, 3, count, size) if tag == 258 else struct.pack("<HHLL", tag, 4, 1, value)
        for tag, value in tags.items()
    )  # fmt: skip
    head = b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + bytes(4)
    return head + struct.pack("<H", bits) * count + data


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
    deep_inks = _of_type("uint16", 4)
    left = 65535 - deep_inks.astype(np.uint64)
    let_through = ((left[..., :3] * left[..., 3:] + 32767) // 65535).astype(np.uint16)
    add("CMYK of 16 bits", deep_inks, "16-bit CMYK", let_through, photometric="separated")
    for bits in (3, 5, 7, 11, 13):
        few = _of_type("uint16") >> (16 - bits)
        packed = np.packbits(
            ((few[..., np.newaxis] >> np.arange(bits - 1, -1, -1)) & 1).reshape(len(few), -1).astype(np.uint8), axis=1
        ).tobytes()
        wanted = (few * 255 // (2**bits - 1)).astype(np.uint8) if bits < 8 else few
        data = by_hand(few.shape, bits, 1, 1, packed)
        kinds[f"{bits} bits"] = Kind(data, f"{bits}-bit grey", [wanted[..., np.newaxis]])
    smooth = picture(48, 32)
    for number, name, data in (
        (50001, "WebP", imagecodecs.webp_encode(smooth, lossless=True)),
        (34712, "JPEG 2000", imagecodecs.jpeg2k_encode(smooth, reversible=True, codecformat="j2k", mct=False)),
    ):
        kinds[name] = Kind(by_hand(smooth.shape, 8, number, 2, bytes(data)), "8-bit RGB", [smooth])
    for number, name, data in (
        (34712, "JPEG 2000 of 16 bits", imagecodecs.jpeg2k_encode(deep, reversible=True, codecformat="j2k")),
        (7, "lossless JPEG of 16 bits", imagecodecs.jpeg8_encode(deep, bitspersample=16, lossless=True)),
    ):
        kinds[name] = Kind(by_hand(deep.shape, 16, number, 1, bytes(data)), "16-bit grey", [deep[..., np.newaxis]])
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
KINDS["tiff"] = TIFF_KINDS


def _jpeg2000_kinds() -> dict[str, Kind]:
    photo, grey, clear = picture(), picture(channels=1), picture(channels=4)
    deep, low = grey.astype(np.uint16) << 4, grey >> 4

    def packed(pixels: Array, **options: Any) -> bytes:
        flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
        return bytes(imagecodecs.jpeg2k_encode(flat, reversible=True, **options))

    return {
        "RGB": Kind(packed(photo), "8-bit RGB", [photo]),
        "codestream": Kind(packed(photo, codecformat="j2k"), "8-bit RGB", [photo]),
        "grey": Kind(packed(grey), "8-bit grey", [grey]),
        "RGBA": Kind(packed(clear), "8-bit RGBA", [clear]),
        "12 bits": Kind(packed(deep, bitspersample=12), "12-bit grey", [deep]),
        "16 bits": Kind(packed(deep * 16 + 15), "16-bit grey", [deep * 16 + 15]),
        "4 bits": Kind(packed(low, bitspersample=4), "4-bit grey", [low * 17]),
        "from Pillow": Kind(saved(photo, "JPEG2000", irreversible=False), "8-bit RGB", [photo]),
    }


JPEG2000_KINDS = _jpeg2000_kinds()
KINDS["jpeg2000"] = JPEG2000_KINDS


def _without_time(sequence: bytes) -> bytes:
    """The same bytes every time: when it was made stands in three boxes (ISO/IEC 14496-12, 8.2.2, 8.3.2, 8.4.2)."""
    data = bytearray(sequence)
    for box in (b"mvhd", b"tkhd", b"mdhd"):
        at = data.index(box) + len(box)
        size = 16 if data[at] else 8  # by the version of the box
        data[at + 4 : at + 4 + size] = bytes(size)
    return bytes(data)


def _avif_kinds() -> dict[str, Kind]:
    still, clear = saved(picture(), "AVIF", quality=90), saved(picture(channels=4), "AVIF")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = saved(picture(), "AVIF", quality=90, exif=exif)
    sequence = _without_time(_animation(_moving()[:3], "AVIF", quality=90))
    with Image.open(io.BytesIO(sequence)) as image:
        frames = []
        for number in range(3):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGB")))
    return {
        "still": Kind(still, "8-bit RGB", [opened(still)]),
        "transparent": Kind(clear, "8-bit RGBA", [opened(clear)]),
        "turned": Kind(turned, "8-bit RGB", [np.rot90(opened(turned), -1)]),
        "sequence": Kind(sequence, "8-bit RGB", frames),
    }


AVIF_KINDS = _avif_kinds()
KINDS["avif"] = AVIF_KINDS
