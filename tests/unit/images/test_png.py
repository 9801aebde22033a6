from __future__ import annotations

import gc
import io
import logging
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.base.errors import ImageError, ImageTooLarge
from core.base.settings import MIB
from core.images.display import to_picture
from core.images.formats.format import MAX_SIDE, check_size
from core.images.formats.png import (
    HEADER_BYTES,
    MAX_CHUNKS,
    PngHeader,
    decode,
    read_header,
    strip,
)
from tests.builders import (
    BROKEN_PNGS,
    PNG_KINDS,
    PngKind,
    assemble_png,
    chunk,
    header_chunk,
    photo_png,
    png_bytes,
    png_of_kind,
    read_samples,
)

MAX_PIXELS = 1_000_000


@cache
def much_of_nothing() -> bytes:
    """64 MiB of zeros, packed."""
    return zlib.compress(bytes(64 * MIB), 9)


def assert_equals_pypng(data: bytes, kind: PngKind) -> None:
    samples, maximum = read_samples(data)
    pixels = decode(data, max_pixels=MAX_PIXELS)
    assert pixels.dtype == (np.uint16 if kind.bit_depth == 16 else np.uint8)
    np.testing.assert_array_equal(pixels, samples * (255 // maximum) if maximum < 255 else samples)


@pytest.mark.parametrize("kind", PNG_KINDS, ids=str)
def test_every_kind_decodes_exactly(kind: PngKind) -> None:
    assert_equals_pypng(png_of_kind(kind), kind)


@given(kind=st.sampled_from(PNG_KINDS), width=st.integers(1, 20), height=st.integers(1, 20), seed=st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_every_size_decodes_exactly(kind: PngKind, width: int, height: int, seed: int) -> None:
    assert_equals_pypng(png_of_kind(kind, width, height, seed), kind)


@pytest.mark.parametrize("kind", PNG_KINDS, ids=str)
def test_header_of_every_kind(kind: PngKind) -> None:
    header = read_header(png_of_kind(kind, 7, 3)[:HEADER_BYTES])
    assert (header.width, header.height, header.interlaced) == (7, 3, kind.interlaced)
    assert header.description == f"{kind.bit_depth}-bit {kind.mode}"


@pytest.mark.parametrize("fault", BROKEN_PNGS)
def test_broken_file_is_an_error_and_never_pixels(fault: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode(BROKEN_PNGS[fault], max_pixels=MAX_PIXELS)
    assert caught.value.code == "image_invalid"


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_give_an_error_or_a_whole_image(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(PNG_KINDS))
    damaged = bytearray(png_of_kind(kind))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, 2 * len(damaged)))]
    try:
        pixels = decode(bytes(damaged), max_pixels=MAX_PIXELS)
    except ImageError:
        return
    header = read_header(bytes(damaged))
    assert pixels.shape[:2] == (header.height, header.width)


@given(rows=st.binary(max_size=200), color_type=st.sampled_from([0, 2, 3, 4, 6]), interlace=st.booleans())
@settings(max_examples=100, deadline=None)
def test_well_packed_nonsense_gives_an_error_or_a_whole_image(rows: bytes, color_type: int, interlace: bool) -> None:
    header = header_chunk(5, 4, 8, color_type, 0, 0, int(interlace))
    palette = chunk(b"PLTE", b"abcdef")
    data = assemble_png(header, palette, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND"))
    try:
        pixels = decode(data, max_pixels=MAX_PIXELS)
    except ImageError:
        return
    assert pixels.shape[:2] == (4, 5)


def test_broken_files_leak_nothing() -> None:
    """imagecodecs' own error path loses the image each time, and a reference to ``None``."""
    broken = assemble_png(header_chunk(300, 300), chunk(b"IDAT", zlib.compress(bytes(901 * 299))), chunk(b"IEND"))
    gc.collect()
    gc.disable()  # what other tests left behind refers to None as well, and must not go in between
    try:
        references = sys.getrefcount(None)
        tracemalloc.start()
        for _ in range(200):
            with pytest.raises(ImageError):
                decode(broken, max_pixels=MAX_PIXELS)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert grown < 300 * 300 * 3
        assert sys.getrefcount(None) > references - 100
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("width", "height", "max_pixels"),
    [(101, 100, 10_000), (MAX_SIDE + 1, 1, 10_000_000), (1, MAX_SIDE + 1, 10_000_000), (2**31 - 1, 2**31 - 1, 10**8)],
)
def test_large_image_is_refused_by_its_header_alone(width: int, height: int, max_pixels: int) -> None:
    header_only = assemble_png(header_chunk(width, height))
    with pytest.raises(ImageTooLarge, match=f"{width} x {height}"):
        decode(header_only, max_pixels=max_pixels)


def test_image_of_exactly_the_limit_is_read() -> None:
    data = photo_png(20, 10)
    check_size(PngHeader(100, 100, 8, "RGB"), 10_000)
    assert decode(data, max_pixels=200).shape == (10, 20, 3)
    with pytest.raises(ImageTooLarge):
        decode(data, max_pixels=199)


def test_chunks_that_no_pixel_needs_are_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """A damaged profile, a text that unfolds to 64 MB, an animation: the picture is the same, and nothing is logged."""
    plain = png_of_kind(PngKind("RGB", 8, interlaced=True))
    text = b"key\0\0" + much_of_nothing()
    extras = [
        chunk(b"iCCP", b"bad\0\0nonsense"),
        chunk(b"zTXt", text),
        chunk(b"acTL", bytes(8)),
        chunk(b"gAMA", b"", 1),
    ]
    decorated = plain[:HEADER_BYTES] + b"".join(extras) + plain[HEADER_BYTES:] + b"bytes after the end"
    with caplog.at_level(logging.WARNING):
        pixels = decode(decorated, max_pixels=MAX_PIXELS)
    np.testing.assert_array_equal(pixels, read_samples(plain)[0])
    assert not caplog.records


def test_gamma_does_not_change_values() -> None:
    plain = png_bytes(np.arange(12).reshape(2, 2, 3))
    with_gamma = plain[:HEADER_BYTES] + chunk(b"gAMA", (10_000).to_bytes(4, "big")) + plain[HEADER_BYTES:]
    np.testing.assert_array_equal(decode(with_gamma, max_pixels=9), np.arange(12).reshape(2, 2, 3))


def test_sixteen_bits_are_read_most_significant_byte_first() -> None:
    data = png_bytes(np.array([[[0x0102], [0xFF00]]]), bit_depth=16)
    assert decode(data, max_pixels=9).ravel().tolist() == [0x0102, 0xFF00]


def test_threads_decode_side_by_side() -> None:
    files = [png_of_kind(kind, 30, 20, seed) for seed, kind in enumerate(PNG_KINDS)]
    expected = [decode(data, max_pixels=MAX_PIXELS) for data in files]
    with ThreadPoolExecutor(8) as pool:
        decoded = list(pool.map(lambda data: decode(data, max_pixels=MAX_PIXELS), files * 4))
    for pixels, wanted in zip(decoded, expected * 4, strict=True):
        np.testing.assert_array_equal(pixels, wanted)


# Files that lie, and files made to cost more than they are


LIARS = {
    "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(200),
    "GIF": b"GIF89a\1\0\1\0\0\0\0;" + bytes(50),
    "BMP": b"BM" + bytes(200),
    "TIFF": b"II*\0" + bytes(200),
    "WebP": b"RIFF\x50\0\0\0WEBPVP8 " + bytes(80),
    "ZIP": b"PK\3\4" + bytes(200),
    "HTML": b"<!DOCTYPE html><script>alert(1)</script>" + bytes(50),
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "program": b"\x7fELF" + bytes(200),
    "PNG after other bytes": b"\n" + photo_png(),
    "PNG that lost its 8th bit": bytes(byte & 0x7F for byte in photo_png()),
    "JNG": b"\x8bJNG\r\n\x1a\n" + bytes(100),
}


@pytest.mark.parametrize("kind", LIARS)
def test_a_file_that_lies_about_its_type_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is, no other reader gets to see it."""
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("Pillow guesses what a file is"))
    for read in (lambda: decode(LIARS[kind], max_pixels=MAX_PIXELS), lambda: strip(LIARS[kind])):
        with pytest.raises(ImageError, match="not a PNG image") as caught:
            read()
        assert caught.value.code == "image_invalid"


def animation() -> tuple[bytes, np.ndarray]:
    """An APNG of three frames of noise, and its first one."""
    frames = np.random.default_rng(3).integers(0, 256, (3, 6, 7, 3), dtype=np.uint8)
    first, *rest = (Image.fromarray(frame) for frame in frames)
    buffer = io.BytesIO()
    first.save(buffer, "PNG", save_all=True, append_images=rest, duration=20)
    assert Image.open(buffer).n_frames == 3
    return buffer.getvalue(), frames[0]


def test_an_animation_shows_its_first_frame() -> None:
    data, first = animation()
    np.testing.assert_array_equal(decode(data, max_pixels=MAX_PIXELS), first)


def test_a_stripped_animation_stands_still() -> None:
    """A browser would play it."""
    data, first = animation()
    with Image.open(io.BytesIO(strip(data))) as image:
        assert getattr(image, "n_frames", 1) == 1
        np.testing.assert_array_equal(np.asarray(image), first)


def test_a_stripped_image_says_nothing_but_its_pixels() -> None:
    """A browser would turn the image, change its colours, or pass on what its text says."""
    extras = [
        chunk(b"gAMA", (10_000).to_bytes(4, "big")),
        chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"),
        chunk(b"tEXt", b"Comment\0secret"),
        chunk(b"iCCP", b"name\0\0" + zlib.compress(b"profile")),
    ]
    plain = photo_png()
    decorated = plain[:HEADER_BYTES] + b"".join(extras) + plain[HEADER_BYTES:] + b"<script>"
    stripped = strip(decorated)
    assert strip(plain) == stripped
    with Image.open(io.BytesIO(stripped)) as image:
        assert not image.info
        assert not image.getexif()


@pytest.mark.parametrize(
    "fault", ["wrong checksum of IDAT", "cut off in the data", "zero width", "second header", "text"]
)
def test_a_broken_file_is_not_stripped(fault: str) -> None:
    with pytest.raises(ImageError):
        strip(BROKEN_PNGS[fault])


def peak_of(function: Callable[[], object]) -> int:
    """The most bytes that Python and NumPy held at once while the function ran, beyond those before."""
    gc.collect()
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("kind", "before"),
    [(b"zTXt", b"key\0\0"), (b"iTXt", b"key\0\1\0\0\0"), (b"iCCP", b"name\0\0"), (b"fdAT", bytes(4)), (b"prIv", b"")],
)
def test_compressed_chunks_that_no_pixel_needs_are_not_unfolded(kind: bytes, before: bytes) -> None:
    plain = photo_png()
    bomb = chunk(kind, before + much_of_nothing())
    data = plain[:HEADER_BYTES] + 10 * bomb + plain[HEADER_BYTES:]
    assert len(data) < MIB
    for read in (lambda: decode(data, max_pixels=MAX_PIXELS), lambda: strip(data)):
        assert peak_of(read) < MIB


def test_image_data_beyond_what_the_header_calls_for_is_not_unfolded() -> None:
    data = assemble_png(header_chunk(), chunk(b"IDAT", much_of_nothing()), chunk(b"IEND"))

    def read() -> None:
        with pytest.raises(ImageError):
            decode(data, max_pixels=MAX_PIXELS)

    assert peak_of(read) < MIB


def test_no_memory_is_set_aside_for_pixels_that_cannot_come() -> None:
    """800 MB by its header, 20 bytes of data."""
    header = header_chunk(10_000, 10_000, 16, 6)
    data = assemble_png(header, chunk(b"IDAT", zlib.compress(bytes(500))), chunk(b"IEND"))

    def read() -> None:
        with pytest.raises(ImageError):
            decode(data, max_pixels=100_000_000)

    assert peak_of(read) < MIB


def test_the_most_compressible_image_is_read() -> None:
    """One colour throughout: as near to the highest ratio of deflate as real images come."""
    data = png_bytes(np.zeros((2000, 2000, 3), np.uint8), compression=9)
    assert len(data) < 2000 * 2000 * 3 / 900
    assert not decode(data, max_pixels=4_000_000).any()


def test_decoding_holds_an_image_twice_at_most() -> None:
    """That small files become large images is what PNG is for, so what one of the largest takes is counted."""
    black = np.zeros((1000, 1000, 3), np.uint8)
    data = to_picture(black).content
    assert len(data) < black.nbytes / 50
    assert peak_of(lambda: decode(data, max_pixels=1_000_000)) < 2.1 * black.nbytes


def test_chunks_that_no_pixel_needs_may_be_empty_or_out_of_place() -> None:
    """As in libpng's own ``empty_ancillary_chunks``: they change nothing, so they are no reason to refuse an image."""
    whole = png_of_kind(PngKind("palette", 8, transparency=True))
    head, data = whole[:HEADER_BYTES], whole.index(b"PLTE") - 4
    others = [
        b"bKGD",
        b"cHRM",
        b"eXIf",
        b"gAMA",
        b"hIST",
        b"iCCP",
        b"iTXt",
        b"pHYs",
        b"sBIT",
        b"sRGB",
        b"tIME",
        b"zTXt",
    ]
    empty = b"".join(chunk(kind) for kind in others * 2)
    changed = head + empty + whole[data:-12] + empty + whole[-12:]
    np.testing.assert_array_equal(decode(changed, max_pixels=MAX_PIXELS), decode(whole, max_pixels=MAX_PIXELS))
    assert strip(changed) == strip(whole)
    assert not any(kind in strip(changed) for kind in others)


def test_chunks_without_end_are_refused() -> None:
    """Each takes a step: 256 MiB of empty ones, a megabyte in a ZIP, would keep a core busy for 16 seconds."""
    image = photo_png()
    most = MAX_CHUNKS - 2  # beside IDAT and IEND
    for kind in (b"IDAT", b"tEXt"):
        data = image[:HEADER_BYTES] + most * chunk(kind) + image[HEADER_BYTES:]
        np.testing.assert_array_equal(decode(data, max_pixels=MAX_PIXELS), decode(image, max_pixels=MAX_PIXELS))
        with pytest.raises(ImageError, match="more than 100,000 parts"):
            decode(image[:HEADER_BYTES] + chunk(kind) + data[HEADER_BYTES:], max_pixels=MAX_PIXELS)


def test_a_colour_beyond_the_palette_is_always_the_same() -> None:
    """The specification leaves it open; it must not be what happens to lie in memory."""
    rows = b"\0" + bytes([0, 1, 2, 255])
    data = assemble_png(
        header_chunk(4, 1, 8, 3), chunk(b"PLTE", b"abcdef"), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND")
    )
    for _ in range(20):
        assert decode(data, max_pixels=9).tolist() == [[[97, 98, 99], [100, 101, 102], [0, 0, 0], [0, 0, 0]]]


@pytest.mark.parametrize(("color_type", "bit_depth"), [(0, 1), (0, 2), (0, 4), (0, 8), (2, 8)])
def test_of_a_transparent_colour_the_bits_of_the_image_count(color_type: int, bit_depth: int) -> None:
    """PNG specification, 11.3.1.1: the others must be ignored."""
    samples = 1 if color_type == 0 else 3
    pixels = chunk(b"IDAT", zlib.compress(bytes(1 + samples)))  # one, of value 0
    for transparent, alpha in [(0, 0), (1 << bit_depth, 0), (0xFF00, 0), (1, 255), (0xFF01, 255)]:
        trns = chunk(b"tRNS", samples * transparent.to_bytes(2, "big"))
        data = assemble_png(header_chunk(1, 1, bit_depth, color_type), trns, pixels, chunk(b"IEND"))
        assert decode(data, max_pixels=9)[0, 0, -1] == alpha
