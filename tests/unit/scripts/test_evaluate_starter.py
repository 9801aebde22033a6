"""The figures of a starter: recognition among all its classes, and what a head learns on its features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.models.model import Model
from scripts.dev import evaluate_starter

COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200)}


def colours(folder: Path, count: int) -> None:
    """Noise around a colour, so many of each."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            noisy = np.array(colour) + rng.integers(-30, 30, (40, 40, 3))
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / name / f"{number}.png")


@pytest.mark.torch
def test_figures_of_the_starter(starter: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    colours(tmp_path / "colours", 22)
    colours(tmp_path / "data" / "val", 1)
    (tmp_path / "data" / "val" / "red").rename(tmp_path / "data" / "val" / "golf_ball")
    command = [str(starter.folder), "--data", str(tmp_path / "data"), "--few-shot", str(tmp_path / "colours")]
    assert evaluate_starter.main(command) == 0
    told = capsys.readouterr().out
    assert "data, FP32, 1 photos among 12 classes" in told  # blue is no class of the model
    assert "colours, 20 of each of 2 classes: 100.0% of the others right" in told


def test_a_large_class_does_not_hide_a_small_one() -> None:
    right, labels = np.array([True] * 9 + [False]), np.array([4] * 9 + [7])
    assert evaluate_starter.mean_per_class(right, labels) == 0.5
