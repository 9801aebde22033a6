"""One image is looked at in a turn, once; what cannot be looked at is refused with a sentence."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.base.errors import Cancelled, ImageError, ImageNotFound, InvalidRequest, MapsUnavailable, TooManyRequests
from core.base.settings import Settings
from core.engines.engine import LOGITS
from core.models.card import WEIGHTS_NAME, file_checksum
from core.models.model import Model
from core.models.new_head import write_with_head
from core.recognition.fair_queue import FairQueue
from core.stacks.stack import ImageStack
from core.trust.explain import Explainer
from tests.builders import BROKEN_PNGS, photo_png
from tests.conftest import MakeStack
from tests.helpers import FakeEngine, FakeModel, grey_png, wait_until

INT8 = "openvino-int8"


def cat_png(width: int = 451, height: int = 300) -> bytes:
    with (files("skimage") / "data" / "chelsea.png").open("rb") as file:
        image = Image.open(file).resize((width, height))
    packed = io.BytesIO()
    image.save(packed, "PNG")
    return packed.getvalue()


@pytest.fixture
def stack(make_stack: MakeStack) -> ImageStack:
    return make_stack({"1.png": cat_png(), "2.png": BROKEN_PNGS["data stops early"], "3.png": photo_png()})


@pytest.fixture
def queue(settings: Settings) -> FairQueue:
    return FairQueue(settings)


def test_an_image_is_explained_by_its_best_classes(stack: ImageStack, queue: FairQueue, starter: Model) -> None:
    found = Explainer(queue).explain(stack, 0, starter, INT8)
    assert (found.engine, found.precision, found.model) == (INT8, "INT8", "starter")
    assert [score.label for score in found.best] == list(found.maps)
    assert found.best[0].label == "cat"
    for shown in found.maps.values():
        assert shown.values.shape == (7, 7)
        assert abs(shown.rounding) < 0.2
    # 451 x 300 becomes 384 x 256, of which the middle 224 x 224 is seen.
    assert found.seen == pytest.approx((80 * 451 / 384, 18.75, 304 * 451 / 384, 281.25))
    assert found.inputs.shape == (224, 224, 3)
    assert (queue.running, queue.waiting) == (0, 0)


def test_any_class_can_be_asked_for_and_others_cannot(stack: ImageStack, queue: FairQueue, starter: Model) -> None:
    explainer = Explainer(queue)
    known = set(explainer.explain(stack, 0, starter, INT8).maps)
    other = next(label for label in starter.card.classes if label not in known)
    assert set(explainer.explain(stack, 0, starter, INT8, label=other).maps) == known | {other}
    with pytest.raises(InvalidRequest, match="knows no class 'Cat'"):
        explainer.explain(stack, 0, starter, INT8, label="Cat")


def test_images_that_are_none_are_refused(stack: ImageStack, queue: FairQueue, starter: Model) -> None:
    with pytest.raises(ImageNotFound):
        Explainer(queue).explain(stack, 3, starter, INT8)
    with pytest.raises(ImageError):
        Explainer(queue).explain(stack, 1, starter, INT8)
    assert (queue.running, queue.waiting) == (0, 0)


class MappedEngine(FakeEngine):
    """The fake engine, with what a ResNet18's last stage puts out."""

    def __init__(self, outputs: tuple[str, ...] = (LOGITS, "maps.4")) -> None:
        super().__init__()
        self.outputs = outputs

    def infer(self, batch: np.ndarray, outputs: Sequence[str] = (LOGITS,)) -> Mapping[str, np.ndarray]:
        found = super().infer(batch, outputs)
        return {**found, "maps.4": np.ones((len(batch), 512, 7, 7), np.float32)}


class GreysWithHead(FakeModel):
    """The fake model with weights that are there: the starter's, with a head of as many classes."""

    def __init__(self, folder: Path, starter: Model, engine: MappedEngine) -> None:
        super().__init__(folder, engine)
        weights = folder / WEIGHTS_NAME
        write_with_head(starter.weights, weights, np.zeros((256, 512), np.float32), np.zeros(256, np.float32))
        self.card = self.card.model_copy(update={"checksums": {WEIGHTS_NAME: file_checksum(weights)}})


@pytest.fixture
def engine() -> MappedEngine:
    return MappedEngine()


@pytest.fixture
def greys(tmp_path: Path, starter: Model, engine: MappedEngine) -> GreysWithHead:
    return GreysWithHead(tmp_path / "greys", starter, engine)


def test_an_image_is_looked_at_once_for_all_its_best_classes(
    make_stack: MakeStack, queue: FairQueue, greys: GreysWithHead, engine: MappedEngine
) -> None:
    stack = make_stack({"1.png": grey_png(7), "2.png": grey_png(9), "3.png": grey_png(11)})
    explainer = Explainer(queue, most_kept=2)
    first = explainer.explain(stack, 0, greys, INT8)
    looks = len(engine.batch_sizes)
    assert first.best[0].label == "7"
    assert explainer.explain(stack, 0, greys, INT8, label=first.best[3].label) is first
    assert len(engine.batch_sizes) == looks
    explainer.explain(stack, 1, greys, INT8)
    explainer.explain(stack, 2, greys, INT8)
    assert len(engine.batch_sizes) == looks + 2
    explainer.explain(stack, 0, greys, INT8)
    assert len(engine.batch_sizes) == looks + 3, "no more is kept than was said"


def test_an_engine_without_maps_is_refused(
    make_stack: MakeStack, queue: FairQueue, tmp_path: Path, starter: Model
) -> None:
    model = GreysWithHead(tmp_path / "plain", starter, MappedEngine((LOGITS,)))
    with pytest.raises(MapsUnavailable, match="OpenVINO INT8 gives no maps for this model"):
        Explainer(queue).explain(make_stack({"1.png": grey_png(7)}), 0, model, INT8)
    assert (queue.running, queue.waiting) == (0, 0)


def test_it_waits_for_its_turn_and_can_be_called_off(
    make_stack: MakeStack, settings: Settings, greys: GreysWithHead, engine: MappedEngine
) -> None:
    queue = FairQueue(settings.model_copy(update={"max_running": 1, "max_waiting_per_client": 1}))
    stack = make_stack({"1.png": grey_png(7)})
    explainer = Explainer(queue)
    explainer.explain(stack, 0, greys, INT8)
    looks = len(engine.batch_sizes)
    other = make_stack({"1.png": grey_png(8)})
    cancelled, ended = threading.Event(), []

    def ask() -> None:
        with pytest.raises(Cancelled):
            explainer.explain(other, 0, greys, INT8, client="me", cancelled=cancelled)
        ended.append(True)

    with queue.turn("somebody", "their stack"):
        thread = threading.Thread(target=ask)
        thread.start()
        wait_until(lambda: queue.waiting == 1, "a place in the queue")
        with pytest.raises(TooManyRequests):
            explainer.explain(other, 0, greys, INT8, client="me")
        cancelled.set()
        thread.join()
    assert ended
    assert len(engine.batch_sizes) == looks, "nothing was looked at"
    assert (queue.running, queue.waiting) == (0, 0)
