"""Scaled by the image or by the whole stack: one rule for what is shown and what a model sees, kept apart."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.base.errors import RangeUnknown
from core.base.workers import Priority
from core.images.pixels import RangeOf
from core.stacks.ranges import StackRange
from core.stacks.stack import ImageStack, prepared_bytes
from core.stacks.store import StackStore
from tests.builders import BROKEN_PNGS, png_bytes
from tests.conftest import MakeStack
from tests.helpers import SECONDS, grey_png
from tests.tiffs import tiff


def halves(left: int, right: int, dtype: str = "uint16") -> np.ndarray:
    """16 x 16 samples of two values beside each other."""
    return np.repeat(np.array([left, right], dtype), 8)[None].repeat(16, axis=0)


FILES = {
    "a.png": png_bytes(halves(2000, 1000)[..., None], 16),
    "b.png": png_bytes(halves(5000, 1000)[..., None], 16),
    "c.png": grey_png(77),
    "d.png": BROKEN_PNGS["wrong checksum of IDAT"],
    "e.tif": tiff(halves(-3, 40, "int16")),
    "f.tif": tiff(halves(-3, 80, "int16")),
}
# Of each readable image: what its left and its right half become by its own range, and by that of the stack.
BY_IMAGE = {0: (255, 0), 1: (255, 0), 2: (77, 77), 4: (0, 255), 5: (0, 255)}
BY_STACK = {0: (64, 0), 1: (255, 0), 2: (77, 77), 4: (0, 132), 5: (0, 255)}


def looked_at(stack: ImageStack) -> ImageStack:
    for index in range(len(stack)):
        stack.prepare(index, Priority.RECOGNIZE, "image").result(SECONDS)
    return stack


@pytest.fixture
def stack(make_stack: MakeStack) -> ImageStack:
    return looked_at(make_stack(FILES))


@pytest.mark.parametrize(("range_of", "wanted"), [("image", BY_IMAGE), ("stack", BY_STACK)])
def test_picture_thumbnail_and_model_input_are_scaled_alike(
    stack: ImageStack, range_of: RangeOf, wanted: dict[int, tuple[int, int]]
) -> None:
    made = stack.inputs(range_of=range_of)
    model_input = np.empty(made.shape, np.uint8)
    for index, (left, right) in wanted.items():
        picture = np.asarray(Image.open(io.BytesIO(stack.picture(index, range_of).content)).convert("RGB"))
        assert (picture[0, 0, 0], picture[0, -1, 0]) == (left, right)
        thumbnail = np.asarray(Image.open(io.BytesIO(stack.thumbnail(index, range_of))).convert("L")).astype(int)
        assert abs(thumbnail[0, 0] - left) < 4
        made.prepare(index, Priority.RECOGNIZE).result(SECONDS)
        made.read(index, model_input)
        assert (model_input[0, 0, 0], model_input[0, -1, 0]) == (left, right)


def test_without_a_choice_it_is_the_image_and_a_choice_holds_for_all_that_is_asked_later(stack: ImageStack) -> None:
    before = stack.inputs()
    assert stack.rgb(0)[0, 0, 0] == 255
    stack.choose_range("stack")
    assert stack.rgb(0)[0, 0, 0] == 64
    assert [stack.inputs().scaled_by(index) for index in (0, 2, 4)] == ["stack", None, "stack"]
    assert before.scaled_by(0) == "image", "what was begun by the other choice ends by it"
    stack.choose_range("image")
    assert stack.rgb(0)[0, 0, 0] == 255


def test_it_is_not_known_before_every_image_was_looked_at(make_stack: MakeStack) -> None:
    stack = make_stack({"a.png": FILES["a.png"]})
    fresh = StackRange(2)
    fresh.expect(0)
    fresh.expect(1)
    fresh.add(0, np.dtype(np.uint16), 5, 9)
    assert (fresh.is_known, fresh.awaited) == (False, [1])
    with pytest.raises(RangeUnknown, match="1 of 2 images were not looked at yet"):
        fresh.of(np.dtype(np.uint16))
    fresh.leave_out(1)
    fresh.leave_out(1)  # said twice, it counts once
    assert fresh.of(np.dtype(np.uint16)) == (5, 9)
    assert looked_at(stack).range.of(np.dtype(np.uint16)) == (1000, 2000)


def test_images_of_another_type_and_broken_ones_have_no_part_in_it(stack: ImageStack) -> None:
    assert stack.range.images == 4
    assert stack.range.of(np.dtype(np.uint16)) == (1000, 5000), "neither the signed ones nor those of 8 bits"
    assert stack.range.of(np.dtype(np.int16)) == (-3, 80)
    assert stack.error(3) is not None


def test_what_the_choice_does_not_change_is_made_once(make_stack: MakeStack) -> None:
    stack = looked_at(make_stack({"a.png": FILES["a.png"], "c.png": FILES["c.png"]}))
    by_image, by_stack = stack.inputs(range_of="image"), stack.inputs(range_of="stack")
    assert by_stack.prepare(1, Priority.INGEST) is by_image.prepare(1, Priority.INGEST)
    assert by_stack.prepare(0, Priority.INGEST) is not by_image.prepare(0, Priority.INGEST)


def test_a_stack_of_photos_has_no_choice_to_make(make_stack: MakeStack) -> None:
    stack = make_stack({"c.png": FILES["c.png"]})
    assert (stack.range.images, stack.range.is_known) == (0, True)
    assert stack.inputs(range_of="stack").scaled_by(0) is None


def test_what_is_kept_for_the_second_choice_counts_like_the_first(store: StackStore, make_stack: MakeStack) -> None:
    stack = looked_at(make_stack({"a.png": FILES["a.png"]}))
    before = store.usage.bytes
    stack.inputs(range_of="stack")
    assert store.usage.bytes - before == prepared_bytes(1)
    stack.inputs(range_of="stack")
    assert store.usage.bytes - before == prepared_bytes(1), "once"
