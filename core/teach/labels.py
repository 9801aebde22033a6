"""Which image shows which class, as a person says it: every change can be undone."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from core.base.errors import LabelsInvalid
from core.models.labels import clean_label

MAX_CLASSES = 200  # more than anybody labels by hand; each makes every fit slower
MAX_CHANGES = 500  # that can be undone,
MAX_UNDO_IMAGES = 200_000  # and the images in them, together: about 30 MB


@dataclass(frozen=True, slots=True)
class _Change:
    """One step: the classes before and after, and of each image it touched the class before and after."""

    classes: tuple[tuple[str, ...], tuple[str, ...]]
    images: Mapping[int, tuple[str | None, str | None]]


class Labels:
    """Classes, in the order they were named, and the class of each labelled image. Safe from any thread.

    ``version`` changes with every change, undone ones included; ``saved`` is the one that a person has in a file.
    """

    def __init__(self, images: int) -> None:
        """``images`` is how many there are to label: positions from 0."""
        self._count = images
        self._classes: tuple[str, ...] = ()
        self._by_image: dict[int, str] = {}
        self._undo: deque[_Change] = deque()
        self._redo: list[_Change] = []
        self._lock = threading.RLock()
        self.version = 0
        self.saved = 0

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes, those without images included."""
        return self._classes

    @property
    def by_image(self) -> Mapping[int, str]:
        """A snapshot: the class of each labelled image, by position, ascending."""
        with self._lock:
            return MappingProxyType(dict(sorted(self._by_image.items())))

    @property
    def counts(self) -> dict[str, int]:
        """Labelled images of each class, in the order of ``classes``."""
        with self._lock:
            found = Counter(self._by_image.values())
            return {name: found[name] for name in self._classes}

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether a change was undone, and nothing else was done since."""
        return bool(self._redo)

    def add_class(self, name: str) -> str:
        """Add a class without images, unless it is there; returns its name as it is kept.

        Raises:
            LabelsInvalid: no name for a class, or too many classes.
        """
        name = _clean(name)
        with self._lock:
            self._do(self._with(name), {})
        return name

    def rename_class(self, name: str, to: str) -> None:
        """Give a class another name.

        Raises:
            LabelsInvalid: no such class, no name for one, or another class has it.
        """
        to = _clean(to)
        with self._lock:
            self._check_known(name)
            if to != name and to in self._classes:
                raise LabelsInvalid(f"There is a class {to!r} already; give its images that class instead.")
            classes = tuple(to if one == name else one for one in self._classes)
            self._do(classes, {index: to for index, label in self._by_image.items() if label == name})

    def remove_class(self, name: str) -> None:
        """Remove a class; its images have none any more.

        Raises:
            LabelsInvalid: no such class.
        """
        with self._lock:
            self._check_known(name)
            classes = tuple(one for one in self._classes if one != name)
            self._do(classes, {index: None for index, label in self._by_image.items() if label == name})

    def assign(self, indices: Iterable[int], name: str | None) -> None:
        """Give images a class, which is added if it is new, or none.

        Raises:
            LabelsInvalid: no such image, no name for a class, or too many classes.
        """
        name = None if name is None else _clean(name)
        self.assign_each(dict.fromkeys(indices, name))

    def assign_each(self, labels: Mapping[int, str | None], classes: Sequence[str] = ()) -> None:
        """Give each of these images its class, in one change; the others keep theirs. ``classes`` are added first.

        Raises:
            LabelsInvalid: as ``assign``; then nothing has changed.
        """
        cleaned = {name: _clean(name) for name in dict.fromkeys(labels.values()) if name is not None}
        with self._lock:
            for index in labels:
                if not 0 <= index < self._count:
                    raise LabelsInvalid(f"There is no image {index}; the stack has images 0 to {self._count - 1}.")
            known = self._with(*map(_clean, classes), *cleaned.values())
            self._do(known, {index: None if name is None else cleaned[name] for index, name in labels.items()})

    def undo(self) -> bool:
        """Undo the last change; False where there is none."""
        with self._lock:
            if not self._undo:
                return False
            change = self._undo.pop()
            self._redo.append(change)
            self._apply(change, 0)
            return True

    def redo(self) -> bool:
        """Do again what was undone last; False where there is nothing."""
        with self._lock:
            if not self._redo:
                return False
            change = self._redo.pop()
            self._undo.append(change)
            self._apply(change, 1)
            return True

    def _with(self, *names: str) -> tuple[str, ...]:
        classes = tuple(dict.fromkeys((*self._classes, *names)))
        if len(classes) > MAX_CLASSES:
            raise LabelsInvalid(
                f"There would be {len(classes):,} classes; at most {MAX_CLASSES} can be taught at once."
            )
        return classes

    def _check_known(self, name: str) -> None:
        if name not in self._classes:
            raise LabelsInvalid(f"There is no class {name!r}.")

    def _do(self, classes: tuple[str, ...], images: Mapping[int, str | None]) -> None:
        before = {index: self._by_image.get(index) for index in images}
        moved = {index: (before[index], name) for index, name in images.items() if before[index] != name}
        if classes == self._classes and not moved:
            return
        change = _Change((self._classes, classes), moved)
        self._undo.append(change)
        self._redo.clear()
        while len(self._undo) > 1 and (
            len(self._undo) > MAX_CHANGES or sum(len(one.images) for one in self._undo) > MAX_UNDO_IMAGES
        ):
            self._undo.popleft()
        self._apply(change, 1)

    def _apply(self, change: _Change, side: int) -> None:
        self._classes = change.classes[side]
        for index, names in change.images.items():
            if (name := names[side]) is None:
                self._by_image.pop(index, None)
            else:
                self._by_image[index] = name
        self.version += 1


def _clean(name: str) -> str:
    return clean_label(name, "The name of a class")
