"""HEAD, redirects, and values that JSON can say and no program should send."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import assert_problem, upload


@pytest.mark.parametrize(
    "path",
    [
        "/api/health/live",
        "/api/v1/models",
        "/api/v1/stacks/{stack}",
        "/api/v1/stacks/{stack}/images/0",
        "/api/v1/stacks/{stack}/images/0/thumbnail",
        "/uploaded_images/{name}",
    ],
)
def test_head_answers_as_get_without_the_body(client: TestClient, path: str) -> None:
    came_in = upload(client).json()
    address = path.format(stack=came_in["stack_id"], name=came_in["filenames"][0])
    head, get = client.head(address), client.get(address)
    assert head.status_code == get.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers.get("content-length") == get.headers.get("content-length")


def test_head_changes_nothing(client: TestClient) -> None:
    assert client.head("/upload").status_code == 405
    assert client.head("/predict").status_code == 405


@pytest.mark.parametrize("path", ["/api/v1/models/", "/api/v1/models/?a=b", "/api/v1/stacks/abc/"])
def test_a_redirect_never_names_the_host_that_the_request_names(client: TestClient, path: str) -> None:
    response = client.get(path, headers={"Host": "stranger.example"}, follow_redirects=False)
    assert response.status_code == 307
    assert response.headers["location"] == path.replace("/?", "?").removesuffix("/")
    assert "stranger" not in str(response.headers)


def test_a_redirect_to_a_path_of_two_slashes_stays_here(client: TestClient) -> None:
    response = client.get("//stranger.example/", follow_redirects=False)
    assert not response.headers.get("location", "").startswith(("//", "http"))


@pytest.mark.parametrize("body", [{"filenames": ["\ud800"]}, {"filenames": ["a"], "stack_id": "\ud800"}])
def test_half_a_surrogate_pair_is_refused_with_a_sentence(client: TestClient, body: dict[str, object]) -> None:
    upload(client)
    response = client.post("/predict_optimized", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert_problem(response, 400, "invalid_request", "no valid text")


@pytest.mark.parametrize("body", [{"images": [False]}, {"images": [True]}, {"batch_size": True}, {"top_k": True}])
def test_a_boolean_is_no_number(client: TestClient, body: dict[str, object]) -> None:
    stack_id = upload(client).json()["stack_id"]
    response = client.post(f"/api/v1/stacks/{stack_id}/predictions", json=body)
    assert_problem(response, 400, "invalid_request", "no number")
