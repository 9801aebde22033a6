"""Training longer: judged on what it has not seen, kept only where it is better, and done in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from core.base.errors import InvalidRequest
from core.base.settings import Settings
from core.base.worker_process import WorkerProcess
from core.models.model import Model
from core.optimize.calibration import load_inputs
from core.recognition.service import RecognitionService
from core.teach.features import Looker
from core.teach.head import Examples, examples, fit
from core.teach.longer import FOLDS, HEAD, MAX_IMAGES, STAGE, WORKER, check, compare_longer, train_longer
from core.teach.taught import teaching_of, write_taught
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
        ((90, 2.0), (90, 3.0), False),  # as many, and surer where wrong
        ((90, 1.0), (90, 1.2), True),  # as many, and all in all surer where right
        ((90, 1.0), (89, 1.5), False),
        ((90, 2.0), (91, 0.1), False),  # one more, and all less sure
        ((90, 2.0), (80, 3.0), False),
        ((100, 5.0), (100, 5.0), False),
    ],
)
def test_it_is_better_only_if_no_fewer_are_right_and_right_classes_more_probable(
    linear: tuple[int, float], longer: tuple[int, float], better: bool
) -> None:
    found = compare_longer("this", logits(*linear), logits(*longer), NUMBERS)
    assert str(found).startswith("this: right on")
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


class FakeWorker:
    """Says of all images what it is told to say, and trains nothing."""

    def __init__(self, logits: np.ndarray) -> None:
        self.logits = logits
        self.lessons: list[int] = []

    def call(self, command: str, on_event: object, *, lessons: list, out: Path, **given: object) -> None:
        self.lessons.append(len(lessons))
        for number in range(len(lessons)):
            named = {"layer4.0.conv1.weight": np.ones(1, np.float32), "fc.weight": np.ones((2, 8), np.float32)}
            np.savez(out / f"{number}.npz", logits=self.logits, **named)


@pytest.mark.parametrize(
    ("stage_is_right", "light_helps", "chosen"),
    [(True, False, STAGE), (True, True, STAGE), (False, True, HEAD), (False, False, None)],
)
def test_the_better_way_is_kept_or_neither(
    stage_is_right: bool, light_helps: bool, chosen: str | None, tmp_path: Path, starter: Model
) -> None:
    random, numbers = np.random.default_rng(3), np.tile([0, 1], 40)
    towards = np.where(numbers == 1, 1.0, -1.0)[:, None].astype(np.float32)
    direction = np.ones((1, 8), np.float32)

    def features(clear: float) -> np.ndarray:
        return (towards * direction * clear + random.normal(size=(80, 8))).astype(np.float32)

    given = Examples(("a", "b"), numbers, features(0.25), features(0.25))
    worker = FakeWorker((towards if stage_is_right else -towards) * np.array([[-9.0, 9.0]], np.float32))
    found, trained = train_longer(
        cast("WorkerProcess", worker),
        starter,
        given,
        np.zeros((80, 4, 4, 3), np.uint8),
        # Where light harms, it turns everything round.
        lambda images: features(1.0 if light_helps else -1.0),
        tmp_path,
    )
    assert found.is_better is (chosen is not None)
    assert found.images == 80
    assert worker.lessons == ([FOLDS, 1] if chosen == STAGE else [FOLDS]), "all are trained on only where it is kept"
    if chosen is None:
        assert trained is None
    else:
        assert trained is not None
        assert found.what == chosen
        assert set(trained.parameters) == {"fc.weight", "fc.bias" if chosen == HEAD else "layer4.0.conv1.weight"}


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
    facts = teaching_of(starter, given, {}, Share(1, 2))
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
    engine = starter.engine(looker.engine)

    def look(images: np.ndarray) -> np.ndarray:
        return engine.infer(np.ascontiguousarray(images), ("features",))["features"]

    with WorkerProcess(WORKER) as worker:
        found, trained = train_longer(
            worker, base, given, inputs, look, tmp_path / "scratch", lambda *progress: told.append(progress)
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
