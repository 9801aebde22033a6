from __future__ import annotations

import gc
import logging
import sys
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ImageError, ImageTooLarge
from core.png import HEADER_BYTES, MAX_SIDE, PngHeader, check_size, decode, read_header
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
    check_size(PngHeader(100, 100, 8, 2, interlaced=False), 10_000)
    assert decode(data, max_pixels=200).shape == (10, 20, 3)
    with pytest.raises(ImageTooLarge):
        decode(data, max_pixels=199)


def test_chunks_that_no_pixel_needs_are_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """A damaged profile, a text that unfolds to 64 MB, an animation: the picture is the same, and nothing is logged."""
    plain = png_of_kind(PngKind("RGB", 8, interlaced=True))
    text = b"key\0\0" + zlib.compress(bytes(64 * 1024 * 1024))
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
