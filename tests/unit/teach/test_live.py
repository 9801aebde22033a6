"""Learning while a person labels: it keeps up, tells, and never makes anybody wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import LabelsInvalid
from core.base.settings import Settings
from core.recognition.service import RecognitionService
from core.teach.features import Looker
from core.teach.labels import Labels
from core.teach.live import LiveTeaching
from core.teach.session import TeachingSession
from tests.builders import BROKEN_PNGS
from tests.conftest import MakeStack
from tests.helpers import FakeEngine, FakeModel, grey_png, wait_until

# Dark ones first, then light ones, and one that cannot be read: positions 0 to 9, 10 to 19, and 20.
FILES = {f"{number:02}.png": grey_png(number if number < 10 else 200 + number) for number in range(20)}
FILES["20.png"] = BROKEN_PNGS["wrong checksum of IDAT"]


class Gate:
    """Holds an engine until it is opened; ``error`` is raised there instead."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None

    def __call__(self, batch: np.ndarray) -> None:
        if self.error is not None:
            raise self.error
        self.open.wait()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def live(make_stack: MakeStack, settings: Settings, tmp_path: Path, gate: Gate) -> Iterator[LiveTeaching]:
    stack = make_stack(FILES)
    engine = FakeEngine("pytorch-fp32", features=960, before=gate)
    looker = Looker(RecognitionService(settings), stack, FakeModel(tmp_path / "greys", engine))
    live = LiveTeaching(TeachingSession(looker, Labels(len(stack))))
    yield live
    gate.open.set()
    live.stop()


def learn(live: LiveTeaching) -> None:
    live.refresh()
    wait_until(lambda: not live.pending, "all to be learned")


def teach(live: LiveTeaching, each: int = 3) -> None:
    live.labels.assign(range(each), "dark")
    live.labels.assign(range(10, 10 + each), "light")
    learn(live)


def test_it_looks_learns_and_judges_and_says_what_is_missing(live: LiveTeaching) -> None:
    live.labels.assign([0, 1, 2], "dark")
    learn(live)
    assert live.learned.suggestions is None
    assert "at least 2 classes" in live.learned.note
    assert live.looked == len(FILES)
    before = live.revision
    teach(live)
    learned = live.learned
    assert (learned.note, learned.problem, learned.not_judged) == ("", "", "")
    assert live.revision > before
    found = learned.suggestions
    assert found is not None
    assert [found.classes[number] for number in found.numbers] == ["dark"] * 10 + ["light"] * 10
    assert set(learned.queue) == set(range(20)) - {0, 1, 2, 10, 11, 12}
    judgement = learned.judgement
    assert judgement is not None
    assert (judgement.images, judgement.labels) == ((0, 1, 2, 10, 11, 12), ("dark",) * 3 + ("light",) * 3)
    assert judgement.evaluation.accuracy.right == 6


def test_two_examples_suggest_and_cannot_be_judged(live: LiveTeaching) -> None:
    teach(live, each=2)
    assert live.learned.suggestions is not None
    assert "three labelled images" in live.learned.not_judged
    assert live.learned.judgement is None


def test_nobody_waits_for_it(live: LiveTeaching, gate: Gate) -> None:
    gate.open.clear()
    live.labels.assign([0, 1], "dark")
    live.refresh()
    live.labels.assign([10, 11], "light")
    live.refresh()
    assert live.pending
    assert live.learned.suggestions is None
    gate.open.set()
    learn(live)
    assert live.learned.version == live.labels.version


def test_sure_ones_are_those_without_a_label(live: LiveTeaching) -> None:
    live.labels.assign([9], "light")
    teach(live)
    live.threshold = 0.0
    sure = live.sure("dark", 0.5)
    assert not {0, 1, 2, 9} & set(sure)
    assert sure
    live.labels.assign(sure, "dark")
    assert live.unlabelled([*sure, 19]) == [19]
    assert live.sure("dark", 0.5) == []
    assert live.sure("nobody", 0.0) == []


def test_the_threshold_is_measured_until_a_person_moves_it(live: LiveTeaching) -> None:
    assert live.threshold is None
    teach(live)
    measured = live.threshold
    assert measured is not None
    before = live.revision
    live.threshold = 1.0
    assert live.sure("dark", 0.0) == [], "all are unlike the examples"
    assert live.revision > before
    live.threshold = None
    assert (live.threshold, live.own_threshold) == (measured, None)


def test_what_goes_wrong_is_told_once_and_the_next_change_tries_again(live: LiveTeaching, gate: Gate) -> None:
    gate.error = LabelsInvalid("The disk is full.")
    live.labels.assign([0, 1, 2], "dark")
    learn(live)
    assert live.learned.problem == "The disk is full."
    live.refresh()
    assert not live.pending, "it does not try for ever"
    gate.error = None
    teach(live)
    assert live.learned.problem == ""
    assert live.learned.suggestions is not None


def test_with_many_labels_judging_waits_to_be_asked(live: LiveTeaching) -> None:
    for number in range(190):
        live.labels.add_class(f"class {number}")
    live.labels.assign(range(10), "class 0")
    live.labels.assign(range(10, 19), "class 1")
    live.labels.assign([19, 20], "class 1")
    learn(live)
    assert not live.waits_to_be_asked, "21 x 190 is not much"
    live.labels.add_class("class 190")
    assert len(live.labels.by_image) * len(live.labels.classes) == 4_011
    learn(live)
    assert live.waits_to_be_asked
    before = live.learned.judgement
    live.judge()
    learn(live)
    assert live.learned.judgement is not before
    assert not live.waits_to_be_asked


def test_a_stopped_one_does_nothing_more(live: LiveTeaching) -> None:
    live.stop()
    live.labels.assign([0, 1], "dark")
    live.refresh()
    assert not live.pending
    assert live.looked == 0
