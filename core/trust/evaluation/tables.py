"""An evaluation as CSV: a line for each image, or for each class."""

from __future__ import annotations

from collections.abc import Iterator

from core.base.spreadsheet import write_csv
from core.trust.evaluation import figures
from core.trust.evaluation.evaluation import Evaluation, Run

IMAGE_COLUMNS = (
    *("position", "file", "model", "engine", "known_class", "class", "right", "confidence", "rank"),
    "known_confidence",
)
CLASS_COLUMNS = (
    *("model", "engine", "class", "images", "named", "right", "recall", "recall_low", "recall_high"),
    *("precision", "precision_low", "precision_high", "f1", "f1_low", "f1_high"),
)
_DIGITS = 6


def images_csv(found: Evaluation) -> str:
    """A line of ``IMAGE_COLUMNS`` for each image and run, those judged; positions count from 1, as on the pages.

    ``rank`` is the known class's place among the five best, 0 where it is not there. No text runs as a formula.
    """
    return write_csv(IMAGE_COLUMNS, (row for run in found.runs for row in _images(run, found.names)))


def classes_csv(found: Evaluation) -> str:
    """A line of ``CLASS_COLUMNS`` for each class and run; shares 0..1, and no text runs as a formula."""
    return write_csv(CLASS_COLUMNS, (row for run in found.runs for row in _classes(run)))


def _images(run: Run, names: tuple[str, ...]) -> Iterator[dict[str, object]]:
    judged, classes = run.judged, run.classes
    known, rank, right = figures.known_confidence(judged), judged.rank, judged.right
    for row, index in enumerate(judged.images.tolist()):
        yield {
            "position": index + 1,
            "file": names[index],
            "model": run.model,
            "engine": run.engine,
            "known_class": classes[judged.truth[row]],
            "class": classes[judged.said[row]],
            "right": int(right[row]),
            "confidence": round(float(judged.confidence[row]), _DIGITS),
            "rank": int(rank[row]),
            "known_confidence": round(float(known[row]), _DIGITS),
        }


def _classes(run: Run) -> Iterator[dict[str, object]]:
    for one in figures.per_class(run.judged):
        shares = {"recall": one.recall, "precision": one.precision}
        yield {
            "model": run.model,
            "engine": run.engine,
            "class": run.classes[one.place],
            "images": one.recall.images,
            "named": one.precision.images,
            "right": one.recall.right,
            **{name: round(share.value, _DIGITS) for name, share in shares.items()},
            **{f"{name}_low": round(share.low, _DIGITS) for name, share in shares.items()},
            **{f"{name}_high": round(share.high, _DIGITS) for name, share in shares.items()},
            "f1": round(one.f1, _DIGITS),
            "f1_low": round(one.f1_low, _DIGITS),
            "f1_high": round(one.f1_high, _DIGITS),
        }
