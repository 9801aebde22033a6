"""A model with another preprocessing than the usual one: every engine takes its inputs as the card says."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from core.base.settings import Settings
from core.engines.engine import FEATURES, LOGITS
from core.models.card import CARD_NAME
from core.models.model import Model
from core.recognition.recognize import recognize
from tests.builders import photo_png
from tests.conftest import MakeStack

pytestmark = pytest.mark.torch

OTHER = {"resize": 112, "crop": 96, "color_order": "BGR", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
ENGINES = ("openvino-fp32", "pytorch-fp32")


@pytest.fixture(scope="module")
def model(starter: Model, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The starter's weights, said to be for other inputs; without the INT8 copy, which has the old ones built in."""
    folder = tmp_path_factory.mktemp("models") / "other"
    shutil.copytree(starter.folder, folder, ignore=shutil.ignore_patterns("*int8*"))
    card = json.loads((folder / CARD_NAME).read_text())
    (folder / CARD_NAME).write_text(json.dumps(card | {"preprocessing": OTHER}))
    return Model(folder, folder.parent / "cache")


def test_engines_take_its_shape_and_scale_and_nothing_else(model: Model, starter: Model) -> None:
    batch = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    openvino, pytorch = (model.engine(name) for name in ENGINES)
    assert openvino.input_shape == pytorch.input_shape == (96, 96, 3)
    one, other = (engine.infer(batch, [LOGITS, FEATURES, "maps.4"]) for engine in (openvino, pytorch))
    assert one["maps.4"].shape == (3, 512, 3, 3)
    for output, values in one.items():
        assert np.abs(values - other[output]).max() < 1e-3
    inputs = (batch / 255 - OTHER["mean"]) / OTHER["std"]
    assert np.abs(one[LOGITS] - starter.network()(_tensor(inputs)).detach().numpy()).max() < 1e-3
    with pytest.raises(ValueError, match=r"expected uint8 \[B, 96, 96, 3\]"):
        openvino.infer(np.zeros((1, 224, 224, 3), np.uint8))


def test_a_stack_serves_models_with_different_inputs(
    model: Model, starter: Model, make_stack: MakeStack, settings: Settings
) -> None:
    stack = make_stack({f"{seed}.png": photo_png(seed=seed) for seed in range(3)})
    usual = recognize(stack, range(3), starter, "openvino-int8", settings)
    found = [recognize(stack, range(3), model, name, settings) for name in ENGINES]
    assert [one.label for one in found[0].predictions] == [one.label for one in found[1].predictions]
    assert [one.confidence for one in found[0].predictions] == pytest.approx(
        [one.confidence for one in found[1].predictions], abs=1e-3
    )
    again = recognize(stack, range(3), starter, "openvino-int8", settings)
    assert [one.top for one in again.predictions] == [one.top for one in usual.predictions]


def _tensor(inputs: np.ndarray) -> object:
    import torch

    return torch.from_numpy(inputs.transpose(0, 3, 1, 2).astype(np.float32))
