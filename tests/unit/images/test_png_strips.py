"""A PNG in strips: the same pixels as at once, the same files refused, and next to no memory."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.errors import ImageError, ImageTooLarge
from core.images.formats.format import FormatInStrips, InMemory, Pixels
from core.images.formats.png import FORMAT, HEADER_BYTES, decode, strip
from tests.builders import BROKEN_PNGS, PNG_KINDS, PngKind, chunk, photo_png, png_bytes, png_of_kind

MAX_PIXELS = 100_000_000


def in_strips(data: bytes, strip_pixels: int) -> Pixels:
    strips = list(FORMAT.decode_strips(InMemory(data), max_pixels=MAX_PIXELS, strip_pixels=strip_pixels))
    assert all(len(one) == 1 or one.shape[0] * one.shape[1] <= strip_pixels for one in strips)
    return np.concatenate(strips)


def browser_pieces(data: bytes) -> bytes:
    return b"".join(FORMAT.pieces_for_browser(InMemory(data)))


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_png_is_a_format_in_strips() -> None:
    assert isinstance(FORMAT, FormatInStrips)


@given(
    kind=st.sampled_from(PNG_KINDS),
    width=st.integers(1, 30),
    height=st.integers(1, 30),
    strip_pixels=st.integers(1, 400),
    seed=st.integers(0, 99),
)
@settings(max_examples=150, deadline=None)
def test_strips_together_are_the_image(kind: PngKind, width: int, height: int, strip_pixels: int, seed: int) -> None:
    data = png_of_kind(kind, width, height, seed)
    whole = decode(data, max_pixels=MAX_PIXELS)
    strips = in_strips(data, strip_pixels)
    assert strips.dtype == whole.dtype
    np.testing.assert_array_equal(strips, whole)


@pytest.mark.parametrize("kind", PNG_KINDS, ids=str)
def test_what_browsers_are_sent_has_the_same_pixels_and_nothing_else(kind: PngKind) -> None:
    data = png_of_kind(kind)
    decorated = data[:HEADER_BYTES] + chunk(b"gAMA", bytes(4)) + data[HEADER_BYTES:]
    sent = browser_pieces(decorated)
    assert b"gAMA" not in sent
    np.testing.assert_array_equal(decode(sent, max_pixels=MAX_PIXELS), decode(data, max_pixels=MAX_PIXELS))


@pytest.mark.parametrize("fault", BROKEN_PNGS)
@pytest.mark.parametrize("strip_pixels", [1, 1000])
def test_broken_files_are_refused_in_strips_too(fault: str, strip_pixels: int) -> None:
    with pytest.raises(ImageError):
        in_strips(BROKEN_PNGS[fault], strip_pixels)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_are_refused_or_the_same_image(data: st.DataObject) -> None:
    damaged = bytearray(png_of_kind(data.draw(st.sampled_from(PNG_KINDS))))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, 2 * len(damaged)))])
    for whole_way, way in (
        (lambda: decode(cut, max_pixels=MAX_PIXELS).tobytes(), lambda: in_strips(cut, 20).tobytes()),
        (
            lambda: decode(strip(cut), max_pixels=MAX_PIXELS).tobytes(),
            lambda: in_strips(browser_pieces(cut), 20).tobytes(),
        ),
    ):
        try:
            wanted = whole_way()
        except ImageError:
            with pytest.raises(ImageError):
                way()
        else:
            assert way() == wanted


def test_too_many_pixels_are_refused_by_the_header() -> None:
    with pytest.raises(ImageTooLarge):
        next(FORMAT.decode_strips(InMemory(photo_png(10, 20)), max_pixels=199, strip_pixels=50))


def test_image_data_beyond_what_the_header_calls_for_is_refused_and_not_unfolded() -> None:
    header = photo_png(4, 4)[:HEADER_BYTES]
    packed = zlib.compress(bytes(50_000_000))
    data = header + chunk(b"IDAT", packed) + chunk(b"IEND")

    def read() -> None:
        with pytest.raises(ImageError):
            in_strips(data, 1000)

    assert peak_of(read) < 2_000_000


def test_a_large_image_takes_the_memory_of_a_strip() -> None:
    black = png_bytes(np.zeros((2000, 2000, 4), np.uint16), 16)  # 32 MB of samples
    shapes = set()

    def read() -> None:
        shapes.update(
            one.shape for one in FORMAT.decode_strips(InMemory(black), max_pixels=MAX_PIXELS, strip_pixels=100_000)
        )

    assert peak_of(read) < 8_000_000
    assert shapes == {(50, 2000, 4)}


def test_an_interlaced_one_is_held_once_and_says_so() -> None:
    black = png_bytes(np.zeros((1000, 1000, 4), np.uint16), 16, interlace=True)
    (header,) = FORMAT.read_headers(InMemory(black))
    whole = FORMAT.strip_bytes(header)
    assert whole == 8_000_000

    def read() -> None:
        for _ in FORMAT.decode_strips(InMemory(black), max_pixels=MAX_PIXELS, strip_pixels=10_000):
            pass

    assert whole < peak_of(read) < 1.3 * whole


@pytest.mark.parametrize("kind", [kind for kind in PNG_KINDS if kind.interlaced], ids=str)
def test_the_memory_an_interlaced_image_says_it_takes_is_what_its_samples_take(kind: PngKind) -> None:
    data = png_of_kind(kind)
    (header,) = FORMAT.read_headers(InMemory(data))
    assert FORMAT.strip_bytes(header) >= decode(data, max_pixels=MAX_PIXELS).nbytes
