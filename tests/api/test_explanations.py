"""Where the network looked, over HTTP: as numbers and as pictures, under the rules of every other route."""

from __future__ import annotations

import gc
import io
from contextlib import ExitStack
from importlib.resources import files
from threading import Event
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from PIL import Image

from core.base.settings import Settings
from core.models.model import Model
from core.recognition.service import Order, RecognitionService, Watcher
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from tests.api.conftest import assert_problem
from tests.api.server import Connection, running
from tests.builders import BROKEN_PNGS, photo_png
from tests.conftest import MakeStack
from tests.helpers import wait_until


def cat_png() -> bytes:
    with (files("skimage") / "data" / "chelsea.png").open("rb") as file:
        return file.read()


@pytest.fixture
def stack(make_stack: MakeStack) -> ImageStack:
    return make_stack({"1.png": cat_png(), "2.png": BROKEN_PNGS["data stops early"], "3.png": photo_png()})


@pytest.fixture
def ask(client: TestClient, stack: ImageStack) -> Any:
    def get(index: int = 0, headers: dict[str, str] | None = None, **query: str) -> Response:
        return client.get(f"/api/v1/stacks/{stack.id}/images/{index}/explanation", params=query, headers=headers)

    return get


def test_the_numbers_add_up_to_the_answer(ask: Any) -> None:
    body = ask().json()
    assert (body["model"], body["engine"], body["precision"], body["class"]) == (
        "starter",
        "openvino-int8",
        "INT8",
        "cat",
    )
    assert body["best"][0]["class"] == "cat"
    assert body["confidence"] == body["best"][0]["confidence"]
    assert np.shape(body["map"]) == (7, 7)
    assert np.mean(body["map"]) + body["bias"] + body["rounding"] == pytest.approx(body["logit"], abs=1e-3)
    left, top, right, bottom = body["box"]
    assert 0 < left < right < 451
    assert 0 < top < bottom < 300
    assert right - left == pytest.approx(bottom - top, rel=0.01), "square, as the model's input"


def test_any_class_can_be_asked_for_and_no_other(ask: Any, starter: Model) -> None:
    best = [score["class"] for score in ask().json()["best"]]
    other = next(label for label in starter.card.classes if label not in best)
    body = ask(**{"class": other}).json()
    assert (body["class"], body["confidence"]) == (other, None)
    assert ask(**{"class": best[1]}).json()["confidence"] == pytest.approx(ask().json()["best"][1]["confidence"])
    assert_problem(ask(**{"class": "unicorn"}), 400, "invalid_request", "knows no class 'unicorn'")


@pytest.mark.parametrize(("form", "size"), [("png", (7, 7)), ("overlay", (224, 224)), ("input", (224, 224))])
def test_pictures(ask: Any, form: str, size: tuple[int, int]) -> None:
    response = ask(form=form)
    assert response.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(response.content))
    assert picture.size == size
    if form == "png":
        body = ask().json()
        low, high = float(picture.text["low"]), float(picture.text["high"])
        assert np.abs(low + np.asarray(picture) / 255 * (high - low) - body["map"]).max() < (high - low) / 255


@pytest.mark.torch
def test_pytorch_looks_at_nearly_the_same(ask: Any) -> None:
    first, second = ask().json(), ask(engine="pytorch-fp32").json()
    assert (second["engine"], second["precision"]) == ("pytorch-fp32", "FP32")
    assert abs(second["rounding"]) < 1e-3
    assert np.corrcoef(np.ravel(first["map"]), np.ravel(second["map"]))[0, 1] > 0.95
    assert first["map"] != second["map"]


def test_what_a_client_has_is_not_made_again_and_only_then(ask: Any) -> None:
    first = ask()
    assert first.headers["cache-control"] == "private, no-cache"
    known = {"If-None-Match": first.headers["etag"]}
    assert (ask(headers=known).status_code, ask(headers=known).content) == (304, b"")
    for other in ({"form": "png"}, {"class": "dog"}, {"engine": "openvino-fp32"}):
        assert ask(headers=known, **other).headers["etag"] != first.headers["etag"], other


@pytest.mark.parametrize(
    ("index", "query", "status", "code"),
    [
        (1, {}, 422, "image_invalid"),
        (3, {}, 404, "image_not_found"),
        (-1, {}, 404, "image_not_found"),
        (0, {"model": "nobody"}, 404, "model_not_found"),
        (0, {"engine": "abacus"}, 400, "invalid_request"),
        (0, {"form": "pdf"}, 400, "invalid_request"),
    ],
)
def test_what_cannot_be_had_is_said(ask: Any, index: int, query: dict[str, str], status: int, code: str) -> None:
    response = ask(index, **query)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert "Traceback" not in response.text


def test_nobody_looks_into_a_stack_that_is_closed(client: TestClient, store: StackStore, stack: ImageStack) -> None:
    address = f"/api/v1/stacks/{stack.id}/images/0/explanation"
    assert client.get(address).status_code == 200
    store.delete(stack.id)
    assert_problem(client.get(address), 404, "stack_not_found", "")
    assert_problem(client.get(address.replace(stack.id, "0" * 32)), 404, "stack_not_found", "")


def test_a_model_of_a_session_is_found_in_the_stack_it_was_used_in_and_nowhere_else(
    client: TestClient,
    make_stack: MakeStack,
    stack: ImageStack,
    starter: Model,
    recognition: RecognitionService,
) -> None:
    own = Model(starter.folder, starter.cache_dir)
    own.card = own.card.model_copy(update={"name": "mine"})
    recognition.run(Order(stack, [0], own, ("openvino-int8",)), "page", Watcher(), Event())
    address = f"/api/v1/stacks/{stack.id}/images/0/explanation?model=mine"
    assert client.get(address).json()["model"] == "mine"
    other = make_stack({"1.png": photo_png(seed=5)})
    assert_problem(client.get(address.replace(stack.id, other.id)), 404, "model_not_found", "")
    del own
    gc.collect()
    assert_problem(client.get(address, headers={"If-None-Match": "*"}), 404, "model_not_found", "")


def test_it_waits_for_a_turn_and_stops_waiting_when_its_client_has_left(
    api: FastAPI, client: TestClient, stack: ImageStack, recognition: RecognitionService, settings: Settings
) -> None:
    address = f"/api/v1/stacks/{stack.id}/images/0/explanation"
    assert client.get(address).status_code == 200
    queue = recognition.queue
    with running(api) as server, ExitStack() as others:
        for number in range(settings.max_running):
            others.enter_context(queue.turn(f"client {number}", "another"))
        with Connection(server) as connection:
            connection.head("GET", address.replace("/0/", "/2/"))
            wait_until(lambda: queue.waiting == 1, "a place in the queue")
        wait_until(lambda: queue.waiting == 0, "the place to be free")
        assert queue.running == settings.max_running
