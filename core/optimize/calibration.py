"""Which images calibrate a model and which, never the same, judge the result; and their classes where known."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from core.base.errors import InvalidRequest
from core.base.spreadsheet import from_text
from core.images.preprocessing import Preprocessing
from core.stacks.stack import ImageStack

DEFAULT_CALIBRATION_IMAGES = 300  # NNCF's own default
MAX_CALIBRATION_IMAGES = 400
ADVISED_CALIBRATION_IMAGES = 100  # below this the value ranges seen are rough; allowed, and said
MIN_IMAGES = 20  # of which half calibrate and half judge; fewer say nothing about either
MAX_EVALUATION_IMAGES = 400


@dataclass(frozen=True, slots=True)
class Split:
    """Positions in a stack, ascending; no position is in both."""

    calibration: tuple[int, ...]
    evaluation: tuple[int, ...]


def split(count: int, wanted: int = DEFAULT_CALIBRATION_IMAGES) -> Split:
    """Take ``wanted`` of ``count`` images for calibration, evenly over the stack, and others for the judgement.

    A small stack gives at most half of its images to calibration.

    Raises:
        InvalidRequest: the stack has fewer than ``MIN_IMAGES`` images, or ``wanted`` is out of range.
    """
    if count < MIN_IMAGES:
        raise InvalidRequest(f"Calibration needs a stack of at least {MIN_IMAGES} images; this one has {count}.")
    if not MIN_IMAGES // 2 <= wanted <= MAX_CALIBRATION_IMAGES:
        raise InvalidRequest(
            f"The number of calibration images must be between {MIN_IMAGES // 2} and {MAX_CALIBRATION_IMAGES}."
        )
    calibration = _evenly(range(count), min(wanted, count // 2))
    taken = set(calibration)
    rest = [index for index in range(count) if index not in taken]
    return Split(calibration, _evenly(rest, MAX_EVALUATION_IMAGES))


def load_inputs(
    stack: ImageStack,
    preprocessing: Preprocessing,
    indices: Sequence[int],
    on_image: Callable[[], None] = lambda: None,
) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
    """The model inputs of images, uint8 ``[N, *input_shape]``, and their positions; unreadable images are left out.

    ``on_image`` is called for each image before it is waited for; what it raises ends the work.
    """
    made = stack.inputs(preprocessing)
    for _, job in made.prepare_ahead(indices):
        on_image()
        job.result()
    readable = [index for index in indices if stack.error(index) is None]
    inputs = np.empty((len(readable), *made.shape), np.uint8)
    for row, index in enumerate(readable):
        made.read(index, inputs[row])
    return tuple(readable), inputs


def labels_from_folders(names: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Class indices ``[N]`` of images in one folder for each class (``photos/golf_ball/1.png``); -1 where unknown."""
    known = {_key(label): index for index, label in enumerate(classes)}
    return np.array([known.get(_key(PurePosixPath(name).parent.name), -1) for name in names], np.int64)


def labels_from_names(given: Mapping[int, str], count: int, classes: Sequence[str]) -> NDArray[np.int64]:
    """Class indices ``[count]`` of images that were given names of classes, by position; -1 where unknown."""
    known = {_key(label): index for index, label in enumerate(classes)}
    return np.array([known.get(_key(given.get(index, "")), -1) for index in range(count)], np.int64)


def labels_from_csv(data: bytes, names: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Class indices ``[N]`` from a CSV of file name and class, with or without a header; -1 where it says nothing.

    Raises:
        InvalidRequest: the file is not such a table, or names no image of the stack.
    """
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(
            "The labels file is not a CSV in UTF-8; save it as one, with file name and class."
        ) from error
    known = {_key(label): index for index, label in enumerate(classes)}
    # Names and classes may come from results that the product saved, with apostrophes before what begins a formula.
    said = {from_text(row[0].strip()): known.get(_key(row[1]), -1) for row in rows if len(row) >= 2}
    plain = map(from_text, names)
    labels = np.array([said.get(name, said.get(PurePosixPath(name).name, -1)) for name in plain], np.int64)
    if (labels < 0).all():
        raise InvalidRequest(
            "The labels file gives no image of this stack a class of this model; its columns must be file name, class."
        )
    return labels


def _evenly(indices: Sequence[int], count: int) -> tuple[int, ...]:
    """``count`` of ``indices`` (all, where there are fewer), evenly spread, the order kept."""
    if len(indices) <= count:
        return tuple(indices)
    places = np.linspace(0, len(indices) - 1, count).round().astype(int)
    return tuple(indices[place] for place in places)


def _key(label: str) -> str:
    return from_text(label.strip()).replace("_", " ").casefold()
