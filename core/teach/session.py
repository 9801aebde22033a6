"""Teaching as a person watches it: labels, and what a head makes of them after every change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from threading import Event

import numpy as np
from numpy.typing import NDArray

from core.base.errors import InvalidRequest
from core.teach.evaluate import CrossValidation, cross_validate
from core.teach.features import CONTENT_BYTES, Looker, OnImages
from core.teach.head import Examples, Head, examples, fit
from core.teach.labels import Labels
from core.teach.suggest import Suggester, Suggestions, most_similar
from core.teach.taught import joined


class TeachingSession:
    """Fits a head when labels have changed; every answer is about the labels as they are. Safe from any thread.

    ``kept`` are examples of an earlier teaching to go on from. Nothing here looks at an image unasked: ``look`` does,
    once for each, and images that nobody has looked at have no suggestion.
    """

    def __init__(self, looker: Looker, labels: Labels, kept: Examples | None = None) -> None:
        self.looker = looker
        self.labels = labels
        self._kept = kept
        self._contents: dict[int, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()
        self._head: Head | None = None
        self._suggester: tuple[object, Suggester] | None = None
        self._suggestions: tuple[object, Suggestions] | None = None
        self._evaluation: tuple[object, CrossValidation] | None = None

    def look(self, cancelled: Event, on_images: OnImages = lambda count: None) -> None:
        """Have the features of all images, which recognised ones have already. See ``Looker.look``."""
        self.looker.look(range(len(self.looker.stack)), cancelled, on_images=on_images)

    def suggestions(self, cancelled: Event) -> Suggestions:
        """For all images that were looked at, labelled ones included. Looks at newly labelled images' mirror images.

        Raises:
            InvalidRequest: too few examples, as a sentence for people.
            AppError: as ``Looker.look``.
        """
        with self._lock:
            suggester = self._fitted(cancelled)
            known = self._known()
            key = (self.labels.version, len(known))
            if self._suggestions is None or self._suggestions[0] != key:
                self._suggestions = key, suggester.suggest(known, self.looker.read(known))
            return self._suggestions[1]

    def evaluation(self, cancelled: Event, check: Callable[[], None] = lambda: None) -> CrossValidation:
        """How good the head is; takes as long as a few dozen fits, and ``check`` may end it. Raises as ``suggestions``.

        Rows of ``mistakes`` are places in ``labelled()``.
        """
        with self._lock:
            version = self.labels.version
            if self._evaluation is None or self._evaluation[0] != version:
                self._evaluation = version, cross_validate(self._examples(cancelled), check=check)
            return self._evaluation[1]

    def labelled(self) -> list[int]:
        """Positions of labelled images that can be read, ascending."""
        stack = self.looker.stack
        return [index for index in self.labels.by_image if stack.error(index) is None]

    def similar(self, index: int, count: int) -> list[int]:
        """The images most like one, best first, among those that were looked at.

        Raises:
            InvalidRequest: nobody has looked at this one.
        """
        known = self._known()
        if index not in known:
            raise InvalidRequest("This image has not been looked at yet, or cannot be read.")
        rows = most_similar(self.looker.read(known), known.index(index), count)
        return [known[row] for row in rows]

    def _known(self) -> list[int]:
        return self.looker.known(range(len(self.looker.stack)))

    def _examples(self, cancelled: Event) -> Examples:
        labels = self.labels.by_image
        given = self._given(list(labels), cancelled)
        classes = self.labels.classes
        read = self.looker.read
        shown = [labels[index] for index in given]
        contents = None if self._kept is None else self._contents_of(given)
        new = examples(classes, shown, read(given), read(given, mirrored=True), contents)
        return new if self._kept is None else joined(new, self._kept)

    def _contents_of(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        missing = [index for index in indices if index not in self._contents]
        self._contents.update(zip(missing, self.looker.contents(missing), strict=True))
        return np.array([self._contents[index] for index in indices], np.uint8).reshape(-1, CONTENT_BYTES)

    def _given(self, indices: Sequence[int], cancelled: Event) -> list[int]:
        readable = self.looker.look(indices, cancelled)
        return self.looker.look(readable, cancelled, mirrored=True)

    def _fitted(self, cancelled: Event) -> Suggester:
        version = self.labels.version
        if self._suggester is None or self._suggester[0] != version:
            given = self._examples(cancelled)
            self._head = fit(given, self._head)
            self._suggester = version, Suggester(self._head, given)
        return self._suggester[1]
