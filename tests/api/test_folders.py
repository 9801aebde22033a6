"""Folders of the server's own machine over HTTP: for who runs it, under its own name, and nothing beyond them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from core.api import create_api
from core.base.settings import Settings
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.roots import StackRoots
from core.stacks.store import StackStore
from tests.api.conftest import FILES, NAMES, assert_problem
from tests.outcomes import row_of, write_outcome

FOLDERS = "/api/v1/folders"
MakeClient = Callable[..., TestClient]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "photos"


@pytest.fixture
def make_client(store: StackStore, settings: Settings, registry: ModelRegistry, photos: Path) -> Iterator[MakeClient]:
    made: list[TestClient] = []

    def make(*, is_local: bool = True, host: str = "localhost:8501") -> TestClient:
        roots = StackRoots(settings.model_copy(update={"stack_roots": str(photos)}), is_local=is_local)
        api = create_api(store, registry, settings, RecognitionService(settings), roots=roots)
        made.append(TestClient(api, base_url=f"http://{host}"))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_a_folder_becomes_a_stack_like_any_other(make_client: MakeClient, photos: Path) -> None:
    client = make_client()
    assert client.get(FOLDERS).json() == {"folders": [str(photos)]}
    response = client.post(FOLDERS, json={"path": str(photos)})
    assert response.status_code == 201
    body = response.json()
    assert (body["name"], [image[0] for image in body["images"]]) == ("photos", NAMES)
    assert response.headers["location"] == f"/api/v1/stacks/{body['stack_id']}"
    assert client.get(response.headers["location"]).json() == body
    assert client.get(f"{response.headers['location']}/images/0").content == FILES[NAMES[0]]
    (photos / NAMES[1]).unlink()
    gone = client.get(f"{response.headers['location']}/images/1")
    assert_problem(gone, 422, "image_invalid", "not there any more")
    assert client.delete(response.headers["location"]).status_code == 204
    assert (photos / NAMES[0]).read_bytes() == FILES[NAMES[0]]


def test_what_is_outside_is_refused_and_what_is_missing_said(make_client: MakeClient, photos: Path) -> None:
    client = make_client()
    outside = client.post(FOLDERS, json={"path": f"{photos}/../data"})
    assert_problem(outside, 403, "not_allowed", "not in a folder that may be opened")
    missing = client.post(FOLDERS, json={"path": f"{photos}/nothing"})
    assert_problem(missing, 404, "path_not_found", "no folder or file of this name")


def test_the_results_of_a_batch_job_become_a_stack_with_its_answers(make_client: MakeClient, photos: Path) -> None:
    rows = [row_of(photos / name, ("cat", 0.75), ("dog", 0.25)) for name in reversed(NAMES[:3])]
    job = write_outcome(photos / "job", str(photos), [rows])
    client = make_client()
    response = client.post(FOLDERS, json={"path": str(job)})
    assert response.status_code == 201
    address = response.headers["location"]
    columns = client.get(f"{address}/images").json()
    assert columns["names"] == list(reversed(NAMES[:3]))
    assert columns["name_ranks"] == [2, 1, 0], "they stand in the order of the job"
    [run] = client.get(f"{address}/answers").json()["runs"]
    assert (run["model"], run["engine_name"], run["images"]) == ("made up", "openvino-int8", [0, 1, 2])
    [answer] = client.get(f"{address}/images/0/answers").json()["answers"]
    assert answer["classes"] == ["cat", "dog"]
    assert client.get(f"{address}/images/0").content == FILES[NAMES[2]]
    (job / "job.json").write_text("{}")
    assert_problem(client.post(FOLDERS, json={"path": str(job)}), 422, "outcome_invalid", "damaged")


@pytest.mark.parametrize(
    ("is_local", "host", "sentence"),
    [
        (False, "localhost:8501", "opens no folders of its own"),
        (True, "evil.example:8501", "by its own name"),
        (True, "192.168.1.5:8501", "by its own name"),
    ],
    ids=["others may reach it", "another name that leads here", "another address"],
)
def test_only_who_sits_here_may(
    make_client: MakeClient, photos: Path, is_local: bool, host: str, sentence: str
) -> None:
    client = make_client(is_local=is_local, host=host)
    assert_problem(client.post(FOLDERS, json={"path": str(photos)}), 403, "not_allowed", sentence)
    listed = client.get(FOLDERS)
    assert str(photos) not in listed.text
    assert (listed.status_code, listed.json().get("folders", [])) in [(200, []), (403, [])]


def test_without_the_setting_there_is_none(client: TestClient) -> None:
    response = client.post(FOLDERS, json={"path": "/"}, headers={"Host": "localhost"})
    assert_problem(response, 403, "not_allowed", "AISR_STACK_ROOTS")
