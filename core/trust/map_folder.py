"""Maps of a whole run, kept in a folder while it goes on."""

from __future__ import annotations

import re
from collections import deque
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
from core.trust.map_pictures import input_png, to_png
from core.trust.maps import maps_of, outputs_for_maps

Form = Literal["png", "overlay"]
_LONGEST_NAME = 80
_UNSAFE = re.compile(r"[^\w.-]+")


class MapFolder:
    """Keeps the map of each image's first class, a file an image, whose name begins with its position, from 1.

    A run is given ``also``. What it makes is written by ``written``, from the thread that runs it: written between two
    inferences, files cost three times as much.
    """

    def __init__(self, stack: ImageStack, model: Model, folder: Path, form: Form = "png") -> None:
        """Make ``folder``. Names of strangers lead nowhere.

        Raises:
            MapsUnavailable: the model's network gives no maps.
            ModelError: its weights are missing or damaged.
            OSError: the folder cannot be made.
        """
        self._stack, self._model, self._folder, self._form = stack, model, folder, form
        self._head = read_head(model)
        self._inputs = stack.inputs(model.preprocessing)
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._waiting_bytes = 0
        self.also = Also(outputs_for_maps(model.stages, self._head.weight.shape[1]), self._take)
        folder.mkdir(parents=True, exist_ok=True)

    def written(self, *, most_waiting: int = 0) -> None:
        """Write what has been made, once it is more than ``most_waiting`` bytes.

        Raises:
            OSError: a file cannot be written.
        """
        if self._waiting_bytes <= most_waiting:
            return
        while self._waiting:
            index, content = self._waiting.popleft()
            self._waiting_bytes -= len(content)
            (self._folder / _file_name(index, self._stack.entries[index].name)).write_bytes(content)

    def _take(self, indices: Sequence[int], found: Mapping[str, NDArray[np.float32]]) -> None:
        for place, index in enumerate(indices):
            logits = found[LOGITS][place]
            first = int(logits.argmax())
            (values,) = maps_of(found, place, self.also.outputs, self._head.weight[first : first + 1])
            label, bias = self._model.card.classes[first], float(self._head.bias[first])
            content = self._draw(index, ClassMap(label, float(logits[first]), bias, values))
            self._waiting.append((index, content))
            self._waiting_bytes += len(content)

    def _draw(self, index: int, found: ClassMap) -> bytes:
        if self._form == "png":
            return to_png(found)
        seen = np.empty(self._inputs.shape, np.uint8)
        self._inputs.read(index, seen)
        return input_png(seen, self._model.preprocessing, found)


def _file_name(index: int, name: str) -> str:
    plain = _UNSAFE.sub("_", name.rpartition("/")[2].rpartition(".")[0])[:_LONGEST_NAME]
    return f"{index + 1:06}-{plain}.png"
