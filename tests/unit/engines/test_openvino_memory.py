"""What a graph takes for its images is told before it runs, and a batch that takes too much runs in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.engines.engine import LOGITS
from core.engines.openvino import OpenVinoEngine
from core.engines.openvino_memory import images_within, peak_bytes
from core.images.preprocessing import Preprocessing
from core.models.openvino_ir import convert, save_ir
from tests.foreign_models import SIDE, tiny_onnx

IMAGE = 4 * 3 * SIDE * SIDE
MAPS = 4 * 8 * SIDE * SIDE


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    path.write_bytes(tiny_onnx())
    return path


def test_what_is_held_at_once_counts_and_nothing_twice(tiny: Path) -> None:
    graph: Any = convert(tiny)
    one = peak_bytes(graph)
    assert 2 * MAPS <= one < 2 * MAPS + IMAGE + 4096, "the convolution's output, and what follows it"
    assert peak_bytes(graph, 32) == pytest.approx(32 * one, rel=0.02)
    assert images_within(graph, 10 * one) == pytest.approx(10, abs=1)
    assert images_within(graph, 1) == 1, "one always runs"


def test_a_batch_in_parts_gives_what_it_gives_at_once(tiny: Path, tmp_path: Path) -> None:
    save_ir(convert(tiny), tmp_path / "tiny.xml", Preprocessing(resize=SIDE, crop=SIDE), ())
    whole = OpenVinoEngine("whole", tmp_path / "tiny.xml", None)
    parts = OpenVinoEngine("parts", tmp_path / "tiny.xml", None, most_bytes=3 * 2 * MAPS * whole.parallelism)
    images = np.random.default_rng(0).integers(0, 256, (10, SIDE, SIDE, 3), dtype=np.uint8)
    found = parts.infer(images)[LOGITS]
    assert found.shape == (10, 3)
    assert np.abs(found - whole.infer(images)[LOGITS]).max() < 1e-5
