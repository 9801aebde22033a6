"""The recogniser that needs no stack: arrays, bytes and files in, the answers of the pipeline out; it travels."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.base.settings import PROJECT_ROOT, Settings
from core.images import pixels
from core.images.formats import decode
from core.models.architectures import STAGED_RESNET18
from core.models.card import KNOWN_NAME, KnownImages, Temperature, file_checksum
from core.models.model import Model
from core.recognition.classifier import Classifier
from core.recognition.known import LEVELS, Known, write_known
from core.recognition.recognize import recognize
from tests.builders import BROKEN_PNGS, photo_png
from tests.conftest import MakeStack
from tests.helpers import FakeEngine, FakeModel, grey_png

PHOTOS = [photo_png(60 + number, 50, seed=number) for number in range(5)]


@pytest.fixture
def greys(tmp_path: Path) -> Classifier:
    return Classifier(FakeModel(tmp_path / "greys", FakeEngine()), "openvino-int8")


def test_bytes_paths_and_pixels_get_the_same_answer(starter: Model, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(PHOTOS[0])
    rgb = pixels.to_rgb(decode(PHOTOS[0], max_pixels=10_000))
    data, file, array = Classifier(starter, "openvino-int8").predict([PHOTOS[0], path, rgb])
    assert data.top == file.top == array.top
    assert [one.filename for one in (data, file, array)] == ["", "photo.png", ""]
    assert [one.index for one in (data, file, array)] == [0, 1, 2]
    assert (data.engine, data.model, data.error) == ("openvino-int8", "starter", None)


def test_it_answers_as_the_pipeline_does(starter: Model, make_stack: MakeStack, settings: Settings) -> None:
    stack = make_stack({f"{number}.png": data for number, data in enumerate(PHOTOS)})
    expected = recognize(stack, range(len(PHOTOS)), starter, "openvino-int8", settings, batch_size=5)
    found = Classifier(starter, "openvino-int8").predict(PHOTOS, batch_size=5)
    assert [one.top for one in found] == [one.top for one in expected.predictions]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_every_image_is_answered_in_its_place_whatever_the_batch(greys: Classifier, batch_size: int) -> None:
    images = [grey_png(10), BROKEN_PNGS["no end"], grey_png(20), b"", Path("nowhere.png"), grey_png(30)]
    found = greys.predict(images, batch_size=batch_size)
    assert [one.label for one in found] == ["10", "error", "20", "error", "error", "30"]
    assert [one.index for one in found] == list(range(6))
    assert [bool(one.error) for one in found] == [False, True, False, True, True, False]
    assert "/" not in str(found[4].error), "an error names no path"


def test_the_engines_own_temperature_makes_its_confidences_and_no_other_answer(tmp_path: Path) -> None:
    temperature = Temperature(value=10, images=100, source="", judged=0)
    engines = FakeEngine(), FakeEngine("pytorch-fp32")
    model = FakeModel(tmp_path / "greys", *engines, confidence={"openvino-int8": temperature})
    warm, plain = (Classifier(model, engine.name).predict([grey_png(10)])[0] for engine in engines)
    assert (warm.label, warm.calibrated) == ("10", True)
    assert (plain.label, plain.calibrated) == ("10", False)
    assert warm.confidence == pytest.approx(np.exp(2) / (np.exp(2) + 255), rel=1e-4)
    assert plain.confidence == pytest.approx(1, abs=1e-4)
    assert [one.label for one in warm.top] == [one.label for one in plain.top]
    (broken,) = Classifier(model, "openvino-int8").predict([b""])
    assert not broken.calibrated, "no answer has no confidence"


def knowing(folder: Path, *engines: FakeEngine) -> FakeModel:
    """A model that knows dark images only: FakeEngine's features are how bright an image is at two places."""
    folder.mkdir()
    width = STAGED_RESNET18.features
    known = Known(
        mean=np.full(width, 128, np.float32) * (np.arange(width) < 2),
        scale=(np.arange(width) < 2).astype(np.float32),
        axes=None,
        references=-np.eye(1, width, dtype=np.float32) - np.eye(1, width, 1, dtype=np.float32),
        nearest=1,
        levels=np.linspace(0.5, 1, LEVELS, dtype=np.float32),
    )
    write_known(known, folder / KNOWN_NAME)
    checksums = {name: file_checksum(folder / KNOWN_NAME) for name in (KNOWN_NAME, "weights.safetensors")}
    facts = KnownImages(images=1, measured=100, source="", kept=0.9)
    return FakeModel(folder, *engines, known=facts, checksums=checksums)


def test_images_unlike_what_was_taught_are_told(tmp_path: Path) -> None:
    model = knowing(tmp_path / "greys", FakeEngine(features=STAGED_RESNET18.features))
    dark, light = Classifier(model, "openvino-int8").predict([grey_png(10), grey_png(250)])
    assert (dark.known, light.known, dark.threshold) == (True, False, pytest.approx(0.1))
    assert dark.known_score is not None
    assert light.known_score is not None
    assert 0 <= light.known_score < 0.1 < dark.known_score <= 1
    assert (dark.caption, light.caption, light.label) == ("10", "none of these (nearest: 250)", "250")


def test_an_engine_without_features_tells_nothing_and_answers(tmp_path: Path) -> None:
    (answer,) = Classifier(knowing(tmp_path / "greys", FakeEngine()), "openvino-int8").predict([grey_png(250)])
    assert (answer.known, answer.known_score, answer.caption) == (None, None, "250")


def test_no_images_no_answers_and_no_inference(tmp_path: Path) -> None:
    engine = FakeEngine()
    assert Classifier(FakeModel(tmp_path / "greys", engine), "openvino-int8").predict([]) == []
    assert engine.batch_sizes == []


@pytest.mark.parametrize(
    "pixels_given",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=["no channels", "grey", "alpha", "float", "empty"],
)
def test_arrays_of_another_kind_are_refused(greys: Classifier, pixels_given: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        greys.predict([pixels_given])


def test_a_batch_size_below_one_is_refused(greys: Classifier) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        greys.predict([grey_png(1)], batch_size=0)


def test_it_travels_as_names_and_answers_the_same_elsewhere(starter: Model, tmp_path: Path) -> None:
    here = Classifier(starter, "openvino-int8")
    packed = pickle.dumps(here)
    assert len(packed) < 2000, "no weights, no compiled model, only where to find them"
    (tmp_path / "classifier.pickle").write_bytes(packed)
    (tmp_path / "photo.png").write_bytes(PHOTOS[0])
    program = (
        "import pickle, sys; from pathlib import Path; folder = Path(sys.argv[1]);"
        "classifier = pickle.loads((folder / 'classifier.pickle').read_bytes());"
        "print(classifier.predict([folder / 'photo.png'])[0].top);"
        "assert 'torch' not in sys.modules"
    )
    there = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == str(here.predict(PHOTOS[:1])[0].top)
