"""Adding and choosing models on the page."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import TextInput

from core.base.errors import DiskFull, DownloadInterrupted, NotAllowed
from core.base.settings import Settings
from core.models import imagenet
from core.models.install import copy_model, installed_folder
from core.models.model import Model
from core.models.own import ImportJob
from core.runtime import get_runtime
from pages._ui.shell.models import told_apart
from pages._ui.viewer.uploader import receive_weights
from tests.helpers import SECONDS, wait_until
from tests.ui.app import ROUTER, session
from tests.ui.optimize_page import buttons, press, texts

pytestmark = pytest.mark.torch


class DiskUsage(NamedTuple):
    """As ``shutil.disk_usage`` gives it."""

    total: int
    used: int
    free: int


@pytest.fixture
def app(app: AppTest) -> AppTest:
    return app.switch_page(str(Path(ROUTER).parent / "optimize.py")).run()


@pytest.fixture
def starter() -> Model:
    return get_runtime().models.get("starter")


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The app's settings with an empty data folder."""
    settings = get_runtime().settings.model_copy(update={"data_dir": tmp_path / "data"})
    monkeypatch.setattr(get_runtime().models, "_settings", settings)
    return settings


def send_weights(app: AppTest, data: bytes, suffix: str) -> None:
    """As the page's field does it, by way of the API."""
    with get_runtime().store.files.receive("", len(data), f".{suffix}") as upload:
        upload.write(data)
        kept = upload.finish(f"../own.{suffix}")
    receive_weights(session(app), {"files": [kept.file_id]})


def named(app: AppTest) -> TextInput:
    return next(field for field in app.text_input if field.label == "Name")


def fill(app: AppTest, *, name: str, weights: bytes | None, labels: bytes | None, suffix: str = "safetensors") -> None:
    named(app).set_value(name)
    if weights is not None:
        send_weights(app, weights, suffix)
    if labels is not None:
        field = next(field for field in app.file_uploader if field.label == "Class labels")
        field.set_value(("labels.json", labels, "application/octet-stream"))
    next(button for button in app.button if button.label == "Add").click().run()
    assert not app.exception


def labels(count: int) -> bytes:
    return json.dumps([f"part {number}" for number in range(count)]).encode()


def test_own_weights_become_this_sessions_model_and_nobody_elses(app: AppTest, starter: Model) -> None:
    fill(app, name="*Parts* & <b>more</b>", weights=starter.weights.read_bytes(), labels=labels(12))
    model = session(app).model
    assert (model.card.title, model.card.classes[3]) == ("*Parts* & <b>more</b>", "part 3")
    assert model.folder.is_relative_to(get_runtime().store.folder), "it goes with the session, never into the project"
    assert "*Parts* & <b>more</b>** is in use: 12 classes" in texts(app)
    assert "no INT8 copy yet" in texts(app)
    assert not app.error
    assert session(app).own_models == [model]
    assert named(app).value == "", "ready for another one"
    other = AppTest.from_file(ROUTER, default_timeout=SECONDS).run()
    assert session(other).model.card.name == "starter"
    assert not any("Parts" in option for option in other.selectbox[0].options)


def test_an_own_model_counts_towards_the_quota_and_is_refused_where_it_does_not_fit(
    app: AppTest, starter: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = get_runtime().store.usage
    fill(app, name="Counted", weights=starter.weights.read_bytes(), labels=labels(12))
    model = session(app).model
    on_disk = sum(path.stat().st_size for path in model.folder.iterdir())
    assert get_runtime().store.usage == replace(before, bytes=before.bytes + on_disk), "the upload counts no more"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(1000, 1000, 0))
    folder = get_runtime().store.folder / "models" / "refused"
    share = get_runtime().store.share("somebody")
    job = ImportJob(starter.weights, labels(12), folder, "Refused", get_runtime().settings, reserve=share.resize)
    job.wait(SECONDS)
    assert (job.status, job.model) == ("failed", None)
    assert "nearly full" in job.message
    assert not folder.exists()
    assert get_runtime().store.usage.bytes == before.bytes + on_disk


def test_imagenet_leaves_the_disk_its_reserve(
    app: AppTest, data_dir: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(1000, 1000, 0))
    with pytest.raises(DiskFull, match="nearly full"):
        imagenet.install(data_dir)
    assert not data_dir.data_dir.exists(), "nothing was begun"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": " "}, "Still missing: a name."),
        ({"weights": None}, "Still missing: a model."),
        ({"labels": None}, "Still missing: labels."),
        ({"labels": labels(11)}, "number of labels is 11 for 12 classes"),
        ({"labels": b"\xff\xfe"}, "UTF-8"),
        ({"weights": b"damaged"}, "weights.safetensors is damaged"),
        (
            {"weights": b"cos\nsystem\n(S'true'\ntR.", "suffix": "pth"},
            "more than weights (os.system), which is never run",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    changed: dict[str, object], says: str, app: AppTest, starter: Model
) -> None:
    fill(app, **{"name": "Refused", "weights": starter.weights.read_bytes(), "labels": labels(12)} | changed)
    assert says in app.error[0].value.replace("\\", "")
    assert session(app).chosen_model is None
    assert session(app).own_models == []
    assert not list((get_runtime().store.folder / "models").glob("refused-*"))


def test_offline_the_file_and_its_folder_are_named_and_the_starter_goes_on(
    app: AppTest, data_dir: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise DownloadInterrupted("resnet18-f37072fd.pth could not be downloaded; put a copy of it into /data.")

    monkeypatch.setattr(imagenet, "install", offline)
    press(app, "Get ImageNet")
    job = get_runtime().imagenet.job
    assert job is not None
    job.wait(SECONDS)
    app.run()
    assert "put a copy of it into /data" in app.error[0].value.replace("\\", "")
    other = AppTest.from_file(ROUTER, default_timeout=SECONDS).run()
    assert not other.error, "who has not asked is not told"
    assert "Get ImageNet" in buttons(app), "another try"
    assert session(app).model.card.name == "starter"


def test_a_download_shows_how_far_it_is_and_can_be_cancelled(
    app: AppTest, data_dir: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.base.errors import Cancelled

    begun = threading.Event()

    def slow(settings: Settings, *, on_progress: object, cancelled: threading.Event) -> None:
        on_progress(9_000_000, 45_000_000)
        begun.set()
        cancelled.wait(SECONDS)
        raise Cancelled("Cancelled. What has arrived is kept.")

    monkeypatch.setattr(imagenet, "install", slow)
    next(button for button in app.button if button.label == "Get ImageNet").click().run()
    wait_until(begun.is_set, "the download")
    app.run()
    assert "Get ImageNet" not in buttons(app)
    (bar,) = app.get("progress")
    assert (bar.proto.value, bar.proto.text) == (20, "ImageNet, 1,000 classes: 9.0 MB of 45.0 MB")
    next(button for button in app.button if button.label == "Cancel").click().run()
    job = get_runtime().imagenet.job
    assert job is not None
    job.wait(SECONDS)
    app.run()
    assert "What has arrived is kept" in texts(app)
    assert not app.error
    assert "Get ImageNet" in buttons(app)


def test_once_installed_it_is_there_for_all_and_used_by_who_chooses_it(
    app: AppTest, data_dir: Settings, starter: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(*_: object, **__: object) -> Model:
        return copy_model(starter, installed_folder(imagenet.NAME, data_dir), title="ImageNet", settings=data_dir)

    monkeypatch.setattr(imagenet, "install", install)
    press(app, "Get ImageNet")
    job = get_runtime().imagenet.job
    assert job is not None
    job.wait(SECONDS)
    app.run()
    assert session(app).model.card.name == "starter", "nothing is put to use by itself"
    app.switch_page(str(Path(ROUTER).parent / "viewer.py")).run()
    press(app, "Use ImageNet")
    assert session(app).model.card.name == "imagenet"
    assert "**ImageNet** is in use." in texts(app)
    other = AppTest.from_file(ROUTER, default_timeout=SECONDS).run()
    assert list(other.selectbox[0].options) == ["Starter: 12 everyday classes", "ImageNet"]
    assert session(other).model.card.name == "starter"
    press(app, "Use Starter")
    assert session(app).model.card.name == "starter"


def test_home_says_what_the_model_in_use_knows(starter: Model) -> None:
    app = AppTest.from_file(ROUTER, default_timeout=SECONDS).run()
    assert f"**{starter.title}** is in use." in texts(app)
    field = next(field for field in app.text_input if field.label == "Search the classes")
    assert field.value == ""
    field.set_value("DOG").run()
    assert f"1 of {len(starter.card.classes)}" in texts(app)
    field.set_value("[link](http://x) <b>").run()
    assert f"0 of {len(starter.card.classes)}" in texts(app)
    assert not app.exception


def test_a_copy_with_the_title_of_its_source_is_told_from_it(app: AppTest, data_dir: Settings, starter: Model) -> None:
    copy_model(starter, installed_folder("better", data_dir), title=starter.card.title, settings=data_dir)
    app.run()
    titles = ["starter · Starter: 12 everyday classes", "better · Starter: 12 everyday classes"]
    assert list(app.selectbox[0].options) == titles
    assert session(app).chosen_model is None, "nothing was chosen"
    app.selectbox[0].set_value(1).run()
    assert session(app).model.card.name == "better"
    app.run()
    assert session(app).model.card.name == "better", "and it stays"
    models = get_runtime().models.installed()[0]
    assert told_apart([models[0]]) == ["Starter: 12 everyday classes"]
    assert len(set(told_apart([*models, *models]))) == 4, "names may be the same, too"


def test_a_damaged_model_is_named_and_the_others_stay_to_choose_from(app: AppTest, data_dir: Settings) -> None:
    damaged = data_dir.installed_dir / "*broken*"
    damaged.mkdir(parents=True)
    (damaged / "card.json").write_text("{}")
    app.run()
    assert not app.exception
    assert app.selectbox[0].options == ["Starter: 12 everyday classes"]
    assert any(expander.label == "Damaged models: 1" for expander in app.expander)
    assert "**\\*broken\\***" in "".join(element.value for element in app.markdown), "its name is text"
    assert "*broken* has no valid card.json; reinstall it" in texts(app)
    (damaged / "card.json").unlink()
    app.run()
    assert "Damaged models" not in "".join(expander.label for expander in app.expander)


def test_all_models_stand_side_by_side_and_say_which_is_in_use(
    app: AppTest, starter: Model, data_dir: Settings
) -> None:
    copy_model(starter, installed_folder("mine", data_dir), title="Mine", settings=data_dir)
    app.run()
    assert not app.exception
    table = next(frame.value for frame in app.dataframe if "In use" in frame.value.columns)
    assert sorted(table["Model"]) == sorted([starter.title, "Mine"])
    assert list(table.loc[table["In use"], "Model"]) == [starter.title]
    assert set(table["Classes"]) == {len(starter.card.classes)}
    assert set(table["For"]) == {"everybody"}
    labels = [button.proto.label for button in app.get("download_button")]
    assert {"Download its folder", "For OpenVINO Model Server"} <= set(labels)


def at(app: AppTest, title: str) -> None:
    """Choose a model of My models."""
    field = next(field for field in app.selectbox if field.label == "With this model")
    field.set_value(next(place for place, option in enumerate(field.options) if title in option)).run()


def retitle(app: AppTest, title: str) -> None:
    next(field for field in app.text_input if field.label == "New name").set_value(title)
    next(button for button in app.button if button.label == "Rename it").click().run()


def test_an_own_model_is_renamed_and_deleted(app: AppTest, starter: Model) -> None:
    used = get_runtime().store.usage.bytes
    fill(app, name="Parts", weights=starter.weights.read_bytes(), labels=labels(12))
    model, key = session(app).model, session(app).model.answers_key
    at(app, "Parts")
    retitle(app, "**Better** <b>parts</b>")
    assert (model.title, model.answers_key) == ("**Better** <b>parts</b>", key), "its answers are the same"
    assert Model(model.folder, model.cache_dir).title == model.title, "on disk, too"
    assert "*Better** <b>parts</b>** is in use" in texts(app)
    for refused in ("  ", "a\u202ebc", "=HYPERLINK(1)"):
        retitle(app, refused)
        assert app.error
        assert model.title == "**Better** <b>parts</b>"
    press(app, "Delete for good")
    assert not app.exception
    assert session(app).own_models == []
    assert session(app).model is starter
    assert not model.folder.exists()
    assert get_runtime().store.usage.bytes == used, "its part of the quota is free again"


def test_what_is_everybodys_is_changed_only_where_people_may_install_models(
    app: AppTest, data_dir: Settings, starter: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_model(starter, installed_folder("removable", data_dir), title="Mine", settings=data_dir)
    app.run()
    at(app, "Mine")
    assert not {"Rename it", "Delete for good"} & set(buttons(app)), "others use this server"
    monkeypatch.setattr(get_runtime().teaching, "may_keep", True)
    app.run()
    at(app, "Starter")
    assert not {"Rename it", "Delete for good"} & set(buttons(app)), "it ships with the app"
    at(app, "Mine")
    press(app, "Use it")
    press(app, "Delete for good")
    assert [model.title for model in get_runtime().models.installed()[0]] == [starter.title]
    assert session(app).model is starter
    assert list(data_dir.installed_dir.iterdir()) == []
    with pytest.raises(NotAllowed):
        get_runtime().models.remove(starter)
    assert starter.weights.exists()
