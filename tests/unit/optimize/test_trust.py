"""The temperatures of an optimised model: by labels where there are enough, else INT8 is brought close to FP32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.models.card import KNOWN_NAME, ModelCard, Temperature
from core.models.model import Model
from core.optimize.trust import confidence_of, write_known_by_labels
from tests.helpers import FakeEngine

ENGINES = {"openvino-int8", "openvino-fp32", "pytorch-fp32"}
FITTED = Temperature(value=0.5, images=100, source="val/", judged=300)


@pytest.fixture
def card(starter: Model) -> ModelCard:
    return starter.card.model_copy(update={"confidence": {}})


def logits_and_labels(count: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    fp32 = random.normal(size=(count, 4)).astype(np.float32)
    labels = fp32.argmax(axis=1)
    labels[::6] = (labels[::6] + 1) % 4
    return fp32, fp32 * np.float32(1.5), labels


def test_labels_calibrate_every_engine(card: ModelCard) -> None:
    fp32, int8, labels = logits_and_labels()
    labels[:20] = -1
    found = confidence_of(card, "parts.zip", fp32, int8, labels)
    assert set(found) == ENGINES
    assert {one.images for one in found.values()} == {100}, "those of unknown class say nothing"
    assert found["openvino-int8"].value == pytest.approx(1.5 * found["pytorch-fp32"].value, rel=1e-3)
    assert "parts.zip" in found["openvino-int8"].source


@pytest.mark.parametrize("known", [0, 19])
def test_without_enough_labels_it_is_not_calibrated(card: ModelCard, known: int) -> None:
    fp32, int8, labels = logits_and_labels()
    labels[known:] = -1
    assert confidence_of(card, "parts.zip", fp32, int8, labels) == {}
    assert confidence_of(card, "parts.zip", fp32, int8, None) == {}


@pytest.mark.parametrize("known", [0, 99])
def test_a_fit_on_more_images_stays_and_int8_follows_fp32(card: ModelCard, known: int) -> None:
    before = card.model_copy(update={"confidence": dict.fromkeys(ENGINES, FITTED)})
    fp32, int8, labels = logits_and_labels()
    labels[known:] = -1
    found = confidence_of(before, "parts.zip", fp32, int8, labels)
    assert found["pytorch-fp32"] is found["openvino-fp32"] is FITTED
    assert found["openvino-int8"].value == pytest.approx(0.75, rel=1e-3)
    assert found["openvino-int8"].judged == 0


WIDTH = 960


def greys(count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    inputs = np.zeros((count, 224, 224, 3), np.uint8)
    inputs[:, 0, 0, 0] = np.linspace(0, 100, count)
    inputs[:, 0, -1, 0] = np.arange(count) % 3 * 80
    return inputs, np.arange(count) % 3


def test_images_of_every_class_tell_what_is_known(tmp_path: Path) -> None:
    inputs, labels = greys()
    labels[0] = -1
    path = tmp_path / KNOWN_NAME
    facts = write_known_by_labels(path, "parts.zip", FakeEngine(features=WIDTH), inputs, labels, ("a", "b", "c"))
    assert facts is not None
    assert (facts.images, facts.measured) == (23, 23)
    assert "parts.zip" in facts.source
    assert path.stat().st_size > 0


@pytest.mark.parametrize("classes", [("a", "b", "c", "without images"), ("a", "b", "c")])
def test_where_a_class_has_too_few_images_nothing_is_known(tmp_path: Path, classes: tuple[str, ...]) -> None:
    inputs, labels = greys()
    if len(classes) == 3:
        labels[np.flatnonzero(labels == 1)[4:]] = -1
    path = tmp_path / KNOWN_NAME
    assert write_known_by_labels(path, "parts.zip", FakeEngine(features=WIDTH), inputs, labels, classes) is None
    assert not path.exists()
