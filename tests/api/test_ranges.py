"""Scaled by the image or by the whole stack, over HTTP: asked for by name, told with each answer, never mixed up."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from core.base.workers import Priority
from core.stacks.stack import ImageStack
from tests.api.conftest import MakeService, Service
from tests.builders import png_bytes, zip_bytes
from tests.helpers import SECONDS, grey_png, watch_decoding


def deep_png(left: int) -> bytes:
    return png_bytes(np.repeat(np.array([left, 1000]), 8)[None, :, None].repeat(16, axis=0), 16)


FILES = {"a.png": deep_png(2000), "b.png": deep_png(5000), "c.png": grey_png(7)}


@pytest.fixture
def service(make_service: MakeService) -> Service:
    return make_service()


@pytest.fixture
def stack(service: Service) -> ImageStack:
    stack = service.store.create(io.BytesIO(zip_bytes(FILES)), "x.zip")
    for index in range(len(stack)):
        stack.prepare(index, Priority.VISIBLE).result(SECONDS)
    return stack


def test_pictures_thumbnails_and_columns_are_of_the_range_asked_for(service: Service, stack: ImageStack) -> None:
    base = f"/api/v1/stacks/{stack.id}/images"
    for query, left in (("", 255), ("?value_range=image", 255), ("?value_range=stack", 64)):
        found = service.client.get(f"{base}/0/display{query}")
        assert np.asarray(Image.open(io.BytesIO(found.content)).convert("L"))[0, 0] == left
        assert "immutable" in found.headers["Cache-Control"]
        small = service.client.get(f"{base}/0/thumbnail{query}")
        assert abs(int(np.asarray(Image.open(io.BytesIO(small.content)).convert("L"))[0, 0]) - left) < 4
    tags = {service.client.get(f"{base}/0/display?value_range={one}").headers["ETag"] for one in ("image", "stack")}
    assert len(tags) == 2, "no cache may take one for the other"
    kinds = service.client.get(f"{base}?value_range=stack").json()["kinds"]
    assert [kind["range"] for kind in kinds] == [{"low": 1000, "high": 5000}, None]
    assert service.client.get(f"{base}/0/display?value_range=world").status_code == 400


def test_answers_say_whose_range_it_was(service: Service, stack: ImageStack) -> None:
    base = f"/api/v1/stacks/{stack.id}"
    for asked, told, label in (({}, "image", "255"), ({"value_range": "stack"}, "stack", "64")):
        answers = service.client.post(f"{base}/predictions", json=asked).json()["predictions"]
        assert [one.get("value_range") for one in answers] == [told, told, None]
        assert answers[0]["top"][0]["class"] == label
    kept = service.client.get(f"{base}/results").json()["results"]
    assert kept["0"][0][0] == "255", "who looks at the stack by images does not see answers of the other choice"


def test_before_it_is_known_there_is_no_picture_by_it_and_a_sentence_says_why(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    watch_decoding(monkeypatch, lambda _: go_on.wait(SECONDS))
    stack = service.store.create(io.BytesIO(zip_bytes(FILES)), "x.zip")
    base = f"/api/v1/stacks/{stack.id}/images"
    try:
        for path in ("/0/display", "/0/thumbnail", ""):
            answer = service.client.get(f"{base}{path}?value_range=stack")
            assert (answer.status_code, answer.json()["code"]) == (409, "range_unknown")
            assert "2 of 2 images were not looked at yet" in answer.json()["detail"]
            assert "immutable" not in answer.headers.get("Cache-Control", "")
    finally:
        go_on.set()
    answers = service.client.post(f"/api/v1/stacks/{stack.id}/predictions", json={"value_range": "stack"}).json()
    assert answers["predictions"][0]["top"][0]["class"] == "64", "an order finds it out"
    assert service.client.get(f"{base}/0/display?value_range=stack").status_code == 200
