"""Learning while a person labels: in a thread of its own, which nobody waits for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Event

from core.base.errors import AppError, Cancelled, InvalidRequest
from core.teach.evaluate import CrossValidation
from core.teach.session import TeachingSession
from core.teach.suggest import Suggestions

LOOK_AT_ONCE = 256  # images, between which newer labels come first
DEBOUNCE_SECONDS = 0.15  # several labels in a row make one fit
QUIET_SECONDS = 1.0  # without a change before the head is judged, which takes dozens of fits
AUTOMATIC_WORK = 4_000  # examples times classes: judged unasked up to here, within seconds
QUEUE_LENGTH = 200  # images; the next fit makes another one


@dataclass(frozen=True, slots=True)
class Judgement:
    """How good the head of one version of the labels is.

    Of this stack's examples, in the order of the evaluation: ``images`` are their positions, ``labels`` their classes.
    """

    version: int
    evaluation: CrossValidation
    images: tuple[int, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known by now.

    Attributes:
        version: of the labels that it is about; -1 before the first look.
        known: images that were looked at.
        suggestions: None where there are too few labels.
        queue: unlabelled images, what teaches most first.
        judgement: the latest, which may be about earlier labels.
        note: why there is no suggestion; empty where there are some.
        problem: why learning stopped; it goes on at the next change.
        not_judged: why there is no judgement of these labels.
    """

    version: int = -1
    known: int = 0
    suggestions: Suggestions | None = None
    queue: tuple[int, ...] = ()
    judgement: Judgement | None = None
    note: str = ""
    problem: str = ""
    not_judged: str = ""


class LiveTeaching:
    """Keeps what is learned up with the labels. Nothing here blocks but the thread; ``learned`` is a snapshot.

    ``revision`` changes whenever labels, what is learned, or the threshold have changed.
    """

    def __init__(self, session: TeachingSession) -> None:
        self.session = session
        self.labels = session.labels
        self.learned = Learned()
        self._changes = 0
        self._threshold: float | None = None
        self._looked = 0  # images from the first on that were looked at, unreadable ones included
        self._failed = -1  # version of the labels at which something went wrong
        self._judged = -1  # version of the labels that was judged, or cannot be
        self._asked = False
        self._working = False
        self._stopped = Event()
        self._lock = threading.Lock()

    @property
    def revision(self) -> int:
        """Grows with every change."""
        return self._changes + self.labels.version

    @property
    def pending(self) -> bool:
        """Whether something is still to be learned or judged."""
        return self._working or (not self._stopped.is_set() and self._next_step() is not None)

    @property
    def looked(self) -> int:
        """How many images, from the first on, were looked at."""
        return self._looked

    @property
    def own_threshold(self) -> float | None:
        """The threshold that a person has chosen, if any."""
        return self._threshold

    @property
    def threshold(self) -> float | None:
        """Of the known score, below which an image shows none of the classes: the person's, or the usual one."""
        suggestions = self.learned.suggestions
        return self._threshold if self._threshold is not None or suggestions is None else suggestions.threshold

    @threshold.setter
    def threshold(self, value: float | None) -> None:
        if value != self._threshold:
            self._threshold = value
            self._changes += 1

    @property
    def waits_to_be_asked(self) -> bool:
        """Whether judging these labels takes so long that somebody must ask for it."""
        return self._judged != self.labels.version and not self._asked and not self._is_quick

    def judge(self) -> None:
        """Judge these labels however long it takes."""
        self._asked = True
        self.refresh()

    def refresh(self) -> None:
        """Begin to learn what has changed; returns at once."""
        with self._lock:
            if self._working or self._stopped.is_set() or self._next_step() is None:
                return
            self._working = True
            threading.Thread(target=self._work, name="live-teaching", daemon=True).start()

    def stop(self) -> None:
        """End the work; what is learned stays."""
        self._stopped.set()

    def sure(self, name: str, share: float) -> list[int]:
        """Positions of unlabelled images suggested to be ``name`` with at least this share."""
        suggestions = self.learned.suggestions
        return self.unlabelled(suggestions.above(name, share, self._threshold)) if suggestions else []

    def alike(self, index: int, count: int) -> list[int]:
        """Positions of the ``count`` unlabelled images most like one, best first, among those looked at by now.

        Raises:
            InvalidRequest: nobody has looked at this one.
        """
        return self.unlabelled(self.session.similar(index, len(self.session.looker.stack)))[:count]

    def unlabelled(self, images: Sequence[int]) -> list[int]:
        """Those of ``images`` that have no label."""
        labelled = self.labels.by_image
        return [index for index in images if index not in labelled]

    @property
    def _is_quick(self) -> bool:
        return len(self.labels.by_image) * len(self.labels.classes) <= AUTOMATIC_WORK

    def _next_step(self) -> str | None:
        version = self.labels.version
        if self._failed == version:
            return None
        if self.learned.version != version or (self._fresh_images and self.learned.suggestions is not None):
            return "learn"
        if self._looked < len(self.session.looker.stack):
            return "look"
        judging = self._judged != version and self.learned.suggestions is not None
        return "judge" if judging and (self._asked or self._is_quick) else None

    @property
    def _fresh_images(self) -> bool:
        """Whether enough images were looked at since the last suggestions: twice as many, or the last ones."""
        known, looked = self.learned.known, self._looked
        return looked > known and (looked >= 2 * known or looked == len(self.session.looker.stack))

    def _work(self) -> None:
        try:
            while not self._stopped.is_set() and (step := self._next_step()) is not None:
                self._do(step)
        finally:
            self._working = False

    def _do(self, step: str) -> None:
        version = self.labels.version
        try:
            if step == "learn":
                self._learn()
            elif step == "look":
                self._look()
            else:
                self._judge()
        except Cancelled:
            return
        except AppError as error:
            self._fail(version, str(error))
        except Exception as error:  # a page would wait for ever
            self._fail(
                version, f"Something unexpected went wrong ({type(error).__name__}). Change a label to try again."
            )
            raise

    def _learn(self) -> None:
        self._stopped.wait(DEBOUNCE_SECONDS)
        version, looked = self.labels.version, self._looked
        try:
            suggestions = self.session.suggestions(self._stopped)
            queue = tuple(suggestions.review_queue(list(self.labels.by_image))[:QUEUE_LENGTH])
            found = replace(self.learned, suggestions=suggestions, queue=queue, note="")
        except InvalidRequest as error:
            found = replace(self.learned, suggestions=None, queue=(), note=str(error))
        self._tell(replace(found, version=version, known=looked, problem=""))

    def _look(self) -> None:
        count = len(self.session.looker.stack)
        ahead = range(self._looked, min(self._looked + LOOK_AT_ONCE, count))
        self.session.looker.look(ahead, self._stopped)
        self._looked = ahead.stop

    def _judge(self) -> None:
        version = self.labels.version

        def check() -> None:
            if self._stopped.is_set() or self.labels.version != version:
                raise Cancelled("The labels have changed.")

        for _ in range(10):
            check()
            self._stopped.wait(QUIET_SECONDS / 10)
        by_image = self.labels.by_image
        try:
            evaluation = self.session.evaluation(self._stopped, check)
            check()
        except InvalidRequest as error:
            found = replace(self.learned, not_judged=str(error))
        else:
            images = tuple(self.session.labelled())
            judgement = Judgement(version, evaluation, images, tuple(by_image[index] for index in images))
            found = replace(self.learned, judgement=judgement, not_judged="")
        self._judged, self._asked = version, False
        self._tell(found)

    def _fail(self, version: int, problem: str) -> None:
        self._failed = version
        self._tell(replace(self.learned, problem=problem))

    def _tell(self, learned: Learned) -> None:
        self.learned = learned
        self._changes += 1
