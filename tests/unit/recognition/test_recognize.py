"""The pipeline: every image answered once, in the order asked, for any batch size, engine, and number of people."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.base.errors import Cancelled, ImageNotFound, InvalidRequest, ModelError
from core.base.settings import Settings
from core.models.model import Model
from core.recognition.classifier import Classifier
from core.recognition.recognize import recognize
from core.recognition.results import TOP_K, Prediction
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from tests.builders import BROKEN_PNGS, PNG_KINDS, photo_png, png_of_kind, zip_bytes
from tests.conftest import MakeStack
from tests.helpers import SECONDS, FakeEngine, FakeModel, grey_png, wait_until

BROKEN = BROKEN_PNGS["wrong checksum of IDAT"]
COUNT = 21


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackStore]:
    """One store for all tests that only read."""
    store = StackStore(Settings(work_dir=tmp_path_factory.mktemp("shared"), workers=2))
    yield store
    store.close()


@pytest.fixture(scope="module")
def greys(shared: StackStore) -> ImageStack:
    """Image ``i`` has the shade ``10 * i``; number 5 is broken."""
    files = {f"{number}.png": BROKEN if number == 5 else grey_png(10 * number) for number in range(COUNT)}
    return shared.create(io.BytesIO(zip_bytes(files)), "greys.zip")


@pytest.fixture(scope="module")
def photos(shared: StackStore) -> ImageStack:
    """One image of every kind of PNG, so that the real engines get something different for each."""
    files = {f"{number}.png": png_of_kind(kind, 60, 45, seed=number) for number, kind in enumerate(PNG_KINDS)}
    return shared.create(io.BytesIO(zip_bytes(files)), "photos.zip")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def model(tmp_path: Path, engine: FakeEngine) -> FakeModel:
    return FakeModel(tmp_path / "greys", engine)


def expected_label(index: int) -> str:
    return "error" if index == 5 else str(10 * index)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 20, 256])
def test_every_image_gets_its_own_answer_in_the_order_asked(
    greys: ImageStack, model: FakeModel, engine: FakeEngine, settings: Settings, batch_size: int
) -> None:
    order = [20, 0, 7, 5, *range(8, 20), 3, 2, 1]
    result = recognize(greys, order, model, "openvino-int8", settings, batch_size=batch_size)
    assert [prediction.index for prediction in result.predictions] == order
    assert [prediction.label for prediction in result.predictions] == [expected_label(index) for index in order]
    assert [prediction.filename for prediction in result.predictions] == [f"{index}.png" for index in order]
    assert max(engine.batch_sizes) <= batch_size
    assert sum(engine.batch_sizes) == len(order) - 1
    assert len(engine.batch_sizes) == -(-(len(order) - 1) // batch_size), "only the last batch may be smaller"
    assert (result.engine, result.precision, result.model) == ("openvino-int8", "FAKE", "greys")
    assert (result.timing.images, result.timing.batch_size) == (len(order), batch_size)


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.integers(0, COUNT - 1), max_size=40), batch_size=st.integers(1, 9))
def test_any_order_with_any_repetition_is_answered_as_asked(
    greys: ImageStack, model: FakeModel, engine: FakeEngine, settings: Settings, order: list[int], batch_size: int
) -> None:
    engine.batch_sizes.clear()
    reported: list[int] = []

    def on_batch(predictions: Sequence[Prediction]) -> None:
        reported.extend(prediction.index for prediction in predictions)

    result = recognize(greys, order, model, "openvino-int8", settings, batch_size=batch_size, on_batch=on_batch)
    assert [prediction.label for prediction in result.predictions] == [expected_label(index) for index in order]
    assert sorted(reported) == sorted(set(order)), "each image is reported once, however often it is asked for"
    assert sum(engine.batch_sizes) == len(set(order) - {5}), "nothing is inferred twice, or though broken"


def test_an_unreadable_image_is_an_answer_with_a_reason_and_costs_no_other_its_own(
    greys: ImageStack, model: FakeModel, settings: Settings
) -> None:
    result = recognize(greys, range(COUNT), model, "openvino-int8", settings, batch_size=4)
    broken = result.predictions[5]
    assert (broken.label, broken.confidence, broken.top) == ("error", 0.0, ())
    assert broken.error is not None
    assert "copy or export it again" in broken.error
    assert [prediction.index for prediction in result.predictions if prediction.error] == [5]


def test_a_stack_of_nothing_but_broken_images_never_reaches_the_engine(
    make_stack: MakeStack, model: FakeModel, engine: FakeEngine, settings: Settings
) -> None:
    stack = make_stack({f"{number}.png": BROKEN for number in range(5)})
    result = recognize(stack, range(5), model, "openvino-int8", settings)
    assert [prediction.label for prediction in result.predictions] == ["error"] * 5
    assert engine.batch_sizes == []


def test_confidences_are_the_best_five_of_all_classes(greys: ImageStack, model: FakeModel, settings: Settings) -> None:
    (prediction,) = recognize(greys, [3], model, "openvino-int8", settings).predictions
    assert prediction.label == "30"
    assert len(prediction.top) == TOP_K
    assert 0.999 < prediction.confidence <= 1


def test_batches_overlap_as_far_as_the_engine_allows_and_no_further(
    greys: ImageStack, tmp_path: Path, settings: Settings
) -> None:
    together = threading.Barrier(2)  # a call that stays alone breaks the barrier and fails the run
    engine = FakeEngine(parallelism=2, before=lambda batch: together.wait(SECONDS) and None)
    model = FakeModel(tmp_path / "greys", engine)
    recognize(greys, [0, 1, 2, 3], model, "openvino-int8", settings, batch_size=1)
    assert engine.most_at_once == 2


def test_cancelling_in_the_middle_keeps_what_was_reported_and_stops(
    greys: ImageStack, tmp_path: Path, settings: Settings
) -> None:
    engine = FakeEngine(parallelism=1)
    model = FakeModel(tmp_path / "greys", engine)
    cancelled = threading.Event()
    reported: list[Prediction] = []

    def on_batch(predictions: Sequence[Prediction]) -> None:
        reported.extend(predictions)
        if len(reported) >= 4:
            cancelled.set()

    order = [index for index in range(COUNT) if index != 5]
    with pytest.raises(Cancelled, match="recognised so far is kept"):
        recognize(greys, order, model, "openvino-int8", settings, batch_size=2, on_batch=on_batch, cancelled=cancelled)
    assert [prediction.label for prediction in reported] == [expected_label(index) for index in order[: len(reported)]]
    assert len(reported) < len(order)
    assert sum(engine.batch_sizes) < len(order), "batches not begun yet are dropped"


def test_cancelled_before_the_start_nothing_is_inferred(
    greys: ImageStack, model: FakeModel, engine: FakeEngine, settings: Settings
) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        recognize(greys, range(4), model, "openvino-int8", settings, cancelled=cancelled)
    assert engine.batch_sizes == []


@pytest.mark.parametrize("who", ["engine", "listener"])
def test_a_failure_ends_the_run_and_its_threads(
    greys: ImageStack, tmp_path: Path, settings: Settings, who: str
) -> None:
    def fail(_: object) -> None:
        raise ModelError("The engine broke.")

    engine = FakeEngine(before=fail) if who == "engine" else FakeEngine()
    model = FakeModel(tmp_path / "greys", engine)
    others = set(threading.enumerate())
    with pytest.raises(ModelError, match="The engine broke"):
        if who == "engine":
            recognize(greys, range(COUNT), model, "openvino-int8", settings, batch_size=2)
        else:
            recognize(greys, range(COUNT), model, "openvino-int8", settings, batch_size=2, on_batch=fail)
    wait_until(
        lambda: not [one for one in set(threading.enumerate()) - others if one.name.startswith("infer")],
        "the threads of the failed run have ended",
    )


@pytest.mark.parametrize("index", [-1, COUNT])
def test_a_position_outside_the_stack_is_refused(
    greys: ImageStack, model: FakeModel, settings: Settings, index: int
) -> None:
    with pytest.raises(ImageNotFound, match=f"no image {index}"):
        recognize(greys, [0, index], model, "openvino-int8", settings)


def test_two_people_at_once_never_get_each_others_answers(
    make_stack: MakeStack, tmp_path: Path, settings: Settings
) -> None:
    """The same names in both stacks, one engine, many small batches: only the pixels differ."""
    engine = FakeEngine(parallelism=4)
    model = FakeModel(tmp_path / "greys", engine)
    offsets = (0, 100, 200)
    stacks = [make_stack({f"{n}.png": grey_png(offset + n) for n in range(50)}) for offset in offsets]

    def run(number: int) -> list[str]:
        stack = stacks[number % 3]
        result = recognize(stack, range(50), model, "openvino-int8", settings, batch_size=1 + number)
        return [prediction.label for prediction in result.predictions]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(run, range(6)))
    for number, labels in enumerate(answers):
        assert labels == [str(offsets[number % 3] + n) for n in range(50)]
    assert model.loads == ["openvino-int8"]


@pytest.mark.parametrize("asked", [-1, 257, 10**9])
def test_a_batch_size_out_of_range_is_refused_before_anything_is_done(
    greys: ImageStack, model: FakeModel, engine: FakeEngine, settings: Settings, asked: int
) -> None:
    with pytest.raises(InvalidRequest, match="between 1 and 256"):
        recognize(greys, [0], model, "openvino-int8", settings, batch_size=asked)
    assert engine.batch_sizes == []


@pytest.mark.parametrize(("asked", "configured", "expected"), [(7, 3, 7), (0, 3, 3), (7, 0, 7), (0, 0, 16)])
def test_what_is_asked_for_goes_before_the_setting_and_that_before_the_measured_size(
    monkeypatch: pytest.MonkeyPatch, model: FakeModel, engine: FakeEngine, asked: int, configured: int, expected: int
) -> None:
    monkeypatch.setattr("core.recognition.classifier.automatic_batch_size", lambda *_: 16)
    assert Classifier(model, engine.name).batch_size(asked, Settings(batch_size=configured)) == expected


@pytest.mark.parametrize(
    ("asked", "configured", "images", "expected"),
    [(0, 0, 1, 1), (0, 0, 2, 1), (0, 0, 3, 16), (0, 0, 0, 1), (7, 0, 1, 7), (0, 3, 1, 3), (0, 0, None, 16)],
)
def test_few_images_do_not_wait_for_a_measurement(
    monkeypatch: pytest.MonkeyPatch,
    model: FakeModel,
    engine: FakeEngine,
    asked: int,
    configured: int,
    images: int | None,
    expected: int,
) -> None:
    measured: list[int] = []
    monkeypatch.setattr("core.recognition.classifier.automatic_batch_size", lambda *_: (measured.append(1), 16)[1])
    assert engine.parallelism == 2
    assert Classifier(model, engine.name).batch_size(asked, Settings(batch_size=configured), images=images) == expected
    assert bool(measured) is (expected == 16)


def test_the_clock_tells_where_the_time_went(greys: ImageStack, tmp_path: Path, settings: Settings) -> None:
    engine = FakeEngine(parallelism=1, before=lambda batch: threading.Event().wait(0.02) and None)
    timing = recognize(
        greys, range(5), FakeModel(tmp_path / "greys", engine), "openvino-int8", settings, batch_size=1
    ).timing
    assert 0.1 <= timing.infer_seconds <= timing.total_seconds
    assert timing.wait_seconds < timing.total_seconds
    assert timing.images_per_second == pytest.approx(5 / timing.total_seconds)


def confidences(predictions: Sequence[Prediction], classes: Sequence[str]) -> np.ndarray:
    """``[N, k]`` probabilities by class; those outside the five best are NaN."""
    rows = [{score.label: score.confidence for score in prediction.top} for prediction in predictions]
    return np.array([[row.get(label, np.nan) for label in classes] for row in rows])


def test_the_real_int8_engine_answers_the_same_for_any_batch_size(
    photos: ImageStack, starter: Model, settings: Settings
) -> None:
    indices = range(len(photos))
    single = recognize(photos, indices, starter, "openvino-int8", settings, batch_size=1)
    assert {prediction.label for prediction in single.predictions} <= set(starter.card.classes)
    assert not [prediction for prediction in single.predictions if prediction.error]
    for size in (3, 8):
        batched = recognize(photos, indices, starter, "openvino-int8", settings, batch_size=size)
        both = [confidences(result.predictions, starter.card.classes) for result in (single, batched)]
        assert np.nanmax(np.abs(both[0] - both[1])) < 1e-5


def test_the_automatic_batch_size_is_measured_once_and_remembered(
    photos: ImageStack, starter: Model, tmp_path: Path
) -> None:
    settings = Settings(cache_dir=tmp_path / "cache")
    indices = range(starter.engine("openvino-int8").parallelism + 1)
    sizes = [recognize(photos, indices, starter, "openvino-int8", settings).timing.batch_size for _ in range(3)]
    assert len(set(sizes)) == 1
    assert (tmp_path / "cache" / "batch_sizes.json").exists()


def test_the_stack_is_left_as_it_was(photos: ImageStack, starter: Model, settings: Settings) -> None:
    before = [photos.original(index) for index in range(len(photos))]
    recognize(photos, range(len(photos)), starter, "openvino-int8", settings)
    assert [photos.original(index) for index in range(len(photos))] == before


@pytest.mark.torch
def test_openvino_and_pytorch_say_the_same_of_the_same_images(
    photos: ImageStack, starter: Model, settings: Settings
) -> None:
    results = {
        name: recognize(photos, range(len(photos)), starter, name, settings)
        for name in ("pytorch-fp32", "openvino-fp32", "openvino-int8")
    }
    reference, fp32, int8 = (confidences(result.predictions, starter.card.classes) for result in results.values())
    assert [result.engine for result in results.values()] == list(results)
    assert np.nanmax(np.abs(reference - fp32)) < 1e-3
    assert [p.label for p in results["openvino-fp32"].predictions] == [
        p.label for p in results["pytorch-fp32"].predictions
    ]
    # Quantization moves probabilities a little; noise images, far from any photo, are the worst case.
    assert np.nanmean(np.abs(reference - int8)) < 0.05
    assert np.nanmax(np.abs(reference - int8)) > 0, "INT8 that equals FP32 to the last bit is not INT8"


def test_photos_of_different_content_get_different_confidences(
    make_stack: MakeStack, starter: Model, settings: Settings
) -> None:
    stack = make_stack({f"{seed}.png": photo_png(seed=seed) for seed in range(4)})
    result = recognize(stack, range(4), starter, "openvino-int8", settings)
    assert len({prediction.confidence for prediction in result.predictions}) == 4
