"""ImageNet's model, had without being asked for: fetched, its INT8 copy made on a person's images, then offered."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Literal

from core.base.background import BackgroundJob, Status, TakeTurn
from core.base.errors import Cancelled, ModelError, StackNotFound
from core.base.file_lock import try_lock
from core.base.settings import Settings
from core.models import imagenet
from core.models.install import copy_model, installed_folder
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.optimize.calibration import MIN_IMAGES, split
from core.optimize.quantize import LADDER, Recipe
from core.optimize.run import CalibrationPlan, OptimizationJob
from core.recognition.fair_queue import Lane
from core.stacks.sample import make_sample_stack
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore

POLL_SECONDS = 0.5
CANCELLED = "Cancelled. What has arrived is kept, and “Get ImageNet” goes on from there."
RECIPES = LADDER[:2]  # the others take minutes, which nobody has asked for

Phase = Literal["waiting", "download", "stack", "int8"]
"""``waiting`` for what is more urgent or for another process; ``stack`` for the first stack that is opened."""

GiveTurn = Callable[[str, Lane], TakeTurn]
NewFolder = Callable[[str], Path]

_log = logging.getLogger(__name__)


class ImageNetOffer:
    """One per process; safe to use from any thread.

    ``own_stacks`` says that whoever opens stacks here is the one who runs the server: then INT8 is calibrated on the
    first of them. On a server for others, a model for everybody is made of nobody's images, but of the sample stack.
    """

    def __init__(
        self, settings: Settings, registry: ModelRegistry, store: StackStore, give_turn: GiveTurn, new_folder: NewFolder
    ) -> None:
        """
        Args:
            give_turn: the turn for work of a client (empty: the server itself) in a lane.
            new_folder: a folder, not made yet, for a model that goes with the process.
        """
        self.own_stacks = False
        self.job: ImageNetJob | None = None
        self._settings = settings
        self._registry = registry
        self._new_job = partial(ImageNetJob, settings, registry, store, give_turn, new_folder)
        self._lock = threading.Lock()

    @property
    def model(self) -> Model | None:
        """The installed model; None while there is none that can be used."""
        with suppress(ModelError):
            return self._registry.get(imagenet.NAME)
        return None

    @property
    def running(self) -> ImageNetJob | None:
        """The job while it runs."""
        job = self.job
        return job if job is not None and job.status == "running" else None

    def begin_at_start(self, after: Callable[[], object] = lambda: None) -> None:
        """Begin, unless the settings or an earlier cancel say no, or the model is there with its INT8 copy.

        ``after`` returns when nobody waits for more urgent things.
        """
        if self._settings.imagenet_at_start == "no" or self._declined.exists():
            return
        model = self.model
        if model is None or not model.has_int8:
            _log.info("ImageNet's model is fetched in the background; AISR_IMAGENET_AT_START=no turns this off")
            self._begin("", after)

    def begin(self, client: str) -> ImageNetJob:
        """The job that runs, or a new one because ``client`` asks for it."""
        with suppress(OSError):
            self._declined.unlink(missing_ok=True)
        return self._begin(client)

    def cancel(self) -> None:
        """End it, and do not begin again by itself at the next start."""
        self.decline()
        self.stop()

    def decline(self) -> None:
        """Remember that nobody wants the model here."""
        with suppress(OSError):
            self._declined.parent.mkdir(parents=True, exist_ok=True)
            self._declined.touch()

    def stop(self) -> None:
        """End it; the next start goes on."""
        if (job := self.running) is not None:
            job.cancel()

    @property
    def _declined(self) -> Path:
        return self._settings.data_dir / "downloads" / "imagenet-declined"

    def _begin(self, client: str, after: Callable[[], object] = lambda: None) -> ImageNetJob:
        with self._lock:
            job = self.running
            if job is None:
                job = self.job = self._new_job(client=client, own_stacks=self.own_stacks, after=after)
            return job


class ImageNetJob(BackgroundJob):
    """Downloads and installs what is missing; ``done`` and ``total`` are bytes of the download.

    ``client`` has asked for it; empty where nobody did.
    """

    def __init__(
        self,
        settings: Settings,
        registry: ModelRegistry,
        store: StackStore,
        give_turn: GiveTurn,
        new_folder: NewFolder,
        *,
        client: str = "",
        own_stacks: bool = False,
        after: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__("imagenet")
        self.client = client
        self.phase: Phase = "waiting"
        self.done = 0
        self.total: int | None = None
        self._settings = settings
        self._registry = registry
        self._store = store
        self._give_turn = give_turn
        self._new_folder = new_folder
        self._own_stacks = own_stacks
        self._after = after
        self._int8: OptimizationJob | None = None
        self.start()

    def cancel(self) -> None:
        """Stop at the next opportunity; quantization at once."""
        super().cancel()
        if (int8 := self._int8) is not None:
            int8.cancel()

    def work(self) -> None:
        """Each part only where it is missing."""
        self._after()
        with self._alone():
            model = self._installed() or self._fetch()
            if not model.has_int8:
                self._make_int8(model)

    def _end(self, status: Status, message: str) -> None:
        if status == "failed":
            _log.info("ImageNet's model could not be had: %s", message)
        self._int8 = None
        super()._end(status, message)

    def _installed(self) -> Model | None:
        self._registry.forget(imagenet.NAME)  # another process may have installed it meanwhile
        with suppress(ModelError):
            return self._registry.get(imagenet.NAME)
        return None

    def _fetch(self) -> Model:
        with self._give_turn(self.client, "download")(self.cancelled):
            self.phase = "download"
            imagenet.install(self._settings, on_progress=self._on_progress, cancelled=self.cancelled)
        self._registry.forget(imagenet.NAME)
        return self._registry.get(imagenet.NAME)

    def _make_int8(self, model: Model) -> None:
        for stack in self._stacks():
            self.phase = "int8"
            for recipe in RECIPES:
                made = self._calibrated(model, CalibrationPlan(stack, split(len(stack))), recipe)
                if made is not None:
                    folder = installed_folder(imagenet.NAME, self._settings)
                    copy_model(made, folder, title=model.title, settings=self._settings)
                    self._registry.forget(imagenet.NAME)
                    return
        _log.info("ImageNet's INT8 copy strays too far from FP32 on few images; calibrate it on a larger stack")

    def _calibrated(self, model: Model, plan: CalibrationPlan, recipe: Recipe) -> Model | None:
        """The model with its INT8 copy; None where that strays from FP32 further than chance explains."""
        self.check_cancelled(CANCELLED)
        turn = self._give_turn(self.client, "heavy")
        folder = self._new_folder(imagenet.NAME)
        job = self._int8 = OptimizationJob(model, plan, recipe, folder, self._settings, take_turn=turn)
        while job.status == "running":
            job.wait(POLL_SECONDS)
            if self.cancelled.is_set():
                job.cancel()
        self.check_cancelled(CANCELLED)
        good = job.report is not None and job.report.agreement.high >= job.report.asked
        return job.model if good else None

    def _stacks(self) -> Iterator[ImageStack]:
        """What may calibrate, best first."""
        if self._own_stacks:
            self.phase = "stack"
            while not (ids := self._store.ids):
                if self.cancelled.wait(POLL_SECONDS):
                    raise Cancelled(CANCELLED)
            with suppress(StackNotFound):
                stack = self._store.get(ids[0])
                if len(stack) >= MIN_IMAGES:
                    yield stack
        packed = io.BytesIO()
        make_sample_stack(packed)
        packed.seek(0)
        sample = self._store.create(packed, "sample-stack.zip")
        try:
            yield sample
        finally:
            self._store.delete(sample.id)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for whichever process does the same; the lock ends with its process, however that ends."""
        path = self._settings.data_dir / "downloads" / "imagenet.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            while not try_lock(file):
                if self.cancelled.wait(POLL_SECONDS):
                    raise Cancelled(CANCELLED)
            yield

    def _on_progress(self, done: int, total: int | None) -> None:
        self.done, self.total = done, total
