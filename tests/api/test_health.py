"""Health for whoever watches the server, and the API's own description."""

from __future__ import annotations

from pathlib import Path

from fastapi.testclient import TestClient

from core.api import ROUTES, create_api
from core.base.settings import Settings
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.store import StackStore


def test_live_whatever_the_model_does(store: StackStore, tmp_path: Path) -> None:
    settings = Settings(models_dir=tmp_path / "no models", data_dir=tmp_path / "data")
    client = TestClient(create_api(store, ModelRegistry(settings), settings, RecognitionService(settings)))
    response = client.get("/api/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "live"})
    assert client.get("/api/health/ready").status_code != 200


def test_ready_only_once_the_default_model_is_loaded(store: StackStore, settings: Settings) -> None:
    registry = ModelRegistry(settings)
    client = TestClient(create_api(store, registry, settings, RecognitionService(settings)))
    before = client.get("/api/health/ready")
    assert (before.status_code, before.json()) == (503, {"status": "starting"})
    assert not registry.get().is_loaded("openvino-int8"), "asking must not load it"
    registry.get().engine("openvino-int8")
    after = client.get("/api/health/ready")
    assert (after.status_code, after.json()) == (200, {"status": "ready"})


def test_health_answers_while_predictions_run(client: TestClient, starter: Model) -> None:
    starter.engine("openvino-int8")
    assert client.get("/api/health/ready").status_code == 200
    assert "set-cookie" not in client.get("/api/health/live").headers


def test_every_route_is_described_and_reachable_through_the_declared_doors(client: TestClient) -> None:
    description = client.get("/api/openapi.json").json()
    outside = {path for path in description["paths"] if not path.startswith("/api/")}
    assert outside == {"/upload", "/uploaded_images/{filename}", "/predict", "/predict_optimized"}
    assert {door.replace(":anything", "") for door in ROUTES} == outside | {"/api/{path}"}
    operations = [one for path in description["paths"].values() for one in path.values()]
    assert all(one.get("summary") for one in operations)
    answer = description["components"]["schemas"]["PredictAnswer"]["properties"]
    assert "class" in answer
    assert "label" not in answer


def test_an_unknown_address_is_not_found(client: TestClient) -> None:
    response = client.get("/api/nothing")
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("application/")
