"""Results of batch jobs as pages and API open them: a page of rows is a stack, with the job's answers beside images."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from core.base.errors import ModelError, OutcomeInvalid
from core.base.held_folder import HeldFolder
from core.base.settings import Settings
from core.batch.outcome.facts import JobFacts, is_outcome, read_facts
from core.batch.outcome.outcome import Outcome
from core.batch.outcome.rows import OutcomeRow, Wish
from core.batch.outcome.source import OutcomeSource
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.recognition.results import THRESHOLD, Prediction
from core.recognition.service import RecognitionService
from core.stacks.roots import StackRoots
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore

PAGE_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Page:
    """What a stack shows of a job's results.

    Attributes:
        start: position of its first image among those found.
        found: how many rows there are of what is wanted; None while the rows are still read.
        numbers: of the rows, by position in the stack.
        kept: how many of them, at the end, are there because they were asked for besides.
    """

    outcome: Outcome
    wish: Wish
    start: int
    found: int | None
    numbers: tuple[int, ...]
    kept: int = 0

    @property
    def places(self) -> dict[int, int]:
        """Of each row its position in the stack."""
        return {number: index for index, number in enumerate(self.numbers)}

    @property
    def facts(self) -> JobFacts:
        """What the results say of the job."""
        return self.outcome.facts


class Outcomes:
    """Opens results, and knows which stack shows which page of them. One per process; safe from any thread.

    ``roots`` are the folders that results and their images may lie in, ``page_rows`` so many images a page has.
    """

    def __init__(
        self,
        settings: Settings,
        store: StackStore,
        roots: StackRoots,
        models: ModelRegistry,
        recognition: RecognitionService,
        *,
        page_rows: int = PAGE_ROWS,
    ) -> None:
        self._settings = settings
        self._store = store
        self.roots = roots
        self._models = models
        self._recognition = recognition
        self.page_rows = page_rows
        self._pages: WeakKeyDictionary[ImageStack, Page] = WeakKeyDictionary()
        self._opening = threading.Lock()  # each takes a process and its memory

    def open(self, path: str, client: str) -> ImageStack:
        """What is at ``path``: the first page of a job's results; anything else as ``StackRoots.open`` does.

        Raises:
            NotAllowed, PathNotFound: as for ``StackRoots.find``.
            ArchiveError, TooManyStacks, QuotaExceeded, DiskFull: as for ``StackStore.open``.
            OutcomeInvalid: the results are damaged or too large.
        """
        found = self.roots.find(path)
        facts = _facts(found)
        if facts is None:
            return self.roots.open(path, self._store, client)
        with self._opening:
            outcome = Outcome(found, facts, self._store.folder / "outcomes", self._store.share(client))
        rows = outcome.first.take(np.arange(min(self.page_rows, len(outcome.first))))
        return self._stack(outcome, Wish(), 0, rows, client, found.name)

    def page(self, stack: ImageStack) -> Page | None:
        """What a stack shows of a job's results; None where it shows something else."""
        return self._pages.get(stack)

    def turn_to(self, stack: ImageStack, wish: Wish, start: int, client: str, keep: Sequence[int] = ()) -> ImageStack:
        """Another page of the results that ``stack`` shows one of, as a stack of its own.

        Args:
            start: position of the first image among those that are wanted.
            keep: positions in ``stack`` of images that the new one has too, at its end: those with labels.

        Raises:
            OutcomeInvalid: nothing is like that, or the rows cannot be read.
            TooManyStacks, QuotaExceeded, DiskFull: there is no room for a stack.
        """
        page = self._pages[stack]
        found = page.outcome.find(wish)
        if not len(found):
            raise OutcomeInvalid("No image of the job is like that. Ask for less.")
        start = min(max(start, 0), (len(found) - 1) // self.page_rows * self.page_rows)
        numbers = found[start : start + self.page_rows]
        shown = dict.fromkeys(numbers.tolist())
        kept = [page.numbers[index] for index in keep if page.numbers[index] not in shown]
        rows = page.outcome.rows().take([*shown, *kept])
        return self._stack(page.outcome, wish, start, rows, client, stack.name, found=len(found), kept=len(kept))

    def _stack(
        self,
        outcome: Outcome,
        wish: Wish,
        start: int,
        rows: Sequence[OutcomeRow],
        client: str,
        name: str,
        *,
        found: int | None = None,
        kept: int = 0,
    ) -> ImageStack:
        stack = self._store.open_with(
            lambda settings, _: OutcomeSource(rows, outcome.facts.source, self.roots, settings),
            name,
            client,
            ahead=False,
        )
        self._answer(stack, outcome.facts, rows)
        self._pages[stack] = Page(outcome, wish, start, found, tuple(row.number for row in rows), kept)
        return stack

    def _answer(self, stack: ImageStack, facts: JobFacts, rows: Sequence[OutcomeRow]) -> None:
        """Have the job's answers stand where those of a recognition do."""
        model, title = self._model(facts)
        calibrated = model is not None and facts.engine in model.card.confidence
        threshold = 1 - model.card.known.kept if model is not None and model.card.known is not None else THRESHOLD
        names = [entry.name for entry in stack.entries]
        predictions = [
            Prediction(
                index=index,
                filename=names[index],
                top=row.answer.top if row.answer else (),
                engine=facts.engine,
                model=title,
                error=None if row.answer else row.error or "The job has no answer for this image.",
                calibrated=calibrated,
                known_score=row.answer.known_score if row.answer else None,
                threshold=threshold,
            )
            for index, row in enumerate(rows)
        ]
        self._recognition.results(stack).add(predictions, facts.model_checksum)

    def _model(self, facts: JobFacts) -> tuple[Model | None, str]:
        """The model that has answered, where it is here, and what its answers are called: as nothing else here is."""
        try:
            model = self._models.get(facts.model)
        except ModelError:
            return None, facts.model
        if model.answers_key == facts.model_checksum:
            return model, facts.model
        return None, f"{facts.model} ({facts.model_checksum[:12]})"


def _facts(path: Path) -> JobFacts | None:
    """What a folder of results says of its job; None of anything else.

    Raises:
        OutcomeInvalid: as for ``read_facts``.
    """
    try:
        held = HeldFolder(path)
    except OSError:  # no folder, or one that may not be read, of which others have a sentence
        return None
    try:
        return read_facts(held) if is_outcome(held) else None
    finally:
        held.close()
