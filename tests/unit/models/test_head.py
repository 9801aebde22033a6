"""The last layer as the file of weights has it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import ModelError
from core.models.card import WEIGHTS_NAME
from core.models.head import read_head
from core.models.model import Model
from core.models.new_head import write_with_head


@pytest.mark.torch
def test_it_is_the_networks_own(starter: Model) -> None:
    head, layer = read_head(starter), starter.network().fc
    assert (head.weight.dtype, head.bias.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(head.weight, layer.weight.detach().numpy())
    np.testing.assert_array_equal(head.bias, layer.bias.detach().numpy())


def test_damaged_weights_are_refused(starter: Model, tmp_path: Path) -> None:
    shutil.copytree(starter.folder, tmp_path / "copy")
    weights = tmp_path / "copy" / WEIGHTS_NAME
    weights.unlink()
    write_with_head(starter.weights, weights, np.zeros((12, 512), np.float32), np.zeros(12, np.float32))
    with pytest.raises(ModelError, match="not the file its card describes"):
        read_head(Model(tmp_path / "copy", tmp_path / "cache"))
