"""How much memory a graph takes for its images, told from their sizes before anything is run."""

from __future__ import annotations

import math
from typing import Any

from core.base.errors import ModelError

MANY = 32  # images, to tell what one more of them takes


def images_within(model: Any, most_bytes: int) -> int:
    """How many images, one at least, such a model may be given at once so that they take ``most_bytes``.

    Raises:
        ModelError: as ``peak_bytes``.
    """
    one, many = peak_bytes(model), peak_bytes(model, MANY)
    each = max((many - one) // (MANY - 1), 1)
    return max(1 + (most_bytes - one) // each, 1)


def peak_bytes(model: Any, images: int = 1) -> int:
    """Bytes of all that an ``ov.Model`` holds at once for a batch of ``images``, computed node by node.

    A plugin needs less where it computes several nodes in one, never much more. Constants do not count.

    Args:
        model: takes one input, of which only the first dimension is open.
        images: of the batch.

    Raises:
        ModelError: how large something becomes depends on what the images show, or no such batch can be run.
    """
    sized = model.clone()
    _, *rest = sized.input(0).partial_shape
    try:
        sized.reshape([images, *rest])
    except RuntimeError as error:
        raise ModelError(f"The model cannot take {images} images at once; export it with a dynamic batch.") from error
    nodes = [node for node in sized.get_ordered_ops() if node.get_type_name() != "Constant"]
    # The place in the order at which each output is read for the last time.
    last = {_key(value): place for place, node in enumerate(nodes) for value in node.input_values()}
    held = peak = 0
    ends: dict[int, int] = {}
    for place, node in enumerate(nodes):
        for output in node.outputs():
            size = _bytes(output)
            held += size
            until = last.get(_key(output), place)
            ends[until] = ends.get(until, 0) + size
        peak = max(peak, held)
        held -= ends.pop(place, 0)
    return peak


def _key(output: Any) -> tuple[str, int]:
    return output.get_node().get_name(), output.get_index()


def _bytes(output: Any) -> int:
    shape = output.get_partial_shape()
    if shape.is_dynamic:
        raise ModelError(
            "How large things become inside the model depends on what images show; only plain graphs can be used."
        )
    return math.prod(map(int, shape.to_shape())) * int(output.get_element_type().size)
