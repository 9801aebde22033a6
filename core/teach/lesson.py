"""What somebody wants taught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import InvalidRequest
from core.optimize.calibration import MIN_IMAGES
from core.stacks.stack import ImageStack
from core.teach.head import Examples
from core.teach.taught import Stages


@dataclass(frozen=True, slots=True)
class Lesson:
    """What to teach.

    Attributes:
        labels: the class of each labelled image, by position.
        classes: the classes in the order the model shall have; those without images are left out.
        folder: where the model comes to be; its name becomes the model's name.
        title: for people.
        stages: which the head looks at.
        kept: examples of an earlier teaching, to go on from.
        longer: train the last stage too, and keep that where it is better.
        threshold: of the known score, below which an image shows none of the classes; None is the usual one.
    """

    labels: Mapping[int, str]
    classes: tuple[str, ...]
    folder: Path
    title: str
    stages: Stages = "all"
    kept: Examples | None = None
    longer: bool = False
    threshold: float | None = None

    def check(self, stack: ImageStack) -> None:
        """Raise InvalidRequest for what can be known to fail before any work."""
        if len(stack) < MIN_IMAGES:
            raise InvalidRequest(f"Teaching needs a stack of at least {MIN_IMAGES} images; this one has {len(stack)}.")
        counts = dict.fromkeys(self.labels.values(), 0)
        for label in self.labels.values():
            counts[label] += 1
        if self.kept is not None and self.longer:
            raise InvalidRequest("Training longer needs images, and of earlier examples there are none any more.")
        if self.kept is None and (len(counts) < 2 or min(counts.values()) < 3):
            raise InvalidRequest("Teaching needs at least two classes with three labelled images each.")
