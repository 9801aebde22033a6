"""Results of a batch job as stacks: a page of rows, the job's answers beside their images, and the way to others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.base.errors import AppError, ImageError, NotAllowed, OutcomeInvalid
from core.base.settings import Settings
from core.batch.outcome.rows import Wish
from core.batch.outcome.service import Outcomes
from core.batch.parts import Row
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.roots import StackRoots
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from tests.builders import photo_png, zip_bytes
from tests.helpers import wait_until
from tests.outcomes import row_of, write_outcome

HOUR = 3600


@pytest.fixture
def recognition(settings: Settings) -> RecognitionService:
    return RecognitionService(settings)


@pytest.fixture
def outcomes(
    tmp_path: Path, settings: Settings, store: StackStore, registry: ModelRegistry, recognition: RecognitionService
) -> Outcomes:
    """Of what lies in the folder ``open``; pages of four rows."""
    (tmp_path / "open" / "photos").mkdir(parents=True)
    roots = StackRoots(settings.model_copy(update={"stack_roots": str(tmp_path / "open")}), is_local=True)
    return Outcomes(settings, store, roots, registry, recognition, page_rows=4)


@pytest.fixture
def photos(tmp_path: Path, outcomes: Outcomes) -> list[Path]:
    """Ten files, as old as those that a job has read."""
    paths = [tmp_path / "open" / "photos" / f"{number}.png" for number in range(10)]
    for number, path in enumerate(paths):
        path.write_bytes(photo_png(40 + number, 30, seed=number))
        os.utime(path, (HOUR, HOUR))
    return paths


def opened(outcomes: Outcomes, tmp_path: Path, *parts: list[Row], **facts: str) -> ImageStack:
    folder = write_outcome(tmp_path / "open" / "job", str(tmp_path / "open" / "photos"), parts, **facts)
    return outcomes.open(str(folder), "somebody")


def test_rows_are_images_with_the_jobs_answers_and_nothing_is_computed(
    tmp_path: Path, outcomes: Outcomes, photos: list[Path], recognition: RecognitionService
) -> None:
    rows = [row_of(path, ("cat", 0.5 + number / 20), ("dog", 0.25), known=0.5) for number, path in enumerate(photos)]
    stack = opened(outcomes, tmp_path, rows[:3], rows[3:])
    assert [entry.name for entry in stack.entries] == ["0.png", "1.png", "2.png", "3.png"]  # a page of them
    assert [entry.header.width for entry in stack.entries] == [40, 41, 42, 43]
    results = recognition.results(stack)
    assert results.engines == ("openvino-int8",)
    for index, (path, found) in enumerate(zip(photos[:4], results.of("openvino-int8").values(), strict=True)):
        assert stack.original(index) == path.read_bytes()
        assert [score.label for score in found.top] == ["cat", "dog"]
        assert found.confidence == pytest.approx(0.5 + index / 20, abs=1e-6)
        assert (found.model, found.known_score, found.known, found.error) == ("made up", 0.5, True, None)
        assert found.calibrated is False  # a model that is not here says nothing of it
    page = outcomes.page(stack)
    assert page is not None
    assert (page.facts.model_checksum, page.facts.engine_checksum) == ("0123456789abcdef", "fedcba987654")
    assert recognition.model(stack, "made up") is None
    assert stack.progress.done == 0  # no image is decoded before somebody looks at it


def test_answers_of_an_installed_model_count_as_its_own_and_those_of_a_namesake_do_not(
    tmp_path: Path, outcomes: Outcomes, photos: list[Path], recognition: RecognitionService, registry: ModelRegistry
) -> None:
    starter = registry.get("starter")
    rows = [row_of(photos[0], ("cat", 0.5))]
    own = opened(outcomes, tmp_path, rows, model="starter", model_checksum=starter.answers_key)
    [answer] = recognition.results(own).by_model("openvino-int8", starter.answers_key)
    assert (answer.model, answer.calibrated) == ("starter", "openvino-int8" in starter.card.confidence)
    folder = write_outcome(tmp_path / "open" / "other", "", [rows], model="starter")
    other = outcomes.open(str(folder), "somebody")
    assert recognition.results(other).by_model("openvino-int8", starter.answers_key) == []
    [answer] = recognition.results(other).at(0)
    assert answer.model == "starter (0123456789ab)"


def test_a_row_without_an_answer_says_why_and_one_without_its_file_keeps_its_answer(
    tmp_path: Path, outcomes: Outcomes, photos: list[Path], recognition: RecognitionService
) -> None:
    bad = row_of(photos[0], error_code="image_invalid", error="The file is damaged.")
    good, gone = row_of(photos[1], ("cat", 1.0)), row_of(tmp_path / "gone", ("dog", 1.0))
    stack = opened(outcomes, tmp_path, [bad, good, gone])
    first, *others = recognition.results(stack).of("openvino-int8").values()
    assert (first.error, first.label) == ("The file is damaged.", "error")
    assert [one.label for one in others] == ["cat", "dog"]
    with pytest.raises(ImageError, match="file is damaged"):
        stack.thumbnail(0)
    assert stack.thumbnail(1)


def test_pages_follow_what_is_wanted_and_take_labelled_images_along(
    tmp_path: Path, outcomes: Outcomes, photos: list[Path], recognition: RecognitionService
) -> None:
    rows = [row_of(path, ("cat" if number % 2 else "dog", number / 10)) for number, path in enumerate(photos)]
    first = opened(outcomes, tmp_path, rows[:2], rows[2:])
    least = outcomes.turn_to(first, Wish(order="least sure", label="cat"), 0, "somebody", keep=[0])
    assert [entry.name for entry in least.entries] == ["1.png", "3.png", "5.png", "7.png", "0.png"]
    page = outcomes.page(least)
    assert page is not None
    assert (page.found, page.start, page.kept) == (5, 0, 1)
    assert least.in_name_order is False
    rest = outcomes.turn_to(least, Wish(order="least sure", label="cat"), 4, "somebody", keep=[4, 0])
    assert [entry.name for entry in rest.entries] == ["9.png", "0.png", "1.png"]
    beyond = outcomes.turn_to(rest, Wish(), 10_000, "somebody")
    assert [entry.name for entry in beyond.entries] == ["8.png", "9.png"]
    assert [answer.label for answer in recognition.results(beyond).of("openvino-int8").values()] == ["dog", "cat"]
    with pytest.raises(OutcomeInvalid, match="No image of the job is like that"):
        outcomes.turn_to(beyond, Wish(name="no such"), 0, "somebody")
    assert outcomes.page(beyond) is not None  # still open


def test_it_ends_with_its_stacks_and_gives_everything_back(
    tmp_path: Path, outcomes: Outcomes, photos: list[Path], store: StackStore
) -> None:
    stack = opened(outcomes, tmp_path, [row_of(path, ("cat", 0.5)) for path in photos])
    page = outcomes.page(stack)
    assert page is not None
    page.outcome.rows()
    assert store.usage.bytes > 0
    assert list((store.folder / "outcomes").iterdir()) == []  # nothing that could be left behind
    store.delete(stack.id)
    del stack, page
    store.sweep()
    wait_until(lambda: store.usage.bytes == 0, "the room is given back")
    assert all(path.exists() for path in photos)


@pytest.mark.parametrize("spoil", ["roots", "no results", "job", "engine", "rows"])
def test_what_is_no_job_that_can_be_shown_is_refused(
    tmp_path: Path, outcomes: Outcomes, photos: list[Path], store: StackStore, spoil: str
) -> None:
    place = tmp_path if spoil == "roots" else tmp_path / "open"
    facts = {"engine": "abacus"} if spoil == "engine" else {}
    rows = [[row_of(photos[0], ("cat", 0.5))]] if spoil != "no results" else []
    folder = write_outcome(place / "job", "", rows, **facts)
    if spoil == "job":
        (folder / "job.json").write_text('{"source": 7}')
    if spoil == "rows":
        (folder / "parts" / "000000000.parquet").write_bytes(b"PAR1" * 10)
    kind: type[AppError] = NotAllowed if spoil == "roots" else OutcomeInvalid
    with pytest.raises(kind) as refusal:
        outcomes.open(str(folder), "somebody")
    assert str(refusal.value).endswith(".")
    assert len(store) == 0
    wait_until(lambda: store.usage.bytes == 0, "nothing is kept")


def test_everything_else_is_opened_as_before(tmp_path: Path, outcomes: Outcomes, photos: list[Path]) -> None:
    (tmp_path / "open" / "a.zip").write_bytes(zip_bytes({"a.png": photo_png()}))
    for path, images in ((photos[0].parent, 10), (tmp_path / "open" / "a.zip", 1)):
        stack = outcomes.open(str(path), "somebody")
        assert (len(stack), outcomes.page(stack)) == (images, None)
