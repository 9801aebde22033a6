"""Training longer: judged on what it has not seen, kept only where it is better, and done in a process of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.base.errors import InvalidRequest
from core.base.settings import Settings
from core.base.worker_process import WorkerProcess
from core.models.model import Model
from core.optimize.calibration import load_inputs
from core.recognition.service import RecognitionService
from core.teach.features import Looker
from core.teach.head import examples, fit
from core.teach.longer import MAX_IMAGES, WORKER, check, judge, train_longer
from core.teach.taught import facts_of, write_taught
from core.trust.share import Share
from tests.conftest import MakeStack
from tests.unit.teach.clouds import clouds
from tests.unit.teach.stripes import stripes_files

NUMBERS = np.tile([0, 1], 50)


def logits(right: int, sure: float) -> np.ndarray:
    """Of 100 images, the first ``right`` are named rightly, each as surely."""
    made = np.zeros((100, 2), np.float32)
    named = NUMBERS.copy()
    named[right:] = 1 - named[right:]
    made[np.arange(100), named] = sure
    return made


@pytest.mark.parametrize(
    ("linear", "longer", "better"),
    [
        ((90, 2.0), (99, 3.0), True),
        ((90, 2.0), (90, 3.0), False),  # no more are right
        ((90, 2.0), (91, 0.1), False),  # one more, and all less sure
        ((90, 2.0), (80, 3.0), False),
        ((100, 5.0), (100, 5.0), False),
    ],
)
def test_it_is_better_only_if_more_are_right_and_right_classes_more_probable(
    linear: tuple[int, float], longer: tuple[int, float], better: bool
) -> None:
    found = judge(logits(*linear), logits(*longer), NUMBERS)
    assert (found.linear, found.longer, found.images) == (linear[0], longer[0], 100)
    assert found.is_better is better
    assert ("kept" in str(found)) is better
    assert ("not better, so the linear head stays" in str(found)) is not better


@pytest.mark.parametrize(
    ("classes", "each", "message"), [(2, 5, "at least 6 labelled images"), (3, MAX_IMAGES, f"at most {MAX_IMAGES:,}")]
)
def test_what_it_cannot_help_is_said(classes: int, each: int, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        check(clouds(classes, each, seed=0, width=4))
    check(clouds(2, 6, seed=0, width=4))


@pytest.mark.torch
def test_the_worker_trains_the_last_stage_and_nothing_before_it(
    make_stack: MakeStack, starter: Model, settings: Settings, tmp_path: Path
) -> None:
    from threading import Event

    stack = make_stack(stripes_files(6))
    looker, rows = Looker(RecognitionService(settings), stack, starter), range(12)
    looker.look(rows, Event())
    looker.look(rows, Event(), mirrored=True)
    labels = ["lying"] * 6 + ["upright"] * 6
    # Half of the labels are wrong: whatever is learnt is no better on images that were not seen.
    labels[::2] = ["upright"] * 3 + ["lying"] * 3
    given = examples(("lying", "upright"), labels, looker.read(rows), looker.read(rows, mirrored=True))
    head = fit(given)
    (tmp_path / "base").mkdir()
    facts = facts_of(starter, given, {}, Share(1, 2))
    base = write_taught(
        tmp_path / "base",
        starter,
        starter.weights,
        head,
        facts,
        stages="all",
        title="",
        cache_dir=settings.cache_dir,
    )
    (tmp_path / "scratch").mkdir()
    told: list[tuple[int, int]] = []
    _, inputs = load_inputs(stack, starter.preprocessing, rows)
    with WorkerProcess(WORKER) as worker:
        found, trained = train_longer(
            worker, base, given, head, inputs, tmp_path / "scratch", lambda *progress: told.append(progress)
        )
    assert found.images == 12
    assert told[:30] == [(epoch, 30) for epoch in range(1, 31)]
    assert (trained is not None) is found.is_better
    with np.load(tmp_path / "scratch" / "0.npz") as arrays:
        assert arrays["logits"].shape == (12, 2)
        names = set(arrays.files) - {"logits"}
        assert np.isfinite(arrays["fc.weight"]).all()
        assert not np.array_equal(arrays["fc.weight"], head.weight)
    assert {name.split(".")[0] for name in names} == {"layer4", "fc"}
    assert not any("running" in name for name in names)
