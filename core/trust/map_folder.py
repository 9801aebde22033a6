"""Maps of a whole run, kept in a folder while it goes on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.engines.engine import LOGITS
from core.models.head import read_head
from core.models.model import Model
from core.recognition.recognize import Also
from core.stacks.stack import ImageStack
from core.trust.explain import ClassMap
from core.trust.map_pictures import overlay_png, to_png
from core.trust.maps import maps_of, outputs_for_maps

Form = Literal["png", "overlay"]
_LONGEST_NAME = 80
_UNSAFE = re.compile(r"[^\w.-]+")


def keeping_maps(stack: ImageStack, model: Model, folder: Path, form: Form = "png") -> Also:
    """Have the run over ``stack`` write the map of each image's first class into ``folder``, which is made.

    A file's name begins with the image's position, from 1: names of strangers lead nowhere.

    Raises:
        MapsUnavailable: the model's network gives no maps.
        ModelError: its weights are missing or damaged.
        OSError: the folder cannot be made; the run ends with one where a file cannot be written.
    """
    head = read_head(model)
    names = outputs_for_maps(model.stages, head.weight.shape[1])
    folder.mkdir(parents=True, exist_ok=True)
    inputs = stack.inputs(model.preprocessing)

    def draw(index: int, found: ClassMap) -> bytes:
        if form == "png":
            return to_png(found)
        seen = np.empty(inputs.shape, np.uint8)
        inputs.read(index, seen)
        return overlay_png(seen, found, model.preprocessing)

    def take(indices: Sequence[int], found: Mapping[str, NDArray[np.float32]]) -> None:
        for place, index in enumerate(indices):
            logits = found[LOGITS][place]
            first = int(logits.argmax())
            (values,) = maps_of(found, place, names, head.weight[first : first + 1])
            shown = ClassMap(model.card.classes[first], float(logits[first]), float(head.bias[first]), values)
            (folder / _file_name(index, stack.entries[index].name)).write_bytes(draw(index, shown))

    return Also(names, take)


def _file_name(index: int, name: str) -> str:
    plain = _UNSAFE.sub("_", name.rpartition("/")[2].rpartition(".")[0])[:_LONGEST_NAME]
    return f"{index + 1:06}-{plain}.png"
