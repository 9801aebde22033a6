"""What one process shares between all sessions and clients: settings, stacks and models."""

from __future__ import annotations

import gc
import logging
import os
import secrets
import threading
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from core.base.background import TakeTurn
from core.base.errors import AppError
from core.base.settings import Settings, get_settings
from core.batch.outcome.service import Outcomes
from core.engines.registry import default_engine
from core.models import imagenet
from core.models.registry import ModelRegistry
from core.optimize.imagenet_offer import ImageNetOffer
from core.recognition.classifier import Classifier
from core.recognition.fair_queue import Lane
from core.recognition.service import RecognitionService
from core.stacks.people import People
from core.stacks.roots import StackRoots
from core.stacks.store import StackStore
from core.teach.service import TeachingService
from core.trust.disagreement import Reviews
from core.trust.evaluation.service import EvaluationService

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AppRuntime:
    """The shared objects; all are safe to use from any thread."""

    settings: Settings
    store: StackStore
    models: ModelRegistry
    recognition: RecognitionService
    teaching: TeachingService
    evaluation: EvaluationService
    roots: StackRoots
    outcomes: Outcomes
    people: People
    imagenet: ImageNetOffer
    reviews: Reviews = field(default_factory=Reviews)

    def warm_up(self) -> None:
        """Load the default model's default engine, and measure its batch size, before somebody waits for it.

        To be called once all is imported and before anybody is served.
        """
        # Nobody else's request goes on during a full garbage collection. What is there now stays for good, and need not
        # be looked through again: 100,000 objects, 30 to 70 ms each time.
        gc.collect()
        gc.freeze()
        warming = threading.Thread(target=self._load_default, name="warm-up", daemon=True)
        warming.start()
        self.imagenet.begin_at_start(warming.join)

    def take_turn(self, client: str, about: str, lane: Lane) -> TakeTurn:
        """How a job of ``client`` waits for its turn in the queue that all work goes through.

        Args:
            about: id of the stack it works on, or what else tells it from other work of this client.
        """
        return partial(self.recognition.queue.turn, client, about, lane=lane)

    def new_model_folder(self, name: str) -> Path:
        """A folder, not made yet, for a model that belongs to one session; it goes with the process at the latest."""
        return _new_model_folder(self.store, name)

    def close(self) -> None:
        """Delete every stack; what goes on by itself goes on at the next start."""
        self.imagenet.stop()
        self.store.close()

    def _load_default(self) -> None:
        try:
            classifier = Classifier(self.models.get(), default_engine().name)
            classifier.warm_up()
            classifier.batch_size(0, self.settings)
        except AppError as error:
            _log.error("The default model is not ready: %s", error)


def _new_model_folder(store: StackStore, name: str) -> Path:
    return store.folder / "models" / f"{name}-{secrets.token_hex(4)}"


@cache
def get_runtime() -> AppRuntime:
    """The process's runtime, made at the first call, before anything imports torch."""
    # PyTorch's threads would otherwise wait for each other spinning. On cores that are shared, as a server's are, that
    # made ResNet18 ten times slower (5 instead of 55 images/s beside two busy processes); on idle ones it gains little.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    settings = get_settings()
    store, models, recognition = StackStore(settings), ModelRegistry(settings), RecognitionService(settings)
    teaching = TeachingService(settings, recognition, models, store.folder / "taught")
    offer = ImageNetOffer(
        settings,
        models,
        store,
        lambda client, lane: partial(recognition.queue.turn, client, imagenet.NAME, lane=lane),
        partial(_new_model_folder, store),
    )
    roots = StackRoots(settings)
    outcomes = Outcomes(settings, store, roots, models, recognition)
    evaluation, people = EvaluationService(recognition), People(settings)
    return AppRuntime(settings, store, models, recognition, teaching, evaluation, roots, outcomes, people, offer)
