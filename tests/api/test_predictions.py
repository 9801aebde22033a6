"""Recognition as a resource: everything one may ask for."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from core.api.body_limit import MAX_BODY_BYTES
from core.base.settings import Settings
from core.models.model import Model
from core.recognition.recognize import recognize
from core.stacks.store import StackStore
from tests.api.conftest import NAMES, MakeService, assert_problem, upload
from tests.api.prediction_requests import NDJSON, create
from tests.api.server import Connection, running
from tests.helpers import FakeEngine


class TestAnswer:
    def test_everything_is_optional(self, make_service: MakeService, engine: FakeEngine) -> None:
        service = make_service()
        path = create(service)
        response = service.client.post(path, json={})
        body = response.json()
        assert response.status_code == 200
        assert set(body) == {"stack_id", "model", "engine", "precision", "batch_size", "seconds", "predictions"}
        assert body["stack_id"] == path.split("/")[4]
        assert (body["model"], body["engine"], body["precision"]) == ("greys", "openvino-int8", "FAKE")
        assert body["seconds"] > 0
        assert [one["index"] for one in body["predictions"]] == list(range(12))
        for index, one in enumerate(body["predictions"]):
            assert set(one) == {"index", "filename", "top", "calibrated", "known", "known_score"}
            assert (one["calibrated"], one["known"], one["known_score"]) == (False, None, None), "this model cannot"
            assert one["filename"] == f"{index}.png"
            ((score),) = one["top"]
            assert (set(score), score["class"]) == ({"class", "confidence"}, str(index))
            assert 0.9 < score["confidence"] <= 1

    def test_some_images_in_the_order_asked(self, make_service: MakeService) -> None:
        service = make_service()
        response = service.client.post(create(service), json={"images": [7, 2, 7, 0], "top_k": 3, "batch_size": 2})
        assert [one["index"] for one in response.json()["predictions"]] == [7, 2, 7, 0]
        assert [one["top"][0]["class"] for one in response.json()["predictions"]] == ["7", "2", "7", "0"]
        assert {len(one["top"]) for one in response.json()["predictions"]} == {3}
        assert response.json()["batch_size"] == 2

    @pytest.mark.parametrize("size", [1, 5, 100])
    def test_the_batch_size_is_obeyed(self, make_service: MakeService, engine: FakeEngine, size: int) -> None:
        service = make_service()
        service.client.post(create(service), json={"batch_size": size})
        assert max(engine.batch_sizes) == min(size, 12)
        assert sum(engine.batch_sizes) == 12

    @pytest.mark.parametrize("top_k", [1, 2, 5])
    @pytest.mark.parametrize("engine_name", ["openvino-int8", pytest.param("pytorch-fp32", marks=pytest.mark.torch)])
    def test_says_what_the_pipeline_says(
        self,
        client: TestClient,
        store: StackStore,
        starter: Model,
        settings: Settings,
        engine_name: Any,
        top_k: int,
    ) -> None:
        stack = store.get(upload(client).json()["stack_id"])
        expected = recognize(stack, range(len(stack)), starter, engine_name, settings)
        body = {"engine": engine_name, "model": "starter", "top_k": top_k}
        answer = client.post(f"/api/v1/stacks/{stack.id}/predictions", json=body).json()
        assert (answer["engine"], answer["model"], answer["precision"]) == (engine_name, "starter", expected.precision)
        for one, prediction in zip(answer["predictions"], expected.predictions, strict=True):
            assert one.get("error") == prediction.error
            assert [score["class"] for score in one["top"]] == [score.label for score in prediction.top[:top_k]]
            confidences = [score.confidence for score in prediction.top[:top_k]]
            assert [score["confidence"] for score in one["top"]] == pytest.approx(confidences, abs=1e-4)
        assert answer["predictions"][NAMES.index("broken.png")]["top"] == []

    def test_results_are_kept_with_the_stack(self, make_service: MakeService) -> None:
        service = make_service()
        path = create(service)
        service.client.post(path, json={"images": [3, 1]})
        results = service.client.get(path.replace("predictions", "results")).json()["results"]
        assert {position: answers[0][0] for position, answers in results.items()} == {"1": "1", "3": "3"}

    @pytest.mark.parametrize(
        ("body", "status", "code", "text"),
        [
            ({"images": []}, 400, "invalid_request", "Name at least one image"),
            ({"images": [0, 12]}, 404, "image_not_found", "images 0 to 11; there is no image 12"),
            ({"images": [-1]}, 404, "image_not_found", "there is no image -1"),
            ({"images": ["a.png"]}, 400, "invalid_request", "images"),
            ({"images": "all"}, 400, "invalid_request", "images"),
            ({"model": "unknown"}, 404, "model_not_found", "Installed: greys"),
            ({"engine": "tensorrt"}, 400, "invalid_request", "engine"),
            ({"top_k": 0}, 400, "invalid_request", "top_k"),
            ({"top_k": 6}, 400, "invalid_request", "top_k"),
            ({"batch_size": 0}, 400, "invalid_request", "batch_size"),
            ({"batch_size": 257}, 400, "invalid_request", "between 1 and 256"),
            ({"image": [1]}, 400, "invalid_request", "image"),
            ([], 400, "invalid_request", "body"),
        ],
    )
    @pytest.mark.parametrize("headers", [{}, NDJSON], ids=["at once", "streamed"])
    def test_what_makes_no_sense_is_refused_before_anything_runs(
        self,
        make_service: MakeService,
        engine: FakeEngine,
        headers: dict[str, str],
        body: object,
        status: int,
        code: str,
        text: str,
    ) -> None:
        service = make_service()
        assert_problem(service.client.post(create(service), json=body, headers=headers), status, code, text)
        assert engine.batch_sizes == []
        assert (service.queue.running, service.queue.waiting) == (0, 0)

    def test_a_body_without_end_is_not_read_to_its_end(self, make_service: MakeService) -> None:
        service = make_service()
        path = create(service)
        for address in (path, "/predict"):
            body = b'{"images": [' + b"0," * (MAX_BODY_BYTES // 2) + b"0]}"
            response = service.client.post(address, content=body, headers={"Content-Type": "application/json"})
            assert_problem(response, 413, "request_too_large", "8 MB")
        padded = b'{"images": [0]}' + b" " * (MAX_BODY_BYTES // 2)
        assert (
            service.client.post(path, content=padded, headers={"Content-Type": "application/json"}).status_code == 200
        )

    def test_one_image_cannot_be_asked_for_without_end(self, make_service: MakeService, engine: FakeEngine) -> None:
        """Each time would be an answer of its own, in memory."""
        service = make_service(max_entries=30)
        path = create(service)
        for headers in ({}, NDJSON):
            refused = service.client.post(path, json={"images": [0] * 31}, headers=headers)
            assert_problem(refused, 400, "invalid_request", "at most 30 images")
        stack = path.split("/")[4]
        refused = service.client.post("/predict_optimized", json={"filenames": ["0.png"] * 31, "stack_id": stack})
        assert_problem(refused, 400, "invalid_request", "at most 30 images")
        assert engine.batch_sizes == []
        assert len(service.client.post(path, json={"images": [0] * 30}).json()["predictions"]) == 30

    def test_the_body_limit_counts_what_arrives(self, make_service: MakeService) -> None:
        service = make_service()
        with running(service.api) as address, Connection(address) as connection:
            connection.head("POST", "/predict", Content_Type="application/json", Transfer_Encoding="chunked")
            for _ in range(12):
                connection.send(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
            connection.send(b"0\r\n\r\n")
            assert connection.answer().status == 413
