"""Teaching an imported graph: its features are what its last layer takes, and it gets another last layer."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from core.base.errors import InvalidRequest
from core.base.settings import Settings
from core.engines.engine import FEATURES, LOGITS
from core.images.preprocessing import Preprocessing
from core.models.foreign.importer import ImportOrder, import_model
from core.models.head import read_head
from core.models.model import Model
from core.recognition.service import RecognitionService
from core.stacks.stack import ImageStack
from core.teach.features import Looker
from core.teach.head import examples, fit
from core.teach.job import TeachingJob
from core.teach.lesson import Lesson
from core.teach.taught import EXAMPLES_NAME, read_examples, teaching_of, write_examples, write_taught
from core.trust.maps import maps_of, outputs_for_maps
from core.trust.share import Share
from tests.conftest import MakeStack
from tests.foreign_models import SIDE, tiny_onnx
from tests.unit.teach.stripes import stripes_files

COUNT = 12  # of each kind


@pytest.fixture
def backbone(tmp_path: Path, settings: Settings) -> Model:
    source = tmp_path / "tiny.onnx"
    source.write_bytes(tiny_onnx())
    said = Preprocessing(resize=SIDE, crop=SIDE)
    return import_model(
        ImportOrder(source, "Tiny", labels=b"one\ntwo\nthree", preprocessing=said), tmp_path / "tiny", settings
    )


@pytest.fixture
def stack(make_stack: MakeStack) -> ImageStack:
    return make_stack(stripes_files(COUNT))


def test_it_gets_a_head_over_its_features(
    backbone: Model, stack: ImageStack, settings: Settings, tmp_path: Path
) -> None:
    looker = Looker(RecognitionService(settings), stack, backbone)
    indices, kinds = list(range(2 * COUNT)), ("lying", "upright")
    looker.look(indices, Event())
    looker.look(indices, Event(), mirrored=True)
    seen = looker.read(indices)
    given = examples(kinds, [kinds[index >= COUNT] for index in indices], seen, looker.read(indices, mirrored=True))
    head = fit(given)
    folder = tmp_path / "taught"
    folder.mkdir()
    write_examples(given, folder / EXAMPLES_NAME)
    facts = teaching_of(backbone, given, {}, Share(1, 1))
    made = write_taught(
        folder,
        backbone,
        backbone.checked_weights(),
        head,
        facts,
        stages="all",
        title="Stripes",
        cache_dir=settings.cache_dir,
    )
    assert (made.card.classes, made.card.graph, made.features) == (kinds, backbone.card.graph, 8)
    engine = made.engine("openvino-fp32")
    inputs = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
    names = outputs_for_maps(made.stages, 8)
    found = engine.infer(inputs, (LOGITS, FEATURES, *names))
    assert np.abs(found[FEATURES] @ head.weight.T + head.bias - found[LOGITS]).max() < 1e-3
    assert np.abs(found[FEATURES] - backbone.engine("openvino-fp32").infer(inputs, (FEATURES,))[FEATURES]).max() < 1e-4
    maps = maps_of(found, 1, names, read_head(made).weight)
    assert np.abs(maps.mean(axis=(1, 2)) + head.bias - found[LOGITS][1]).max() < 1e-3
    assert np.allclose(read_examples(made).features, seen, rtol=1e-2, atol=1e-2), "and can be taught further"
    assert backbone.card.classes == ("one", "two", "three"), "what was taught stays as it was"
    assert json.loads((backbone.folder / "card.json").read_text())["teaching"] is None


def test_nothing_else_of_it_learns(backbone: Model, stack: ImageStack, settings: Settings, tmp_path: Path) -> None:
    looker = Looker(RecognitionService(settings), stack, backbone)
    labels = {index: "lying" if index < COUNT else "upright" for index in range(2 * COUNT)}
    lesson = Lesson(labels, ("lying", "upright"), tmp_path / "taught", "Stripes", longer=True)
    with pytest.raises(InvalidRequest, match="cannot be trained longer"):
        TeachingJob(looker, lesson, settings)
    assert not (tmp_path / "taught").exists()
