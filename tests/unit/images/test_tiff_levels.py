"""Smaller copies in a TIFF: the nearest one is read where it is enough, and nothing else is taken for one."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile

from core.base.workers import Priority
from core.images.formats.format import InMemory, decoded_header
from core.images.formats.tiff import FORMAT
from core.images.memory import preparing_bytes
from tests.conftest import MakeStack
from tests.helpers import SECONDS

MAX_PIXELS = 4_000_000
Levels = list[np.ndarray]


def levels_of(whole: np.ndarray, count: int = 3) -> Levels:
    """``whole``, and copies of half the size of the one before, each pixel the mean of four."""
    found = [whole]
    for _ in range(count - 1):
        last = found[-1]
        height, width = last.shape[0] // 2 * 2, last.shape[1] // 2 * 2
        cut = last[:height, :width].astype(np.float64)
        mean = (cut[::2, ::2] + cut[1::2, ::2] + cut[::2, 1::2] + cut[1::2, 1::2]) / 4
        found.append(mean.astype(whole.dtype))
    return found


def written(levels: Levels, *, inside: bool, pages: int = 1, **options: Any) -> bytes:
    """A file of ``pages`` such pages, whose copies are named by each (``inside``) or follow it."""
    with io.BytesIO() as buffer:
        with tifffile.TiffWriter(buffer) as writer:
            for _ in range(pages):
                writer.write(levels[0], subifds=len(levels) - 1 if inside else 0, metadata=None, **options)
                for level in levels[1:]:
                    writer.write(level, subfiletype=1, metadata=None, **options)
        return buffer.getvalue()


def noise(height: int, width: int, channels: int, dtype: str) -> np.ndarray:
    shape = (height, width, channels)[: 2 if channels == 1 else 3]
    return np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype)


KINDS: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    "grey": (noise(128, 192, 1, "uint8"), {}),
    "16 bits, sides that do not divide": (noise(101, 203, 1, "uint16"), {"compression": "zlib"}),
    "colour in tiles": (noise(128, 192, 3, "uint8"), {"tile": (32, 32), "photometric": "rgb"}),
    "colour, JPEG": (noise(128, 192, 3, "uint8"), {"tile": (64, 64), "compression": "jpeg", "photometric": "rgb"}),
}  # fmt: skip


@pytest.mark.parametrize("inside", [True, False], ids=["named by the page", "after the page"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_nearest_that_is_large_enough_is_read_as_tifffile_reads_it(kind: str, inside: bool) -> None:
    whole, options = KINDS[kind]
    data = written(levels_of(whole), inside=inside, **options)
    with tifffile.TiffFile(io.BytesIO(data)) as judge:
        pages = [judge.pages[0], *judge.pages[0].pages] if inside else list(judge.pages)
        wanted = [page.asarray().reshape(*page.asarray().shape[:2], -1) for page in pages]
    file = InMemory(data)
    (header,) = FORMAT.read_headers(file)
    assert (header.height, header.width) == whole.shape[:2], "copies are no frames"
    for number, level in enumerate(wanted):
        height, width = level.shape[:2]
        at_least = (width, height)
        found = FORMAT.decode(file, max_pixels=MAX_PIXELS, at_least=at_least)
        np.testing.assert_array_equal(found, level)
        assert (decoded_header(FORMAT, header, at_least).height, decoded_header(FORMAT, header, at_least).width) == (
            height,
            width,
        )
        if number:
            one_more = FORMAT.decode(file, max_pixels=MAX_PIXELS, at_least=(width + 1, height))
            np.testing.assert_array_equal(one_more, wanted[number - 1], "never smaller than is enough")
    np.testing.assert_array_equal(FORMAT.decode(file, max_pixels=MAX_PIXELS), wanted[0], "without it, the full size")


@pytest.mark.parametrize("inside", [True, False], ids=["named by the page", "after the page"])
def test_of_several_pages_each_has_its_own_copies(inside: bool) -> None:
    data = written(levels_of(KINDS["grey"][0]), inside=inside, pages=3)
    file = InMemory(data)
    headers = list(FORMAT.read_headers(file))
    assert [(one.label, one.width) for one in headers] == [(f"page {number}", 192) for number in (1, 2, 3)]
    fresh = InMemory(data)  # found again for a file that nobody has looked at lately
    for frame in range(3):
        assert FORMAT.decode(fresh, frame, max_pixels=MAX_PIXELS, at_least=(90, 60)).shape == (64, 96, 1)


def test_only_the_part_of_the_copy_is_read() -> None:
    class Counting(InMemory):
        count = 0

        def read(self, start: int = 0, count: int | None = None) -> bytes:
            found = super().read(start, count)
            self.count += len(found)
            return found

    file = Counting(written(levels_of(noise(1024, 1024, 1, "uint8"), 5), inside=True))
    (header,) = FORMAT.read_headers(file)
    file.count = 0
    assert FORMAT.decode(file, max_pixels=MAX_PIXELS, at_least=(64, 64)).shape == (64, 64, 1)
    assert file.count < 20_000
    assert preparing_bytes(FORMAT, header, 2**30, (64, 64)) < 300_000, "memory goes by the copy, too"


@pytest.mark.parametrize(
    "other",
    [
        noise(64, 64, 1, "uint8"),
        noise(40, 60, 1, "uint8"),
        noise(64, 96, 3, "uint8"),
        noise(64, 96, 1, "uint16"),
        noise(256, 384, 1, "uint8"),
    ],
    ids=["another shape", "no whole number of times", "colour", "16 bits", "larger"],
)
@pytest.mark.parametrize("inside", [True, False], ids=["named by the page", "after the page"])
def test_what_is_no_copy_is_not_taken_for_one(other: np.ndarray, inside: bool) -> None:
    whole = KINDS["grey"][0]
    file = InMemory(written([whole, other], inside=inside))
    (header,) = FORMAT.read_headers(file)
    assert decoded_header(FORMAT, header, (1, 1)).width == 192
    np.testing.assert_array_equal(FORMAT.decode(file, max_pixels=MAX_PIXELS, at_least=(1, 1))[..., 0], whole)


def test_copies_without_end_are_not_all_read() -> None:
    whole = KINDS["grey"][0]
    for inside in (True, False):
        file = InMemory(written([whole, *[whole[::2, ::2]] * 40, whole[::4, ::4]], inside=inside))
        (header,) = FORMAT.read_headers(file)
        assert decoded_header(FORMAT, header, (1, 1)).width == 96, "the last one is not among the first sixteen"


def test_a_copy_that_leads_nowhere_is_left_out() -> None:
    whole = KINDS["grey"][0]
    data = bytearray(written(levels_of(whole, 2), inside=True))
    with tifffile.TiffFile(io.BytesIO(data)) as judge:
        tag = judge.pages[0].tags["SubIFDs"]
        data[tag.valueoffset : tag.valueoffset + 4] = (2**31).to_bytes(4, "little")
    file = InMemory(bytes(data))
    (header,) = FORMAT.read_headers(file)
    assert decoded_header(FORMAT, header, (1, 1)).width == 192
    np.testing.assert_array_equal(FORMAT.decode(file, max_pixels=MAX_PIXELS, at_least=(1, 1))[..., 0], whole)


def test_a_model_sees_the_copy_and_the_range_of_values_is_that_of_the_whole(make_stack: MakeStack) -> None:
    levels = [noise(side, side, 1, "uint8") // 64 + base for side, base in ((2048, 100), (1024, 200), (512, 50))]
    deep = (np.arange(2048 * 2048, dtype=np.uint32).reshape(2048, 2048) % 60000).astype(np.uint16)
    deep[0, 0] = 65535  # not in any copy
    stack = make_stack(
        {
            "a.tif": written(levels, inside=True),
            "b.tif": written([deep, np.full((1024, 1024), 7, np.uint16)], inside=True),
        }
    )
    made = stack.inputs()
    found = np.empty((2, *made.shape), np.uint8)
    for index in range(2):
        made.prepare(index, Priority.RECOGNIZE).result(SECONDS)
        made.read(index, found[index])
    assert 50 <= found[0].min() <= found[0].max() <= 53, "the nearest is enough for 256 pixels"
    assert 100 <= stack.rgb(0).min() <= stack.rgb(0).max() <= 103, "what is shown is the whole"
    assert stack.range.of(np.dtype(np.uint16)) == (0, 65535)
    assert found[1].min() < found[1].max(), "made of the whole: by its own range the copy would be another picture"
