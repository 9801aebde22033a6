"""Recognition as pages and API order it: in turns, one engine after the other, with every answer kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import Literal
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from core.base.errors import DiskFull, QuotaExceeded, StackNotFound, TooManyStacks
from core.base.settings import Settings
from core.engines.engine import FEATURES, EngineName
from core.engines.registry import describe
from core.images.pixels import RangeOf
from core.models.model import Model
from core.recognition.classifier import Classifier
from core.recognition.fair_queue import FairQueue, Lane, Turn
from core.recognition.features import StackFeatures
from core.recognition.recognize import Also, check_cancelled, find_range, recognize_with, wait_for
from core.recognition.results import Prediction, Recognition
from core.recognition.run_log import log_recognition
from core.recognition.stack_results import StackResults
from core.stacks.stack import ImageStack

NO_ROOM = (QuotaExceeded, TooManyStacks, DiskFull, StackNotFound)  # for features, which answers can do without
Activity = Literal["waiting", "ranging", "decoding", "loading", "recognizing"]
Door = Literal["page", "api"]
Purpose = Literal["answers", "features", "mirrored features"]


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants recognised.

    Attributes:
        engines: run one after the other, over the same images.
        client: whose turn it uses.
        batch_size: images per inference call; 0 is automatic.
        purpose: what is kept. Answers come with features where the default engine gives them and there is room for
            them; who wants features gets them or an error, and no answers: those of a mirror image are not the image's.
        range_of: what values are scaled by; None is what is chosen for the stack when the run begins.
    """

    stack: ImageStack
    indices: Sequence[int]
    model: Model
    engines: tuple[EngineName, ...]
    client: str = ""
    batch_size: int = 0
    purpose: Purpose = "answers"
    range_of: RangeOf | None = None


class Watcher:
    """Is told what an order's run does, in the thread that runs it; this one looks away."""

    def entered(self, activity: Activity, engine: EngineName) -> None:
        """A new activity has begun, for ``engine``."""

    def decoded(self) -> None:
        """One more image is ready, in the activities ``"decoding"`` and ``"ranging"``."""

    def recognized(self, predictions: Sequence[Prediction]) -> None:
        """New answers, in the activity ``"recognizing"``; they are kept already."""

    def finished(self, recognition: Recognition) -> None:
        """One engine is done with all images."""


class RecognitionService:
    """Runs orders in turns and keeps the latest answers of every stack, for as long as the stack. One per process."""

    def __init__(self, settings: Settings, queue: FairQueue | None = None) -> None:
        self.queue = queue or FairQueue(settings)
        self._settings = settings
        self._results: WeakKeyDictionary[ImageStack, dict[RangeOf, StackResults]] = WeakKeyDictionary()
        self._features: WeakKeyDictionary[ImageStack, StackFeatures] = WeakKeyDictionary()
        self._models: WeakKeyDictionary[ImageStack, WeakValueDictionary[str, Model]] = WeakKeyDictionary()

    def results(self, stack: ImageStack, range_of: RangeOf | None = None) -> StackResults:
        """What has been recognised in a stack so far with values scaled by this range, or by the one chosen for it."""
        chosen = range_of or stack.range_of if stack.range.images else "image"
        return self._results.setdefault(stack, {}).setdefault(chosen, StackResults())

    def model(self, stack: ImageStack, name: str) -> Model | None:
        """The model of this name last used in a stack; also one that a session has for itself, as long as it has it."""
        return self._models.setdefault(stack, WeakValueDictionary()).get(name)

    def features(self, stack: ImageStack) -> StackFeatures:
        """What networks have seen in a stack so far."""
        return self._features.setdefault(stack, StackFeatures())

    def run(self, order: Order, door: Door, watcher: Watcher, cancelled: Event) -> dict[EngineName, Recognition]:
        """Wait for a turn, blocking the calling thread, and run the order; one recognition for each engine.

        With several engines all images are decoded first, so that the engines' times compare inference with inference:
        otherwise the first one would pay for the decoding of both.

        Raises:
            Busy, TooManyRequests: no room in the queue, or the server is stopping.
            Cancelled: ``cancelled`` was set; the answers made so far are kept.
            AppError: as for ``recognize``.
        """
        done: dict[EngineName, Recognition] = {}
        order = replace(order, range_of=order.range_of or order.stack.range_of)
        self._models.setdefault(order.stack, WeakValueDictionary())[order.model.card.name] = order.model
        self._load(order, watcher, cancelled)
        with self.queue.turn(order.client, order.stack.id, cancelled) as turn:
            if order.range_of == "stack" and not order.stack.range.is_known:
                self._find_range(order, watcher, cancelled, turn)
            if len(order.engines) > 1:
                self._decode_all(order, watcher, cancelled, turn)
            for engine in order.engines:
                recognition = done[engine] = self._recognize(order, engine, watcher, cancelled, turn)
                watcher.finished(recognition)
                log_recognition(door, order.stack.id, recognition)
        return done

    def _load(self, order: Order, watcher: Watcher, cancelled: Event) -> None:
        """Load engines that are not loaded yet: who waits for one of them holds no turn that others could use."""
        for engine in order.engines:
            if not order.model.is_loaded(engine):
                lane: Lane = "heavy" if order.model.is_heavy(engine) else "loading"
                with self.queue.turn(order.client, order.stack.id, cancelled, lane=lane):
                    watcher.entered("loading", engine)
                    order.model.engine(engine)
                watcher.entered("waiting", engine)

    def _find_range(self, order: Order, watcher: Watcher, cancelled: Event, turn: Turn) -> None:
        watcher.entered("ranging", order.engines[0])

        def on_image() -> None:
            watcher.decoded()
            turn.give_way()

        find_range(order.stack, cancelled, on_image=on_image, on_wait=turn.give_way_idle)

    def _decode_all(self, order: Order, watcher: Watcher, cancelled: Event, turn: Turn) -> None:
        watcher.entered("decoding", order.engines[0])
        inputs = order.stack.inputs(order.model.preprocessing, order.range_of)
        for _, job in inputs.prepare_ahead(order.indices):
            check_cancelled(cancelled)
            wait_for(job, turn.give_way_idle, cancelled)
            watcher.decoded()
            turn.give_way()

    def _recognize(
        self, order: Order, engine: EngineName, watcher: Watcher, cancelled: Event, turn: Turn
    ) -> Recognition:
        watcher.entered("loading", engine)
        classifier = Classifier(order.model, engine)
        size = classifier.batch_size(order.batch_size, self._settings, images=len(set(order.indices)))
        results = self.results(order.stack, order.range_of)
        features = self._feature_keeper(order, classifier)

        def on_batch(predictions: Sequence[Prediction]) -> None:
            if order.purpose == "answers":
                results.add(predictions, order.model.answers_key)
            watcher.recognized(predictions)
            turn.give_way()

        watcher.entered("recognizing", engine)
        return recognize_with(
            classifier,
            order.stack,
            order.indices,
            size,
            on_batch=on_batch,
            on_wait=turn.give_way_idle,
            cancelled=cancelled,
            also=features,
            mirrored=order.purpose == "mirrored features",
            range_of=order.range_of,
        )

    def _feature_keeper(self, order: Order, classifier: Classifier) -> Also | None:
        """What keeps the features of an order's images; None where nobody asks for them or there is no room."""
        engine, wanted = classifier.engine, order.purpose != "answers"
        if not wanted and (FEATURES not in engine.outputs or not describe(engine.name).is_default):
            return None
        mirrored = order.purpose == "mirrored features"
        try:
            rows = self.features(order.stack).rows(
                order.stack, order.model, engine.name, mirrored=mirrored, range_of=order.range_of
            )
        except NO_ROOM:
            if wanted:
                raise
            return None

        def keep(indices: Sequence[int], found: Mapping[str, NDArray[np.float32]]) -> None:
            try:
                rows.add(indices, found[FEATURES])
            except DiskFull:
                if wanted:
                    raise

        return Also((FEATURES,), keep)
