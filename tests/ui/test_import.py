"""Models of others on the page: what is not said is asked for, and a trial shows whether it makes sense."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.models.install import pack_model
from core.models.model import Model
from core.runtime import get_runtime
from pages._ui.viewer.uploader import receive_weights
from tests.builders import photo_png, zip_bytes
from tests.foreign_models import SIDE, tiny_ir, tiny_onnx
from tests.helpers import SECONDS
from tests.ui.app import ROUTER, session
from tests.ui.optimize_page import buttons, press, texts
from tests.ui.test_models import at, fill, named

LABELS = b'["one", "two", "three"]'


@pytest.fixture
def app(app: AppTest) -> AppTest:
    return app.switch_page(str(Path(ROUTER).parent / "optimize.py")).run()


def say(app: AppTest, **more: str) -> None:
    """How images become inputs."""
    fixed = {"how": "Whole image stretched to the square", "smooth": "bilinear", "order": "RGB"}
    for name, value in fixed.items():
        app.selectbox(key=f"preprocessing-{name}").set_value(value)
    app.number_input(key="preprocessing-crop").set_value(SIDE)
    for name, value in {"mean": "0.5 0.5 0.5", "std": "0.5, 0.5, 0.5", **more}.items():
        app.text_input(key=f"preprocessing-{name}").set_value(value)


def said(app: AppTest) -> str:
    """The sentence of the error."""
    return str(app.error[0].value).replace("\\", "")


def add(app: AppTest) -> None:
    next(button for button in app.button if button.label == "Add").click().run()
    assert not app.exception


def test_preprocessing_is_asked_for_and_a_trial_shows_what_the_model_says(app: AppTest) -> None:
    made = {f"{number}.png": photo_png(seed=number) for number in range(9)}
    session(app).open(io.BytesIO(zip_bytes(made)), "photos.zip")
    fill(app, name="Tiny [x](y)", weights=tiny_onnx(), labels=LABELS, suffix="onnx")
    assert "Nothing says how images become inputs" in said(app)
    assert session(app).own_models == []
    say(app, mean="")
    add(app)
    assert "Still missing of how images become its inputs: the mean." in said(app)
    say(app, mean="0.5 nan 0.5")
    add(app)
    assert "three numbers each" in said(app)
    assert session(app).own_models == []
    say(app)
    add(app)
    (model,) = session(app).own_models
    assert session(app).model is model
    assert (model.preprocessing.crop, model.preprocessing.stretch) == (SIDE, True)
    trial = session(app).trial
    assert trial is not None
    trial.wait(SECONDS)
    app.run()
    assert not app.exception
    assert "Does it make sense?" in texts(app)
    table = next(frame.value for frame in app.dataframe if "First" in frame.value.columns)
    assert len(table) == 8
    assert set(table["First"].str.partition(" ·")[0]) <= {"one", "two", "three"}
    press(app, "Put away")
    assert "Does it make sense?" not in texts(app)
    at(app, "Tiny")
    press(app, "Delete for good")
    assert session(app).own_models == []


def test_what_is_no_model_is_refused_and_leaves_nothing(app: AppTest) -> None:
    before = set((get_runtime().store.folder / "models").glob("*"))
    say(app)
    fill(app, name="Hostile", weights=b"\x08\x07" + b"\xff" * 4096, labels=LABELS, suffix="onnx")
    assert "no ONNX file, or damaged" in said(app)
    assert session(app).own_models == []
    assert session(app).trial is None
    assert set((get_runtime().store.folder / "models").glob("*")) == before
    assert "Add" in buttons(app), "another try"


def test_what_config_files_say_need_not_be_said_again(app: AppTest) -> None:
    files = {
        "config.json": {"id2label": {"0": "cat", "1": "dog", "2": "*bird*"}},
        "../preprocessor_config.json": {
            "size": {"height": SIDE, "width": SIDE},
            "resample": 2,
            "image_mean": [0.5] * 3,
            "image_std": [0.25] * 3,
        },
    }
    field = next(field for field in app.file_uploader if "preprocessor_config" in field.label)
    field.set_value([(name, json.dumps(one).encode(), "application/json") for name, one in files.items()])
    fill(app, name="Tiny", weights=tiny_onnx(), labels=None, suffix="onnx")
    assert not app.error
    (model,) = session(app).own_models
    assert model.card.classes == ("cat", "dog", "*bird*")
    assert (model.preprocessing.crop, model.preprocessing.std) == (SIDE, (0.25, 0.25, 0.25))
    assert session(app).trial is None, "no stack is open"


def send(app: AppTest, *names: str, folder: Path) -> None:
    """Files of ``folder``, as the page's field sends them together."""
    ids = []
    for name in names:
        data = (folder / name).read_bytes()
        with get_runtime().store.files.receive("", len(data), Path(name).suffix) as upload:
            upload.write(data)
            ids.append(upload.finish(f"../{name}").file_id)
    receive_weights(session(app), {"files": ids})
    app.run()
    assert not app.exception


def kept() -> int:
    return len(get_runtime().store.files.places())


def test_the_two_files_of_an_ir_come_together_or_one_after_the_other(app: AppTest, tmp_path: Path) -> None:
    tiny_ir(tmp_path)
    before = kept()
    send(app, "tiny.bin", folder=tmp_path)
    assert "**tiny.bin**" in texts(app)
    add(app)
    assert "Still missing" in said(app)
    assert session(app).own_models == []
    send(app, "tiny.xml", folder=tmp_path)
    assert "**tiny.xml and tiny.bin**" in texts(app)
    press(app, "Remove")
    assert kept() == before
    send(app, "tiny.bin", "tiny.xml", folder=tmp_path)
    say(app)
    named(app).set_value("Two files")
    field = next(field for field in app.file_uploader if field.label == "Class labels")
    field.set_value(("labels.json", LABELS, "application/json"))
    add(app)
    (model,) = session(app).own_models
    assert (model.title, model.card.architecture) == ("Two files", "imported: OpenVINO IR")
    assert kept() == before, "the files have gone with the import"


def test_two_files_that_are_no_pair_are_refused(app: AppTest, tmp_path: Path) -> None:
    before = kept()
    for name in ("a.onnx", "b.pth"):
        (tmp_path / name).write_bytes(b"any")
    send(app, "a.onnx", "b.pth", folder=tmp_path)
    assert "Send one model at a time" in said(app)
    assert session(app).weights == ()
    assert kept() == before


def test_what_my_models_gives_is_added_again_without_a_word(app: AppTest, starter: Model, tmp_path: Path) -> None:
    (tmp_path / "starter.zip").write_bytes(pack_model(starter))
    send(app, "starter.zip", folder=tmp_path)
    add(app)
    assert not app.error
    (model,) = session(app).own_models
    assert (model.title, model.card.checksums) == (starter.title, starter.card.checksums)
    assert session(app).model is model
    assert model.folder != starter.folder
