"""The service around the routes: models, metrics, one shape for every failure, other sites, its own description."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from core.engines.registry import engine_names
from core.images.formats import formats
from core.models.model import Model
from tests.api.conftest import ARCHIVE, NAMES, MakeService, assert_problem, greys_zip, upload
from tests.api.server import Connection, running

STACKS = "/api/v1/stacks"
SITE = "https://example.org"


def samples(client: TestClient) -> dict[tuple[str, ...], float]:
    """The metrics: name and labels -> value."""
    response = client.get("/api/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *map(str, sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


class TestModels:
    def test_lists_what_can_be_asked_for(self, client: TestClient, starter: Model) -> None:
        starter.engine("openvino-int8")
        (model,) = client.get("/api/v1/models").json()["models"]
        assert set(model) == {"name", "title", "description", "architecture", "classes", "default", "engines"}
        assert (model["name"], model["default"]) == ("starter", True)
        assert model["classes"] == list(starter.card.classes)
        assert [engine["name"] for engine in model["engines"]] == list(engine_names())
        expected = {"name", "title", "available", "loaded", "calibrated", "tells_unknown"}
        assert all(set(engine) == expected for engine in model["engines"])
        assert all(engine["calibrated"] and engine["tells_unknown"] for engine in model["engines"])
        assert model["engines"][0]["loaded"] is True

    def test_a_damaged_model_does_not_hide_the_others(self, make_service: MakeService, settings: Any) -> None:
        service = make_service()
        damaged = settings.data_dir / "models" / "damaged"
        damaged.mkdir(parents=True)
        (damaged / "card.json").write_text("{")
        answer = service.client.get("/api/v1/models").json()
        assert [model["name"] for model in answer["models"]] == ["greys"]
        assert [one["name"] for one in answer["damaged"]] == ["damaged"]
        assert "has no valid card.json; reinstall it" in answer["damaged"][0]["reason"]


class TestMetrics:
    def test_counts_what_happened(self, make_service: MakeService) -> None:
        service = make_service()
        before = samples(service.client)
        assert before["aisr_stacks",] == before["aisr_stored_bytes",] == 0
        location = service.client.post(
            STACKS, content=greys_zip(3), headers={"Content-Type": "application/zip"}
        ).headers["location"]
        service.client.post(f"{location}/predictions", json={})
        service.client.get(f"{location}/images/99")
        service.client.get("/api/nothing")
        after = samples(service.client)
        assert after["aisr_stacks",] == 1
        assert after["aisr_stored_bytes",] > 0
        assert after["aisr_recognitions_running",] == after["aisr_recognitions_waiting",] == 0
        assert after["aisr_images_recognized_total", "openvino-int8"] == 3
        requests = "aisr_http_requests_total"
        assert after[requests, "POST", STACKS, "201"] == 1
        assert after[requests, "POST", f"{STACKS}/{{stack_id}}/predictions", "200"] == 1
        assert after[requests, "GET", f"{STACKS}/{{stack_id}}/images/{{index}}", "404"] == 1
        assert after[requests, "GET", "unmatched", "404"] == 1
        assert after["aisr_http_request_seconds_count", STACKS] == 1
        assert after["aisr_http_request_seconds_sum", STACKS] > 0

    def test_tells_nothing_about_anybody(self, make_service: MakeService) -> None:
        service = make_service()
        body = service.client.post("/upload", files={"file": ("my secret.zip", ARCHIVE)}).json()
        for name in [*NAMES, "nowhere"]:
            service.client.get(f"/uploaded_images/{name}")
        service.client.get(f"{STACKS}/{body['stack_id']}/images/0")
        text = service.client.get("/api/metrics").text
        for secret in (
            body["stack_id"],
            "my secret",
            "testclient",
            "greys",
            *(name.split(".")[0] for name in NAMES[1:]),
        ):
            assert secret not in text

    def test_what_clients_invent_does_not_pile_up(self, make_service: MakeService) -> None:
        service = make_service()
        for number in range(20):
            service.client.request(f"METHOD{number}", f"/api/path{number}")
            service.client.get(f"{STACKS}/stack{number}")
        text = service.client.get("/api/metrics").text
        assert not re.search(r"METHOD|path\d|stack\d", text)
        assert samples(service.client)["aisr_http_requests_total", "other", "unmatched", "404"] == 20


class TestLog:
    def test_one_line_a_request_without_names_and_whole_ids(
        self, make_service: MakeService, caplog: pytest.LogCaptureFixture
    ) -> None:
        service = make_service()
        caplog.set_level(logging.DEBUG, "core.api")
        body = service.client.post("/upload", files={"file": ("my secret.zip", ARCHIVE)}).json()
        service.client.get("/uploaded_images/größe 100%25.PNG")
        service.client.get(f"{STACKS}/{body['stack_id']}/images/0")
        written = [record.getMessage() for record in caplog.records]
        assert len(written) == 3
        assert re.fullmatch(r"request method=POST route=/upload status=200 ms=[\d.]+", written[0])
        assert f"stack={body['stack_id'][:6]}" in written[2]
        for secret in (body["stack_id"], "my secret", "größe"):
            assert secret not in caplog.text


class TestFailures:
    @pytest.mark.parametrize("path", ["/api/nothing", "/api/v1/stacks/x/y/z", "/nothing", "/api/v1/stacks/x/images/"])
    def test_an_address_that_does_not_exist(self, client: TestClient, path: str) -> None:
        response = client.get(path, follow_redirects=False)
        assert response.status_code in (404, 307)
        if response.status_code == 404:
            assert_problem(response, 404, "not_found", "Not Found")

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/upload"),
            ("PUT", STACKS),
            ("POST", "/api/v1/models"),
            ("PATCH", f"{STACKS}/x"),
            ("DELETE", "/predict"),
        ],
    )
    def test_a_method_that_does_not_exist(self, client: TestClient, method: str, path: str) -> None:
        response = client.request(method, path)
        assert_problem(response, 405, "method_not_allowed", "Method Not Allowed")
        assert response.headers["allow"]

    def test_what_nobody_foresaw_tells_nothing_of_the_inside(
        self, make_service: MakeService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = make_service()

        def fail(*_: object) -> None:
            raise RuntimeError("password=hunter2 in /etc/secret")

        monkeypatch.setattr(service.store, "get", fail)
        response = service.client.get(f"{STACKS}/x")
        assert_problem(response, 500, "internal_error", "Something went wrong on the server")
        assert "hunter2" not in response.text
        assert "RuntimeError" not in response.text
        monkeypatch.undo()
        assert samples(service.client)["aisr_http_requests_total", "GET", f"{STACKS}/{{stack_id}}", "500"] == 1

    def test_a_client_that_sends_no_http_harms_nobody_else(self, make_service: MakeService) -> None:
        service = make_service()
        with running(service.api) as address:
            for nonsense in (b"\x16\x03\x01\x02\x00", b"GET /\r\n\r\n", b"POST " + b"x" * 200_000):
                with Connection(address) as connection:
                    connection.send(nonsense)
            with Connection(address) as connection:
                connection.head("GET", "/api/health/live")
                assert connection.answer().status == 200


ASK = {"Origin": SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


class TestOtherSites:
    def test_pages_of_other_sites_may_do_nothing_by_default(self, make_service: MakeService) -> None:
        client = make_service().client
        for response in (
            client.options(STACKS, headers=ASK),
            client.get("/api/v1/models", headers={"Origin": SITE}),
            upload(client),
        ):
            assert not [name for name in response.headers if name.startswith("access-control")]

    def test_those_that_are_named_may(self, make_service: MakeService) -> None:
        client = make_service(cors_origins=f"https://other.example, {SITE}").client
        asked = client.options(STACKS, headers=ASK)
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, SITE)
        assert "DELETE" in asked.headers["access-control-allow-methods"]
        response = client.get("/api/v1/models", headers={"Origin": SITE})
        assert response.headers["access-control-allow-origin"] == SITE
        assert "Location" in response.headers["access-control-expose-headers"]

    def test_and_no_others_and_never_with_cookies(self, make_service: MakeService) -> None:
        client = make_service(cors_origins=SITE).client
        for origin in ("https://evil.example", "null", f"{SITE}.evil.example", "http://example.org"):
            assert client.options(STACKS, headers=ASK | {"Origin": origin}).status_code == 400
            response = client.get("/api/v1/models", headers={"Origin": origin})
            assert "access-control-allow-origin" not in response.headers
        allowed = client.get("/api/v1/models", headers={"Origin": SITE})
        assert "access-control-allow-credentials" not in allowed.headers


class TestDescription:
    @pytest.fixture
    def document(self, client: TestClient) -> dict[str, Any]:
        return dict(client.get("/api/openapi.json").json())

    @staticmethod
    def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        return [
            (f"{method.upper()} {path}", operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]

    def test_every_operation_says_what_it_does_and_answers(self, document: dict[str, Any]) -> None:
        operations = self.operations(document)
        assert len(operations) >= 16
        for name, operation in operations:
            assert len(operation["summary"]) > 3, name
            assert len(operation.get("description", operation["summary"])) > 15, name
            assert operation["tags"], name
            good = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
            assert good, name
            for answer in good:
                assert answer["description"] == "Successful Response" or len(answer["description"]) > 5, name
                for content in answer.get("content", {}).values():
                    assert content != {"schema": {}}, f"{name} has an untyped answer"

    def test_failures_are_documented_in_their_one_shape(self, document: dict[str, Any]) -> None:
        for name, operation in self.operations(document):
            for status, answer in operation["responses"].items():
                if status[0] in "45d" and name != "GET /api/health/ready":
                    assert set(answer["content"]) == {"application/problem+json"}, f"{name} {status}"
            if "{stack_id}" in name or "predict" in name:
                assert "404" in operation["responses"], name
            if "requestBody" in operation:
                assert {"400", "413", "429", "503"} <= set(operation["responses"]), name
        assert set(document["components"]["schemas"]["Problem"]["required"]) == {
            "type", "title", "status", "detail", "code",
        }  # fmt: skip
        assert "HTTPValidationError" not in document["components"]["schemas"]

    def test_bodies_are_described_with_their_types(self, document: dict[str, Any]) -> None:
        bodies = {
            name: set(one["requestBody"]["content"]) for name, one in self.operations(document) if "requestBody" in one
        }
        assert bodies == {
            "POST /upload": {"multipart/form-data"},
            "POST /predict": {"application/json"},
            "POST /predict_optimized": {"application/json"},
            "POST /api/v1/files": {"application/octet-stream"},
            f"POST {STACKS}": {
                "multipart/form-data",
                "application/zip",
                "application/x-tar",
                "application/octet-stream",
                *(one.media_type for one in formats()),
            },
            "POST /api/v1/folders": {"application/json"},
            "PATCH /api/v1/uploads/{upload_id}": {"application/offset+octet-stream"},
            f"POST {STACKS}/{{stack_id}}/predictions": {"application/json"},
            f"POST {STACKS}/{{stack_id}}/labels": {"application/json", "text/csv"},
            f"POST {STACKS}/{{stack_id}}/teach": {"application/json"},
            f"POST {STACKS}/{{stack_id}}/teaching": {"application/json"},
            f"POST {STACKS}/{{stack_id}}/evaluations": {"application/json"},
        }

    def test_every_reference_leads_somewhere(self, document: dict[str, Any]) -> None:
        def references(part: object) -> list[str]:
            if isinstance(part, dict):
                own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
                return own + [found for value in part.values() for found in references(value)]
            return [found for value in part for found in references(value)] if isinstance(part, list) else []

        found = set(references(document["paths"])) | set(references(document["components"]))
        assert found <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert "#/components/schemas/Problem" in found
