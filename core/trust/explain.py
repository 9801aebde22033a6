"""Where a network looked in one image of a stack: made when somebody asks, so that recognition pays nothing for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from core.base.errors import InvalidRequest, MapsUnavailable
from core.base.workers import Priority
from core.engines.engine import LOGITS, Engine, EngineName
from core.engines.registry import engine_label
from core.images.pixels import Box, RangeOf, crop_box
from core.models.head import LinearHead, read_head
from core.models.model import Model
from core.recognition.classifier import Classifier
from core.recognition.fair_queue import FairQueue, Lane
from core.recognition.recognize import wait_for
from core.recognition.results import ClassScore
from core.stacks.stack import ImageStack
from core.trust.maps import Maps, maps_of, outputs_for_maps

MOST_KEPT = 64  # images whose best classes' maps are kept, of all stacks: 5 MB, and the next class needs no new look


@dataclass(frozen=True, slots=True)
class ClassMap:
    """How much each place of the image speaks for a class.

    Attributes:
        label: the class.
        logit: what the engine really answered.
        bias: what the class gets whatever the image shows.
        values: float32 ``[rows, columns]``, in logits, over ``Explanation.seen``.
    """

    label: str
    logit: float
    bias: float
    values: NDArray[np.float32]

    @property
    def rounding(self) -> float:
        """What the logit is beside the map's mean and the bias: nothing, but for the INT8 last layer's rounding."""
        return self.logit - self.bias - float(self.values.mean(dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where one engine of a model looked in one image.

    Attributes:
        engine, precision, model: what looked.
        best: its best classes, best first.
        maps: of ``best``, and of the class that was asked for.
        seen: the part of the image that the model saw, in pixels; the maps cover exactly this.
        inputs: that part as the model saw it, uint8 ``[H, W, 3]``, channels in the model's order.
    """

    engine: EngineName
    precision: str
    model: str
    best: tuple[ClassScore, ...]
    maps: Mapping[str, ClassMap]
    seen: Box
    inputs: NDArray[np.uint8]


_Key = tuple[str, int, str, EngineName, RangeOf]


class Explainer:
    """Looks at single images, in turns like every recognition. One per process; safe to use from any thread."""

    def __init__(self, queue: FairQueue, most_kept: int = MOST_KEPT) -> None:
        self._queue = queue
        self._most_kept = most_kept
        self._kept: OrderedDict[_Key, Explanation] = OrderedDict()
        self._ready: WeakSet[Engine] = WeakSet()  # those that have been asked for their maps
        self._lock = threading.Lock()

    def explain(
        self,
        stack: ImageStack,
        index: int,
        model: Model,
        engine: EngineName,
        *,
        label: str | None = None,
        client: str = "",
        cancelled: Event | None = None,
    ) -> Explanation:
        """Wait for a turn, blocking the calling thread, and look at one image.

        Args:
            stack, index: the image.
            model, engine: what looks.
            label: a class whose map is wanted beside those of the best ones.
            client: whose turn it uses.
            cancelled: set it from another thread to stop waiting.

        Raises:
            ImageNotFound, ImageError: there is no such image, or it cannot be read.
            InvalidRequest: the model does not know the class.
            MapsUnavailable, ModelError, EngineUnavailable: the engine cannot be loaded, or gives no maps.
            Busy, TooManyRequests: no room in the queue.
            Cancelled: ``cancelled`` was set.
        """
        stack.check(index)
        if label is not None and label not in model.card.classes:
            raise InvalidRequest(f"The model {model.card.name} knows no class {label!r}.")
        key = (stack.id, index, model.checksum, engine, stack.range_of)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and (label is None or label in kept.maps):
                self._kept.move_to_end(key)
                return kept
        cancelled = cancelled or Event()
        head = read_head(model)
        names = outputs_for_maps(model.stages, head.weight.shape[1])
        classifier = self._load(stack, model, engine, names, client, cancelled)
        inputs = _model_input(stack, index, model, cancelled)
        with self._queue.turn(client, stack.id, cancelled):
            found = classifier.engine.infer(inputs[None], _asked(classifier, names))
        (answer,) = classifier.answers(found)
        best = answer.top
        header = stack.entries[index].header
        made = Explanation(
            classifier.engine.name,
            classifier.engine.precision,
            model.card.name,
            best,
            _maps(found, names, head, model.card.classes, [score.label for score in best]),
            crop_box((header.width, header.height), model.preprocessing),
            inputs,
        )
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)
        if label is None or label in made.maps:
            return made
        others = _maps(found, names, head, model.card.classes, [label])
        return Explanation(
            made.engine, made.precision, made.model, best, {**made.maps, **others}, made.seen, made.inputs
        )

    def _load(
        self, stack: ImageStack, model: Model, engine: EngineName, names: tuple[str, ...], client: str, cancelled: Event
    ) -> Classifier:
        """The engine, with these outputs compiled: what takes seconds the first time holds no turn of others."""
        if not model.is_loaded(engine) or model.engine(engine) not in self._ready:
            lane: Lane = "heavy" if model.is_heavy(engine) and not model.is_loaded(engine) else "loading"
            with self._queue.turn(client, stack.id, cancelled, lane=lane):
                loaded = model.engine(engine)
                if not set(names) <= set(loaded.outputs):
                    raise MapsUnavailable(f"{engine_label(engine)} gives no maps for this model.")
                asked = _asked(Classifier(model, engine), names)
                loaded.infer(np.zeros((1, *loaded.input_shape), np.uint8), asked)
                self._ready.add(loaded)
        return Classifier(model, engine)


def _asked(classifier: Classifier, names: tuple[str, ...]) -> tuple[str, ...]:
    """Outputs for the maps and for the answer beside them."""
    return tuple(dict.fromkeys((*classifier.outputs, *names)))


def _model_input(stack: ImageStack, index: int, model: Model, cancelled: Event) -> NDArray[np.uint8]:
    kept = stack.inputs(model.preprocessing)
    wait_for(kept.prepare(index, Priority.VISIBLE), lambda: None, cancelled)
    stack.check_readable(index)
    inputs = np.empty(kept.shape, np.uint8)
    kept.read(index, inputs)
    return inputs


def _maps(
    found: Mapping[str, NDArray[np.float32]],
    names: tuple[str, ...],
    head: LinearHead,
    classes: tuple[str, ...],
    labels: list[str],
) -> dict[str, ClassMap]:
    places = [classes.index(label) for label in labels]
    values: Maps = maps_of(found, 0, names, head.weight[places])
    return {
        label: ClassMap(label, float(found[LOGITS][0, place]), float(head.bias[place]), values[number])
        for number, (label, place) in enumerate(zip(labels, places, strict=True))
    }
