"""PyTorch, the reference: the same protocol, and the same logits as OpenVINO in FP32."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import ModelError
from core.engines.engine import Engine
from core.models.architectures import RESNET18, load_network
from core.models.model import Model

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def engine(starter: Model) -> Engine:
    return starter.engine("pytorch-fp32")


@pytest.fixture(scope="module")
def batch() -> np.ndarray:
    """Noise, gradients and flat colours: the whole range of values."""
    rng = np.random.default_rng(0)
    ramp = np.broadcast_to(np.linspace(0, 255, 224).astype(np.uint8)[:, None, None], (224, 224, 3))
    flat = [np.full((224, 224, 3), value, np.uint8) for value in (0, 128, 255)]
    return np.stack([*rng.integers(0, 256, (4, 224, 224, 3), dtype=np.uint8), ramp, *flat])


def test_logits_are_one_float32_row_for_each_image(engine: Engine, starter: Model, batch: np.ndarray) -> None:
    copy = batch.copy()
    logits = engine.infer(batch)["logits"]
    assert (logits.dtype, logits.shape) == (np.float32, (len(batch), len(starter.card.classes)))
    assert (engine.name, engine.precision, engine.classes) == ("pytorch-fp32", "FP32", len(starter.card.classes))
    assert (batch == copy).all(), "the input must not be changed in place"


def test_inputs_that_may_not_be_written_are_taken_without_a_warning(engine: Engine, batch: np.ndarray) -> None:
    import torch

    own = batch[:1].copy()
    own.setflags(write=False)
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # otherwise only the first of a process is seen
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            logits = engine.infer(own)["logits"]
    finally:
        torch.set_warn_always(always)
    assert (logits == engine.infer(batch[:1])["logits"]).all()


def test_openvino_in_fp32_gives_the_same_logits(engine: Engine, starter: Model, batch: np.ndarray) -> None:
    openvino = starter.engine("openvino-fp32")
    assert openvino.precision == "FP32", "not silently bf16"
    assert np.abs(openvino.infer(batch)["logits"] - engine.infer(batch)["logits"]).max() < 1e-3


def test_int8_is_close_but_another_network(engine: Engine, starter: Model, batch: np.ndarray) -> None:
    reference, int8 = engine.infer(batch)["logits"], starter.engine("openvino-int8").infer(batch)["logits"]
    difference = np.abs(reference - int8)
    assert difference.max() > 1e-3
    assert difference.mean() < 0.5 * reference.std()


@pytest.mark.parametrize("shape", [(0, 224, 224, 3), (1, 3, 224, 224), (224, 224, 3)])
def test_anything_but_a_batch_of_model_inputs_is_refused(engine: Engine, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        engine.infer(np.zeros(shape, np.uint8))["logits"]
    with pytest.raises(ValueError, match="float32"):
        engine.infer(np.zeros((1, 224, 224, 3), np.float32))


def test_threads_get_the_logits_one_would(engine: Engine, batch: np.ndarray) -> None:
    expected = engine.infer(batch)["logits"]
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda index: engine.infer(batch[index : index + 1])["logits"][0], range(len(batch))))
    assert np.abs(np.stack(rows) - expected).max() < 1e-4


@pytest.mark.parametrize("damage", ["missing", "text", "cut short"])
def test_damaged_weights_are_refused_with_a_sentence(starter: Model, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "weights.safetensors"
    if damage == "text":
        path.write_text("These are no weights.")
    elif damage == "cut short":
        path.write_bytes(starter.weights.read_bytes()[:100_000])
    with pytest.raises(ModelError, match=r"weights\.safetensors does not hold the weights of a torchvision ResNet18"):
        load_network(RESNET18, path)
