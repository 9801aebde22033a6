"""Labels and teaching over HTTP: every change whole, one teaching at a time, and models where they may be."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from core.api import create_api
from core.base.settings import Settings
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.store import StackStore
from core.teach.service import TeachingService, may_keep_models
from tests.builders import photo_png, zip_bytes
from tests.fake_worker import use_fake_worker
from tests.helpers import wait_until

# As many classes as the starter has, because the worker's stand-in passes the starter's INT8 off as the new one.
CLASSES = [f"kind-{number:02}" for number in range(12)]
FILES = {
    f"{name}/{number}.png": photo_png(seed=10 * place + number)
    for place, name in enumerate(CLASSES)
    for number in range(3)
}
ROOT = "http://testserver"
MakeClient = Callable[..., TestClient]


@pytest.fixture
def make_client(store: StackStore, settings: Settings, registry: ModelRegistry) -> Iterator[MakeClient]:
    """A client of an application that keeps models or does not; the stack of ``FILES`` is at ``client.base_url``."""
    made: list[TestClient] = []

    def make(*, may_keep: bool = False) -> TestClient:
        models = ModelRegistry(settings)
        recognition = RecognitionService(settings)
        teaching = TeachingService(settings, recognition, models, store.folder / "taught", may_keep=may_keep)
        api = create_api(store, models, settings, recognition, teaching=teaching)
        client = TestClient(api)
        stack = client.post("/api/v1/stacks", content=zip_bytes(FILES), headers={"Content-Type": "application/zip"})
        client.base_url = client.base_url.join(f"/api/v1/stacks/{stack.json()['stack_id']}/")
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()


def test_labels_are_given_read_and_taken_away(client: TestClient) -> None:
    assert client.get("labels").json() == {"classes": [], "counts": {}, "images": {}, "unknown_files": 0}
    answer = client.post("labels", json={"images": {"0": "a", "1": "b"}, "classes": ["c"]})
    assert answer.status_code == 200
    assert answer.json()["images"] == {"0": "a", "1": "b"}
    assert answer.json()["counts"] == {"c": 0, "a": 1, "b": 1}
    assert client.post("labels", json={"images": {"1": None}}).json()["images"] == {"0": "a"}
    folders = client.post("labels", json={"folders": True, "images": {"0": "a"}}).json()
    assert (folders["images"]["0"], folders["images"]["3"], len(folders["images"])) == ("a", CLASSES[1], 36)
    assert client.delete("labels").json()["classes"] == []


def test_a_csv_labels_and_comes_back(client: TestClient) -> None:
    text = f"file,class\n{CLASSES[0]}/0.png,x\nnobody.png,y\n"
    sent = client.post("labels", content=text, headers={"Content-Type": "text/csv; charset=utf-8"})
    assert (sent.json()["images"], sent.json()["unknown_files"]) == ({"0": "x"}, 1)
    back = client.get("labels?form=csv")
    assert (back.headers["content-type"], back.text) == (
        "text/csv; charset=utf-8",
        f"file,class\n{CLASSES[0]}/0.png,x\n",
    )
    packed = client.get("labels?form=zip")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.namelist() == ["x/0.png"]
        assert archive.read("x/0.png") == FILES[f"{CLASSES[0]}/0.png"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        ('{"images": {"0": "b", "99": "b"}}', "application/json", 422, "labels_invalid"),
        ('{"images": {"0": "=1+1"}}', "application/json", 422, "labels_invalid"),
        ('{"images": {"0": "\\ud800"}}', "application/json", 400, "invalid_request"),
        ('{"images": {"zero": "b"}}', "application/json", 400, "invalid_request"),
        ('{"image": {"0": "b"}}', "application/json", 400, "invalid_request"),
        ("not json", "application/json", 400, "invalid_request"),
        ("0.png,b\n", "text/csv", 422, "labels_invalid"),
        (f"{CLASSES[0]}/0.png,b\n{CLASSES[0]}/0.png,c\n", "text/csv", 422, "labels_invalid"),
        (f"{CLASSES[0]}/1.png,b\n{CLASSES[0]}/0.png,@SUM(A1)\n", "text/csv", 422, "labels_invalid"),
        (f"{CLASSES[0]}/1.png,b\n{CLASSES[0]}/0.png,a\x00b\n", "text/csv", 422, "labels_invalid"),
        (f"{CLASSES[0]}/0.png,b\n" * 200_000, "text/csv", 422, "labels_invalid"),
        (f"{CLASSES[0]}/0.png,b\n" * 1_000_000, "text/csv", 413, "request_too_large"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_and_loses_nothing(
    client: TestClient, body: str, kind: str, status: int, code: str
) -> None:
    client.post("labels", json={"images": {"0": "a"}})
    answer = client.post("labels", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(answer.json()["detail"]) < 300
    assert client.get("labels").json()["images"] == {"0": "a"}


def test_markup_in_a_csv_is_a_name_and_comes_back_as_text(client: TestClient) -> None:
    name = "<script>alert(1)</script>"
    text = f"{CLASSES[0]}/0.png,{name}\n"
    sent = client.post("labels", content=text, headers={"Content-Type": "text/csv"})
    assert (sent.json()["images"], sent.headers["content-type"]) == ({"0": name}, "application/json")
    back = client.get("labels?form=csv")
    assert (back.text.splitlines()[1], back.headers["content-type"]) == (text.strip(), "text/csv; charset=utf-8")


@pytest.mark.parametrize(
    ("labels", "body", "status", "code"),
    [
        ({}, {"name": "parts"}, 400, "invalid_request"),
        ({"0": "a", "1": "a", "2": "a", "3": "b", "4": "b"}, {"name": "parts"}, 400, "invalid_request"),
        ("all", {"name": "../parts"}, 400, "invalid_request"),
        ("all", {"name": "parts", "backbone": "nobody"}, 404, "model_not_found"),
        ("all", {"name": "parts", "keep": True}, 403, "not_allowed"),
        ("all", {"name": "parts", "further": True}, 500, "model_invalid"),
        ("all", {"name": "parts", "stages": "first"}, 400, "invalid_request"),
    ],
)
def test_what_cannot_be_taught_is_said_at_once_and_nothing_begins(
    client: TestClient, labels: dict | str, body: dict, status: int, code: str
) -> None:
    client.post("labels", json={"folders": True} if labels == "all" else {"images": labels})
    answer = client.post("teach", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get("teach").json()["code"] == "teaching_not_found"


def taught(client: TestClient) -> dict:
    def ended() -> bool:
        return client.get("teach").json()["status"] != "running"

    wait_until(ended, "the teaching to end")
    return client.get("teach").json()


@pytest.mark.torch
@pytest.mark.parametrize("may_keep", [False, True])
def test_a_taught_model_predicts_like_any_other_and_is_kept_where_it_may_be(
    make_client: MakeClient,
    may_keep: bool,
    starter: Model,
    settings: Settings,
    store: StackStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_fake_worker(starter, monkeypatch)
    client = make_client(may_keep=may_keep)
    client.post("labels", json={"folders": True})
    begun = client.post("teach", json={"name": "parts", "stages": "last"})
    assert (begun.status_code, begun.json()["status"], begun.json()["model"]) == (202, "running", None)
    assert client.post("teach", json={"name": "parts", "stages": "last"}).json()["code"] == "busy"
    found = taught(client)
    assert (found["status"], found["message"]) == ("done", "")
    assert {step["status"] for step in found["steps"]} == {"done"}
    report = found["report"]
    assert (report["classes"], report["images_labelled"], report["model"]) == (CLASSES, 36, found["model"])
    assert sum(map(sum, report["confusion"])) == 36
    answer = client.post("predictions", json={"model": found["model"], "images": [0]}).json()
    assert answer["predictions"][0]["top"][0]["class"] in CLASSES
    listed = [one["name"] for one in client.get(f"{ROOT}/api/v1/models").json()["models"]]
    assert ("parts" in listed) is may_keep
    assert (settings.installed_dir / "parts").exists() is may_keep
    assert (found["model"] == "parts") is may_keep
    folder = (settings.installed_dir if may_keep else store.folder / "taught") / found["model"]
    assert (folder / "examples.safetensors").exists()


@pytest.mark.torch
def test_cancelling_makes_nothing(
    make_client: MakeClient, starter: Model, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_fake_worker(starter, monkeypatch)("Calibrate and quantize:endless")
    client = make_client(may_keep=True)
    client.post("labels", json={"folders": True})
    client.post("teach", json={"name": "parts", "stages": "last"})

    def quantizing() -> bool:
        steps = client.get("teach").json()["steps"]
        return any(step["title"] == "Calibrate and quantize" and step["status"] == "running" for step in steps)

    wait_until(quantizing, "the quantization to begin")
    assert client.delete("teach").status_code == 202
    found = taught(client)
    assert (found["status"], found["model"], found["report"]) == ("cancelled", None, None)
    assert "labels are as they were" in found["message"]
    assert list(settings.installed_dir.iterdir()) == []
    assert len(client.get("labels").json()["images"]) == 36


@pytest.mark.parametrize(
    ("changes", "address", "may"),
    [
        ({}, "localhost", True),
        ({}, "127.0.0.1", True),
        ({}, "::1", True),
        ({}, None, False),
        ({}, "0.0.0.0", False),  # noqa: S104
        ({}, "192.168.1.5", False),
        ({}, "example.org", False),
        ({"trusted_proxies": "127.0.0.1"}, "localhost", False),
        ({"access_header": "X-User"}, "localhost", False),
        ({"keep_models": "no"}, "localhost", False),
        ({"keep_models": "yes"}, None, True),
    ],
)
def test_models_are_kept_for_everybody_only_where_nobody_else_is(changes: dict, address: str | None, may: bool) -> None:
    assert may_keep_models(Settings(**changes), address) is may
