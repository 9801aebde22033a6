"""Teaching as pages and API order it: the labels of every stack, one teaching of it at a time, and where models go."""

from __future__ import annotations

import secrets
import shutil
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from core.base.errors import Busy, InvalidRequest, ModelNotFound, NotAllowed
from core.base.reach import only_this_computer
from core.base.settings import MIB, Settings
from core.models.install import installed_folder
from core.models.registry import ModelRegistry
from core.recognition.service import Door, RecognitionService
from core.stacks.stack import ImageStack
from core.teach.features import Looker
from core.teach.job import TeachingJob
from core.teach.labels import Labels
from core.teach.lesson import Lesson
from core.teach.live import LiveTeaching
from core.teach.session import TeachingSession
from core.teach.taught import Stages, backbone_for_more, read_examples

# On disk, of the one model that a stack may have for as long as itself: two forms of a ResNet18, and examples.
LENT_BYTES = 96 * MIB


def may_keep_models(settings: Settings, address: str | None) -> bool:
    """Whether a server that listens on ``address`` installs models for its users.

    Unless the operator says so, only where nobody else can be a user: on this computer alone, and without a proxy.
    """
    if settings.keep_models != "auto":
        return settings.keep_models == "yes"
    return only_this_computer(settings, address)


class TeachingService:
    """One per process. ``may_keep`` says whether users may install models; see ``may_keep_models``."""

    def __init__(
        self,
        settings: Settings,
        recognition: RecognitionService,
        registry: ModelRegistry,
        folder: Path,
        *,
        may_keep: bool = False,
    ) -> None:
        """``folder`` is for models that live as long as a stack."""
        self.may_keep = may_keep
        self._settings = settings
        self._recognition = recognition
        self._registry = registry
        self._folder = folder
        self._labels: WeakKeyDictionary[ImageStack, Labels] = WeakKeyDictionary()
        self._jobs: WeakKeyDictionary[ImageStack, TeachingJob] = WeakKeyDictionary()
        self._lent: WeakKeyDictionary[ImageStack, str] = WeakKeyDictionary()
        self._live: WeakValueDictionary[str, LiveTeaching] = WeakValueDictionary()
        self._paid: WeakSet[ImageStack] = WeakSet()
        self._lock = threading.Lock()

    def labels(self, stack: ImageStack) -> Labels:
        """The labels of a stack, which live as long as it."""
        return self._labels.setdefault(stack, Labels(len(stack)))

    def looker(self, stack: ImageStack, backbone: str | None, client: str, door: Door) -> Looker:
        """Who looks at a stack's images with an installed model's network.

        Raises:
            ModelError: no such model, or it is damaged.
        """
        return Looker(self._recognition, stack, self._registry.get(backbone), client, door)

    def watch(self, looker: Looker, *, further: bool = False) -> LiveTeaching:
        """Learn the labels of the looker's stack while they are given, as long as somebody keeps the result.

        With ``further`` the looker's backbone was taught before, and its examples and classes come to the labels.

        Raises:
            ModelError: it holds none, or they are damaged.
            LabelsInvalid: there would be too many classes.
        """
        kept = read_examples(looker.backbone) if further else None
        looker = self._for_more(looker) if further else looker
        labels = self.labels(looker.stack)
        if kept is not None:
            labels.assign_each({}, classes=kept.classes)
        live = LiveTeaching(TeachingSession(looker, labels, kept))
        self._live[looker.stack.id] = live
        return live

    def live(self, stack: ImageStack) -> LiveTeaching | None:
        """What a page has begun to watch, if it still does."""
        return self._live.get(stack.id)

    def job(self, stack: ImageStack) -> TeachingJob | None:
        """The latest teaching of a stack."""
        return self._jobs.get(stack)

    def teach(
        self,
        looker: Looker,
        name: str,
        *,
        title: str = "",
        stages: Stages = "all",
        keep: bool | None = None,
        further: bool = False,
        longer: bool = False,
        threshold: float | None = None,
    ) -> TeachingJob:
        """Begin to teach the labels of the looker's stack.

        Args:
            looker: its backbone is taught, or where that was taught before and ``further`` is said, its examples too.
            name: of the new model; where it is not installed, something nobody can guess is added.
            title: for people; left out, the name.
            stages: which the head looks at.
            keep: install it; None does where that is allowed.
            longer: train the last stage too, and keep that where it is better.
            threshold: see ``Lesson``.
            further: the labels come to the examples that the backbone was taught with.

        Raises:
            InvalidRequest: too few labels or images, or a name that is taken or none.
            NotAllowed: this server installs nothing.
            Busy: the stack is being taught already.
            QuotaExceeded, TooManyStacks, DiskFull: there is no room for the model.
        """
        stack, labels = looker.stack, self.labels(looker.stack)
        if keep and not self.may_keep:
            raise NotAllowed("This server keeps no models; without “keep” the model lasts as long as the stack.")
        keep = self.may_keep if keep is None else keep
        kept = read_examples(looker.backbone) if further else None
        if further:
            looker = self._for_more(looker)
        folder = installed_folder(name, self._settings)
        if keep:
            self._check_free(name)
        else:
            folder = self._folder / f"{name}-{secrets.token_hex(8)}"
        lesson = Lesson(labels.by_image, labels.classes, folder, title or name, stages, kept, longer, threshold)
        lesson.check(stack)
        with self._lock:
            running = self._jobs.get(stack)
            if running is not None and running.status == "running":
                raise Busy("This stack is being taught already. Wait until that is done, or cancel it.")
            if not keep and stack not in self._paid:
                stack.reserve(LENT_BYTES)
                self._paid.add(stack)
            # Quantization takes a process and a gigabyte.
            turn = partial(self._recognition.queue.turn, looker.client, stack.id, lane="heavy")
            job = TeachingJob(looker, lesson, self._settings, turn, self._lend(stack, keep=keep))
            self._jobs[stack] = job
            return job

    def _for_more(self, looker: Looker) -> Looker:
        """Who looks with the network that saw the examples of the looker's backbone."""
        return replace(looker, backbone=backbone_for_more(looker.backbone, self._registry))

    def _check_free(self, name: str) -> None:
        try:
            model = self._registry.get(name)
        except ModelNotFound:
            return
        if model.card.teaching is None:
            raise InvalidRequest(f"There is a model {name!r} that was not taught here; choose another name.")

    def _lend(self, stack: ImageStack, *, keep: bool) -> Callable[[Path], None]:
        """What is done with the model's folder when it is complete."""
        reference = weakref.ref(stack)

        def done(folder: Path) -> None:
            if keep:
                self._registry.forget(folder.name)
                return
            lent_to = reference()
            if lent_to is None:
                shutil.rmtree(folder, ignore_errors=True)
                return
            before = self._lent.get(lent_to)
            self._lent[lent_to] = folder.name
            self._registry.lend(folder)
            weakref.finalize(lent_to, self._take_back, folder).atexit = False
            if before is not None:
                self._take_back(self._folder / before)

        return done

    def _take_back(self, folder: Path) -> None:
        self._registry.forget(folder.name)
        shutil.rmtree(folder, ignore_errors=True)
