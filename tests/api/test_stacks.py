"""The addresses the pages read from: a stack's index, its images, thumbnails and results."""

from __future__ import annotations

import io

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from core.api import create_api
from core.base.settings import Settings
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.recognition.recognize import recognize
from core.recognition.service import RecognitionService
from core.stacks.store import StackStore
from tests.api.conftest import FILES, NAMES, assert_problem, upload

FOR_EVER = "private, max-age=31536000, immutable"


@pytest.fixture
def base(client: TestClient) -> str:
    return f"/api/v1/stacks/{upload(client).json()['stack_id']}"


def test_the_index_lists_every_image_with_what_the_viewer_shows(client: TestClient, base: str) -> None:
    response = client.get(base)
    body = response.json()
    assert set(body) == {"stack_id", "name", "images", "skipped"}
    assert (body["stack_id"], body["name"]) == (base.rsplit("/", 1)[1], "photos.zip")
    assert [image[0] for image in body["images"]] == NAMES
    assert body["images"][0] == ["16.png", 30, 20, "16-bit grey", len(FILES["16.png"])]
    assert body["images"][2] == ["b/2.png", 64, 48, "8-bit RGB", len(FILES["b/2.png"])]
    assert {entry["name"] for entry in body["skipped"]} == {"notes.txt", "__MACOSX/._2.png"}
    assert response.headers["cache-control"] == FOR_EVER


@pytest.mark.parametrize("index", range(len(NAMES)))
def test_originals_are_the_bytes_that_came(client: TestClient, base: str, index: int) -> None:
    response = client.get(f"{base}/images/{index}")
    assert (response.status_code, response.content) == (200, FILES[NAMES[index]])


@pytest.mark.parametrize(
    ("path", "content_type"), [("", "image/png"), ("/display", "image/png"), ("/thumbnail", "image/jpeg")]
)
def test_what_never_changes_may_be_kept_for_ever_but_not_shared(
    client: TestClient, base: str, path: str, content_type: str
) -> None:
    response = client.get(f"{base}/images/2{path}")
    assert response.status_code == 200
    assert response.headers["content-type"] == content_type
    assert response.headers["cache-control"] == FOR_EVER
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "public" not in response.headers["cache-control"]


def test_display_scales_16_bit_and_leaves_the_rest_alone(client: TestClient, base: str) -> None:
    values = np.asarray(Image.open(io.BytesIO(client.get(f"{base}/images/0/display").content)))
    assert (values.dtype, values.shape) == (np.uint8, (20, 30)), "grey stays grey on its way"
    assert (values.min(), values.max()) == (0, 255)
    assert client.get(f"{base}/images/2/display").content == FILES["b/2.png"]


def test_thumbnails_are_small_pictures_of_the_same_shape(client: TestClient, base: str, settings: Settings) -> None:
    thumbnail = Image.open(io.BytesIO(client.get(f"{base}/images/2/thumbnail").content))
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (64, 48))
    assert max(thumbnail.size) <= settings.thumbnail_side


@pytest.mark.parametrize("path", ["/display", "/thumbnail"])
def test_a_broken_image_says_why_and_is_not_cached(client: TestClient, base: str, path: str) -> None:
    client.get(f"{base}/images/{NAMES.index('broken.png')}/thumbnail")  # decoded, so the damage is known
    response = client.get(f"{base}/images/{NAMES.index('broken.png')}{path}")
    assert_problem(response, 422, "image_invalid", "copy or export it again")
    assert "immutable" not in response.headers.get("cache-control", "")
    assert client.get(f"{base}/images/0{path}").status_code == 200


@pytest.mark.parametrize("path", ["", "/display", "/thumbnail"])
@pytest.mark.parametrize(("index", "status"), [("7", 404), ("-1", 404), ("999999999999", 404), ("first", 400)])
def test_positions_that_do_not_exist(client: TestClient, base: str, path: str, index: str, status: int) -> None:
    response = client.get(f"{base}/images/{index}{path}")
    code, text = ("image_not_found", "images 0 to 6") if status == 404 else ("invalid_request", "index")
    assert_problem(response, status, code, text)
    assert "immutable" not in response.headers.get("cache-control", "")


@pytest.mark.parametrize("path", ["", "/results", "/images/0", "/images/0/display", "/images/0/thumbnail"])
@pytest.mark.parametrize("stack_id", ["unknown", "..", "%2e%2e%2f"])
def test_a_stack_that_does_not_exist(client: TestClient, base: str, path: str, stack_id: str) -> None:
    response = client.get(f"/api/v1/stacks/{stack_id}{path}")
    assert response.status_code == 404
    assert "immutable" not in response.headers.get("cache-control", "")
    if stack_id == "unknown":
        assert_problem(response, 404, "stack_not_found", "does not exist or has expired")


def test_results_are_there_as_soon_as_they_are_made_and_never_cached(
    client: TestClient,
    base: str,
    store: StackStore,
    starter: Model,
    settings: Settings,
    recognition: RecognitionService,
) -> None:
    response = client.get(f"{base}/results")
    assert response.json() == {"results": {}}
    assert response.headers["cache-control"] == "no-store"
    stack = store.get(base.rsplit("/", 1)[1])
    recognize(stack, [2, 5], starter, "openvino-int8", settings, on_batch=recognition.results(stack).add)
    results = client.get(f"{base}/results").json()["results"]
    assert set(results) == {"2", "5"}
    ((label, confidence, engine, model),) = results["2"]
    assert (label in starter.card.classes, 0 < confidence <= 1) == (True, True)
    assert (engine, model) == ("OpenVINO INT8", "starter")
    assert results["5"] == [], "an unreadable image has no answer"


def test_looking_at_a_stack_keeps_it_alive(
    settings: Settings, registry: ModelRegistry, recognition: RecognitionService
) -> None:
    now = 0.0
    store = StackStore(settings, clock=lambda: now)
    try:
        with TestClient(create_api(store, registry, settings, recognition)) as client:
            seen, unseen = (f"/api/v1/stacks/{upload(client).json()['stack_id']}" for _ in range(2))
            now = settings.stack_ttl_seconds - 1.0
            client.get(f"{seen}/images/0/thumbnail")
            now += 2
            store.sweep()
            assert (client.get(seen).status_code, client.get(unseen).status_code) == (200, 404)
    finally:
        store.close()
