"""Teaching as a person watches it: suggestions follow the labels, and nothing is looked at twice."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from core.base.errors import Cancelled, InvalidRequest
from core.base.settings import Settings
from core.recognition.service import RecognitionService
from core.stacks.stack import ImageStack
from core.teach.features import Looker
from core.teach.head import examples
from core.teach.labels import Labels
from core.teach.session import TeachingSession
from tests.builders import BROKEN_PNGS
from tests.conftest import MakeStack
from tests.helpers import FakeEngine, FakeModel, grey_png

GO = Event()
# Dark ones first, then light ones, and one that cannot be read: positions 0 to 9, 10 to 19, and 20.
FILES = {f"{number:02}.png": grey_png(number if number < 10 else 200 + number) for number in range(20)}
FILES["20.png"] = BROKEN_PNGS["wrong checksum of IDAT"]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine("pytorch-fp32", features=960)


@pytest.fixture
def stack(make_stack: MakeStack) -> ImageStack:
    return make_stack(FILES)


@pytest.fixture
def session(stack: ImageStack, settings: Settings, tmp_path: Path, engine: FakeEngine) -> TeachingSession:
    looker = Looker(RecognitionService(settings), stack, FakeModel(tmp_path / "greys", engine))
    return TeachingSession(looker, Labels(len(stack)))


def suggested(session: TeachingSession) -> list[str]:
    found = session.suggestions(GO)
    return [found.classes[number] for number in found.numbers]


def test_suggestions_begin_with_two_classes_of_two_and_follow_every_change(session: TeachingSession) -> None:
    session.look(GO)
    with pytest.raises(InvalidRequest, match="at least 2 classes"):
        session.suggestions(GO)
    session.labels.assign([0, 1], "dark")
    session.labels.assign([10], "light")
    with pytest.raises(InvalidRequest, match="'light' has 1 labelled image"):
        session.suggestions(GO)
    session.labels.assign([11], "light")
    assert suggested(session) == ["dark"] * 10 + ["light"] * 10
    assert session.suggestions(GO).indices.tolist() == list(range(20))  # not the broken one
    session.labels.rename_class("dark", "night")
    assert suggested(session)[:10] == ["night"] * 10
    session.labels.undo()
    session.labels.undo()
    with pytest.raises(InvalidRequest):
        session.suggestions(GO)


def test_each_image_and_each_mirror_image_of_a_labelled_one_is_looked_at_once(
    session: TeachingSession, engine: FakeEngine
) -> None:
    session.look(GO)
    session.labels.assign_each({0: "dark", 1: "dark", 10: "light", 11: "light"})
    for _ in range(3):
        session.suggestions(GO)
        session.look(GO)
    assert sum(engine.batch_sizes) == 20 + 4
    session.labels.assign([12], "light")
    session.suggestions(GO)
    assert sum(engine.batch_sizes) == 20 + 5


def test_recognised_images_cost_nothing_more(session: TeachingSession, stack: ImageStack, engine: FakeEngine) -> None:
    assert session.looker.known(range(21)) == []
    session.look(GO)
    done = sum(engine.batch_sizes)
    counted: list[int] = []
    assert session.looker.look(range(20), GO, on_images=counted.append) == list(range(20))
    assert (sum(engine.batch_sizes), sum(counted)) == (done, 20)


def test_the_queue_has_no_labelled_image(session: TeachingSession) -> None:
    session.look(GO)
    session.labels.assign_each({0: "dark", 1: "dark", 10: "light", 11: "light"})
    queue = session.suggestions(GO).review_queue(list(session.labels.by_image))[:5]
    assert len(queue) == 5
    assert not set(queue) & {0, 1, 10, 11, 20}


def test_a_broken_image_may_be_labelled_and_teaches_nothing(session: TeachingSession) -> None:
    session.labels.assign_each({0: "dark", 1: "dark", 2: "dark", 10: "light", 11: "light", 12: "light", 20: "light"})
    assert suggested(session) == ["dark"] * 3 + ["light"] * 3  # of those that were looked at
    assert session.evaluation(GO).accuracy.images == 6
    assert session.labelled() == [0, 1, 2, 10, 11, 12]


def test_like_this_one(session: TeachingSession) -> None:
    with pytest.raises(InvalidRequest, match="not been looked at"):
        session.similar(0, 3)
    session.look(GO)
    assert set(session.similar(0, 3)) <= set(range(1, 10))
    with pytest.raises(InvalidRequest):
        session.similar(20, 3)


def test_cancelled_looking_keeps_what_was_seen(session: TeachingSession) -> None:
    cancelled = Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        session.look(cancelled)
    session.look(GO)
    assert len(session.looker.known(range(21))) == 20


def test_examples_of_an_earlier_teaching_of_the_same_images_count_once(
    session: TeachingSession, make_stack: MakeStack, settings: Settings, tmp_path: Path, engine: FakeEngine
) -> None:
    """Otherwise cross-validation would judge an image by a head that has learnt from it."""
    given, looker = [0, 1, 2, 10, 11, 12], session.looker
    looker.look(given, GO)
    looker.look(given, GO, mirrored=True)
    features, mirrored = looker.read(given), looker.read(given, mirrored=True)
    kept = examples(("dark", "light"), ["dark"] * 3 + ["light"] * 3, features, mirrored, looker.contents(given))
    # The same pixels on another day, in files of other names: three of them, and two that are new.
    again = make_stack({f"again/{name}": FILES[name] for name in ("00.png", "01.png", "10.png", "05.png", "15.png")})
    onward = TeachingSession(
        Looker(RecognitionService(settings), again, FakeModel(tmp_path / "again", engine)), Labels(5), kept
    )
    onward.labels.assign_each({0: "dark", 1: "dark", 2: "dark", 3: "light", 4: "light"})  # 00, 01, 05, 10, 15
    assert onward.evaluation(GO).accuracy.images == 6 + 2
    onward.labels.assign([0], "light")
    found = onward.evaluation(GO)
    counts = dict(zip(found.classes, (share.images for share in found.per_class), strict=True))
    assert counts == {"dark": 2 + 1, "light": 3 + 2}, "of a kept example, the label that is given now counts"
