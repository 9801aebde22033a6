"""Features come with the answers, are kept once, and never cost an answer."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import QuotaExceeded
from core.base.settings import Settings
from core.recognition.features import MOST_KEPT, FeatureRows
from core.recognition.service import Order, Purpose, RecognitionService, Watcher
from core.stacks.stack import ImageStack, prepared_bytes
from core.stacks.store import StackStore
from core.stacks.upload import GRANT_BYTES
from tests.builders import png_bytes, zip_bytes
from tests.conftest import MakeStack
from tests.helpers import FakeEngine, FakeModel, grey_png

GREYS = {f"{value}.png": grey_png(value) for value in range(4)}
INT8, FP32 = "openvino-int8", "openvino-fp32"


def model(folder: Path, features: int = 960) -> FakeModel:
    return FakeModel(folder, FakeEngine(INT8, features=features), FakeEngine(FP32, features=features))


def run(service: RecognitionService, stack: ImageStack, made: FakeModel, engine: str, purpose: Purpose) -> None:
    order = Order(stack, range(len(stack)), made, (engine,), batch_size=2, purpose=purpose)
    service.run(order, "page", Watcher(), threading.Event())


@pytest.mark.parametrize(
    ("engine", "purpose", "kept", "answers"),
    [
        (INT8, "answers", [0, 1, 2, 3], 4),
        (FP32, "answers", [], 4),  # its times are compared, and nobody learns from it unasked
        (INT8, "features", [0, 1, 2, 3], 0),
        (FP32, "features", [0, 1, 2, 3], 0),
    ],
)
def test_what_a_run_keeps(
    make_stack: MakeStack,
    settings: Settings,
    tmp_path: Path,
    engine: str,
    purpose: Purpose,
    kept: list[int],
    answers: int,
) -> None:
    service, stack, made = RecognitionService(settings), make_stack(GREYS), model(tmp_path / "greys")
    run(service, stack, made, engine, purpose)
    rows = service.features(stack).rows(stack, made, engine)
    assert [index for index in range(4) if index not in rows.missing(range(4))] == kept
    assert len(service.results(stack).of(engine)) == answers
    assert rows.read(kept)[:, 0].tolist() == kept


def test_mirror_images_have_features_of_their_own_and_no_answers(
    make_stack: MakeStack, settings: Settings, tmp_path: Path
) -> None:
    half = np.repeat([[10, 200]], 300, axis=0).repeat(150, axis=1)[..., None].astype(np.uint8)
    service, made = RecognitionService(settings), model(tmp_path / "greys")
    stack = make_stack({"a.png": png_bytes(half)})
    run(service, stack, made, INT8, "mirrored features")
    run(service, stack, made, INT8, "answers")
    found = service.features(stack)
    assert found.rows(stack, made, INT8).read([0])[0, :2].tolist() == [10, 200]
    assert found.rows(stack, made, INT8, mirrored=True).read([0])[0, :2].tolist() == [200, 10]
    assert service.results(stack).of(INT8)[0].label == "10"


def test_without_room_answers_come_and_features_say_so(settings: Settings, tmp_path: Path) -> None:
    room = prepared_bytes(4) + GRANT_BYTES + 4 * 960 * 4 + 100
    store = StackStore(settings.model_copy(update={"max_bytes_per_client": room}))
    try:
        stack = store.create(io.BytesIO(zip_bytes(GREYS)), "a.zip", "somebody")
        stack.new_rows((50,), np.uint8)
        service, made = RecognitionService(settings), model(tmp_path / "greys")
        run(service, stack, made, INT8, "answers")
        assert len(service.results(stack).of(INT8)) == 4
        with pytest.raises(QuotaExceeded):
            run(service, stack, made, INT8, "features")
        stack.reserve(-4 * 50)
        run(service, stack, made, INT8, "features")
    finally:
        store.close()


def test_room_is_counted_bounded_and_given_back(make_stack: MakeStack, store: StackStore, tmp_path: Path) -> None:
    stack, features = make_stack(GREYS), RecognitionService(Settings()).features
    before = store.usage.bytes
    kept: list[FeatureRows] = []
    made = model(tmp_path / "greys")
    for number in range(MOST_KEPT + 3):
        kept.append(features(stack).rows(stack, made, f"engine-{number}"))
    assert features(stack).rows(stack, made, f"engine-{MOST_KEPT + 2}") is kept[-1]
    assert store.usage.bytes == before + MOST_KEPT * 4 * 960 * 4
    store.delete(stack.id)
    assert store.usage.bytes == 0


def test_unknown_features_are_missing_and_not_zeros(make_stack: MakeStack, settings: Settings, tmp_path: Path) -> None:
    stack = make_stack(GREYS)
    rows = RecognitionService(settings).features(stack).rows(stack, model(tmp_path / "greys"), INT8)
    rows.add([2], np.ones((1, 960), np.float32))
    assert rows.missing([0, 2]) == [0]
    with pytest.raises(ValueError, match="never written"):
        rows.read([2, 0])
