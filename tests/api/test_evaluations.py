"""Evaluations over HTTP: begun, watched, read in every form; refused in one shape, and for those with the id alone."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from tests.api.conftest import Gate, MakeService, Service, assert_problem
from tests.builders import zip_bytes
from tests.helpers import FakeEngine, grey_png, wait_until

FP32 = "openvino-fp32"
FILES = {
    "1/a.png": grey_png(1),
    "1/b.png": grey_png(2),
    "2/a.png": grey_png(2),
    "2/b.png": grey_png(2),
    "none/a.png": grey_png(9),
    "bare.png": grey_png(3),
}
BODY = {"engines": [FP32]}


@pytest.fixture
def engine() -> FakeEngine:
    """An engine that the model made up can be run by."""
    return FakeEngine(FP32, parallelism=1)


@pytest.fixture
def service(make_service: MakeService) -> Service:
    return make_service()


def opened(service: Service) -> str:
    """The address of the evaluations of a new stack of ``FILES``."""
    made = service.client.post("/api/v1/stacks", content=zip_bytes(FILES), headers={"Content-Type": "application/zip"})
    return f"/api/v1/stacks/{made.json()['stack_id']}/evaluations"


def ended(client: TestClient, address: str) -> dict[str, Any]:
    wait_until(lambda: client.get(address).json()["status"] != "running", "the evaluation to end")
    return client.get(address).json()


def test_it_begins_ends_and_is_read_in_every_form(service: Service) -> None:
    client, address = service.client, opened(service)
    begun = client.post(address, json=BODY)
    assert begun.status_code == 202
    assert begun.json()["total"] == 4
    found = ended(client, address)
    assert (found["status"], found["message"], found["code"]) == ("done", "", "")
    assert (found["done"], found["total"]) == (4, 4)
    (run,) = found["report"]["runs"]
    assert run["top1"]["value"] == 0.75
    assert {note["code"]: note["count"] for note in found["report"]["notes"]}["labels_match_no_class"] == 1
    images = client.get(f"{address}?form=images")
    assert images.headers["content-type"] == "text/csv; charset=utf-8"
    assert [row["right"] for row in csv.DictReader(io.StringIO(images.text))] == ["1", "0", "1", "1"]
    classes = list(csv.DictReader(io.StringIO(client.get(f"{address}?form=classes").text)))
    assert [(row["class"], row["right"]) for row in classes] == [("1", "1"), ("2", "2")]
    page = client.get(f"{address}?form=html")
    assert page.headers["content-disposition"].startswith("attachment")
    assert "75.0%" in page.text
    for answer in (images, page, client.get(address)):
        assert answer.headers["cache-control"] == "no-store"


def test_answers_that_the_stack_has_are_used(service: Service, engine: FakeEngine) -> None:
    client, address = service.client, opened(service)
    predictions = client.post(address.replace("evaluations", "predictions"), json={"engine": FP32, "images": [0, 1, 2]})
    assert predictions.status_code == 200
    before = sum(engine.batch_sizes)
    client.post(address, json=BODY)
    assert ended(client, address)["status"] == "done"
    assert sum(engine.batch_sizes) <= before + 2
    client.post(address, json=BODY)
    assert ended(client, address)["status"] == "done"
    assert sum(engine.batch_sizes) <= before + 2


def test_labels_come_from_a_csv_or_from_those_of_the_stack(service: Service) -> None:
    client, address = service.client, opened(service)
    client.post(address, json=BODY | {"labels_csv": "1/b.png,2\nnobody.png,2\n"})
    report = ended(client, address)["report"]
    assert (report["labels"], report["labelled"], report["runs"][0]["top1"]["value"]) == ("csv", 1, 1.0)
    assert any(note["code"] == "labels_of_unknown_files" for note in report["notes"])
    refused = client.post(address, json=BODY | {"labels": "labels"})
    assert_problem(refused, 422, "labels_invalid", "No image of this stack has a label")
    client.post(address.replace("evaluations", "labels"), json={"images": {"0": "1", "3": "2"}})
    client.post(address, json=BODY | {"labels": "labels"})
    assert ended(client, address)["report"]["labelled"] == 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"engines": []}, 400, "invalid_request"),
        ({"engines": ["nothing"]}, 400, "invalid_request"),
        ({"engines": [FP32, FP32]}, 400, "invalid_request"),
        ({"engines": ["openvino-int8"]}, 503, "engine_unavailable"),
        ({"models": ["nobody"]}, 404, "model_not_found"),
        ({"models": ["greys"] * 7}, 400, "invalid_request"),
        ({"labels": "somewhere"}, 400, "invalid_request"),
        (BODY | {"more": 1}, 400, "invalid_request"),
        (BODY | {"labels_csv": ""}, 422, "labels_invalid"),
        (BODY | {"labels_csv": "1/a.png,=1+1"}, 422, "labels_invalid"),
        (BODY | {"labels_csv": "1/a.png,1\n1/a.png,2"}, 422, "labels_invalid"),
        (BODY | {"labels_csv": "1/a.png,zebra"}, 422, "labels_invalid"),
        (BODY | {"labels_csv": "1/a.png,1\n" * 200_000}, 422, "labels_invalid"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_begins(
    service: Service, engine: FakeEngine, body: dict[str, Any], status: int, code: str
) -> None:
    client, address = service.client, opened(service)
    refused = client.post(address, json=body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert len(refused.json()["detail"]) < 500
    assert_problem(client.get(address), 404, "evaluation_not_found", "Nobody has evaluated")
    assert engine.batch_sizes == []


def test_the_id_is_the_key(service: Service) -> None:
    address = opened(service)
    client = service.client
    client.post(address, json=BODY)
    ended(client, address)
    for method in (client.get, client.delete):
        assert_problem(method("/api/v1/stacks/somebody/evaluations"), 404, "stack_not_found", "")
    assert_problem(client.post("/api/v1/stacks/somebody/evaluations", json=BODY), 404, "stack_not_found", "")
    other = opened(service)
    assert_problem(client.get(other), 404, "evaluation_not_found", "Nobody")
    client.delete(address.removesuffix("/evaluations"))
    assert_problem(client.get(address), 404, "stack_not_found", "")


def test_one_runs_at_a_time_and_can_be_cancelled(service: Service, gate: Gate) -> None:
    client, address = service.client, opened(service)
    client.post(address, json=BODY)
    wait_until(gate.reached.is_set, "the engine")
    assert_problem(client.post(address, json=BODY), 503, "busy", "being evaluated already")
    not_yet: Response = client.get(f"{address}?form=images")
    assert_problem(not_yet, 409, "evaluation_not_done", "no result yet")
    state = client.get(address).json()
    assert (state["status"], state["phase"], state["report"]) == ("running", "recognizing", None)
    assert client.delete(address).status_code == 202
    gate.open()
    found = ended(client, address)
    assert (found["status"], found["report"]) == ("cancelled", None)
    assert_problem(client.get(f"{address}?form=html"), 409, "evaluation_not_done", "no result yet")
