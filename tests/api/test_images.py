"""One image over HTTP: kept by the client, in parts, and with a window of its values."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from core.base.settings import MIB
from core.base.workers import Priority
from core.images.pixels import to_rgb
from tests.api.conftest import FILES, NAMES, MakeService, assert_problem, greys_zip, upload
from tests.api.server import Connection, running
from tests.builders import photo_png, png_bytes, zip_bytes
from tests.helpers import SECONDS, wait_until, watch_decoding

FOR_EVER = "private, max-age=31536000, immutable"
DEEP = np.random.default_rng(0).integers(900, 2200, (20, 30, 1))  # 16-bit, as a CT slice
GREY = np.random.default_rng(1).integers(0, 256, (9, 7, 1))
COLOUR = np.random.default_rng(2).integers(0, 256, (8, 11, 3))
WINDOWS = zip_bytes(
    {"1 deep.png": png_bytes(DEEP, 16), "2 grey.png": png_bytes(GREY), "3 colour.png": png_bytes(COLOUR)}
)


@pytest.fixture
def images(client: TestClient) -> str:
    return f"/api/v1/stacks/{upload(client).json()['stack_id']}/images"


@pytest.fixture
def windows(client: TestClient) -> str:
    return f"/api/v1/stacks/{upload(client, WINDOWS).json()['stack_id']}/images"


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


class TestKeeping:
    @pytest.mark.parametrize("path", ["", "/display", "/display?low=1&high=9", "/thumbnail", "/values"])
    def test_who_has_it_is_not_sent_it_again(self, client: TestClient, images: str, path: str) -> None:
        first = client.get(f"{images}/2{path}")
        tag = first.headers["etag"]
        assert tag.startswith('"')
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = client.get(f"{images}/2{path}", headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b""), known
            assert again.headers["etag"] == tag
            assert again.headers["cache-control"] == FOR_EVER
        for unknown in ('"other"', tag.strip('"'), ""):
            assert client.get(f"{images}/2{path}", headers={"If-None-Match": unknown}).content == first.content

    def test_every_rendering_of_an_image_has_a_tag_of_its_own(self, client: TestClient, images: str) -> None:
        paths = ["/display", "/display?invert=true", "/display?low=0&high=9", "/display?low=0&high=9&invert=true"]
        tags = [client.get(f"{images}/2{path}").headers["etag"] for path in paths]
        assert len(set(tags)) == len(paths)

    @pytest.mark.parametrize("path", ["", "/display", "/thumbnail", "/values"])
    def test_what_does_not_exist_cannot_be_unchanged(self, client: TestClient, images: str, path: str) -> None:
        for address in (f"{images}/99{path}", f"/api/v1/stacks/unknown/images/0{path}"):
            response = client.get(address, headers={"If-None-Match": "*"})
            assert response.status_code == 404
            assert "etag" not in response.headers
            assert "immutable" not in response.headers.get("cache-control", "")

    @pytest.mark.parametrize("path", ["", "/display", "/thumbnail", "/values"])
    def test_browsers_take_nothing_for_what_it_is_not(self, client: TestClient, images: str, path: str) -> None:
        assert client.get(f"{images}/2{path}").headers["x-content-type-options"] == "nosniff"


class TestParts:
    name = NAMES[2]
    data = FILES[name]
    size = len(data)

    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=10-19", 10, 20),
            ("bytes=10-", 10, size),
            ("bytes=-7", size - 7, size),
            (f"bytes={size - 1}-", size - 1, size),
            (f"bytes=0-{10 * size}", 0, size),
            (f"bytes=-{10 * size}", 0, size),
            ("bytes = 3 - 5", 3, 6),
            ("bytes=0-999999999999999999", 0, size),
        ],
    )
    def test_a_part(self, client: TestClient, images: str, asked: str, start: int, end: int) -> None:
        for address in (f"{images}/2", f"/uploaded_images/{self.name}"):
            response = client.get(address, headers={"Range": asked})
            assert (response.status_code, response.content) == (206, self.data[start:end])
            assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{self.size}"
            assert response.headers["content-type"] == "image/png"

    @pytest.mark.parametrize(
        "asked",
        [
            *["bytes=5-2", "bytes=-", "bytes=", "bytes=a-b", "bytes=--1", "bytes=0-1,3-4", "items=0-1", "0-1"],
            *["bytes=1-1" * 9, "bytes=0-" + "9" * 40],
        ],
    )
    def test_what_makes_no_sense_is_ignored(self, client: TestClient, images: str, asked: str) -> None:
        response = client.get(f"{images}/2", headers={"Range": asked})
        assert (response.status_code, response.content) == (200, self.data)
        assert "content-range" not in response.headers
        assert response.headers["accept-ranges"] == "bytes"

    @pytest.mark.parametrize("asked", [f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"])
    def test_a_part_behind_the_end(self, client: TestClient, images: str, asked: str) -> None:
        response = client.get(f"{images}/2", headers={"Range": asked})
        assert_problem(response, 416, "range_not_satisfiable", f"{self.size} bytes")
        assert response.headers["content-range"] == f"bytes */{self.size}"
        assert "immutable" not in response.headers.get("cache-control", "")

    def test_going_on_with_the_same_file_but_not_with_another(self, client: TestClient, images: str) -> None:
        tag = client.get(f"{images}/2").headers["etag"]
        same = client.get(f"{images}/2", headers={"Range": "bytes=5-", "If-Range": tag})
        assert (same.status_code, same.content) == (206, self.data[5:])
        for other in ('"other"', f"W/{tag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
            whole = client.get(f"{images}/2", headers={"Range": "bytes=5-", "If-Range": other})
            assert (whole.status_code, whole.content) == (200, self.data)

    def test_the_short_door_has_nothing_to_go_on_with(self, client: TestClient, images: str) -> None:
        """Its address means another file as soon as the client opens another stack."""
        headers = {"Range": "bytes=5-", "If-Range": '"original"'}
        assert client.get(f"/uploaded_images/{self.name}", headers=headers).content == self.data


class TestWindow:
    @pytest.mark.parametrize(("low", "high"), [(1000, 2000), (0, 65535), (-500, 1500), (1500, 1501), (2100, 131070)])
    @pytest.mark.parametrize("invert", [False, True])
    def test_a_window_of_a_deep_image(
        self, client: TestClient, windows: str, low: int, high: int, invert: bool
    ) -> None:
        response = client.get(f"{windows}/0/display", params={"low": low, "high": high, "invert": invert})
        assert response.headers["content-type"] == "image/png"
        expected = np.rint(np.clip((DEEP - low) / (high - low), 0, 1) * 255)
        if invert:
            expected = 255 - expected
        shown = pixels(response.content)
        assert shown.shape == (20, 30, 3)
        assert np.abs(shown - expected).max() <= 1, "rounding of exact halves at most"
        assert (shown == np.broadcast_to(expected, shown.shape)).mean() > 0.95

    @pytest.mark.parametrize(("index", "samples"), [(1, GREY), (2, COLOUR)])
    def test_a_window_of_other_images(self, client: TestClient, windows: str, index: int, samples: np.ndarray) -> None:
        shown = pixels(client.get(f"{windows}/{index}/display?low=50&high=150").content)
        expected = np.clip((samples - 50) * 255 / 100, 0, 255)
        np.testing.assert_allclose(shown, np.broadcast_to(expected, shown.shape), atol=0.5)

    @pytest.mark.parametrize(("index", "samples"), [(0, DEEP.astype(np.uint16)), (2, COLOUR.astype(np.uint8))])
    def test_inverted_without_a_window_is_the_opposite_of_what_is_shown(
        self, client: TestClient, windows: str, index: int, samples: np.ndarray
    ) -> None:
        plain = pixels(client.get(f"{windows}/{index}/display").content)
        inverted = pixels(client.get(f"{windows}/{index}/display?invert=true").content)
        np.testing.assert_array_equal(plain, to_rgb(samples))
        np.testing.assert_array_equal(inverted, 255 - plain)

    @pytest.mark.parametrize(
        "query",
        [
            "low=1",
            "high=1",
            "low=5&high=5",
            "low=6&high=5",
            "low=a&high=5",
            "low=-1e301&high=1",
            "low=1&high=inf",
            "low=nan&high=1",
        ],
    )
    def test_half_a_window_or_none_at_all_is_refused(self, client: TestClient, windows: str, query: str) -> None:
        response = client.get(f"{windows}/0/display?{query}")
        assert_problem(response, 400, "invalid_request", "")
        assert "etag" not in response.headers


class TestLargeOnes:
    def test_only_a_few_are_in_memory_together_and_small_ones_do_not_wait(
        self, make_service: MakeService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        side = 2100  # 4.4 million pixels
        large = png_bytes(np.zeros((side, side, 1), np.uint8))
        service = make_service(workers=2)
        stack = service.store.create(io.BytesIO(zip_bytes({"1.png": large, "2.png": photo_png()})), "x.zip")
        for index in range(2):
            stack.prepare(index, Priority.VISIBLE).result(SECONDS)
        base = f"/api/v1/stacks/{stack.id}/images"
        lock, go_on = threading.Lock(), threading.Event()
        inside = most = 0
        read = stack.values

        def watched(index: int, at_least: object = None) -> np.ndarray:
            nonlocal inside, most
            if index == 0:
                with lock:
                    inside += 1
                    most = max(most, inside)
                assert go_on.wait(SECONDS)
                with lock:
                    inside -= 1
            return read(index)

        monkeypatch.setattr(stack, "values", watched)
        with running(service.api) as address, ThreadPoolExecutor(8) as pool:

            def get(path: str) -> int:
                with Connection(address) as connection:
                    connection.head("GET", f"{base}/{path}")
                    return connection.answer().status

            decoding = ["0/values", "0/display?low=1&high=2", "0/display?invert=true", "0/display?low=3&high=9"]
            waiting = [pool.submit(get, path) for path in decoding * 2]
            try:
                wait_until(lambda: inside == 2, "two at work")
                at_once = ["1", "1/values", "1/display?low=1&high=2", "1/thumbnail", "0", "0/display"]
                assert [get(path) for path in at_once] == [200] * 6
                assert not any(one.done() for one in waiting)
            finally:
                go_on.set()
            assert [one.result(SECONDS) for one in waiting] == [200] * 8
        assert most == 2

    def test_who_hangs_up_while_waiting_is_not_served_and_not_in_the_way(
        self, make_service: MakeService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = make_service(workers=2, image_memory_bytes=64 * MIB)
        large = png_bytes(np.zeros((2100, 2100, 1), np.uint8))
        stack = service.store.create(io.BytesIO(zip_bytes({"1.png": large})), "x.zip")
        stack.prepare(0, Priority.VISIBLE).result(SECONDS)
        go_on = threading.Event()
        decoded: list[bytes] = []
        watch_decoding(monkeypatch, lambda data: decoded.append(data) or go_on.wait(SECONDS))
        with running(service.api) as address:
            path = f"/api/v1/stacks/{stack.id}/images/0/display?low=1&high="
            first, last = Connection(address), Connection(address)
            try:
                first.head("GET", f"{path}2")
                wait_until(lambda: len(decoded) == 1, "the first is at work")
                for number in range(3, 9):
                    with Connection(address) as gone:
                        gone.head("GET", f"{path}{number}")
                last.head("GET", f"{path}9")
                store = service.store
                wait_until(lambda: store.memory.waiting + store.answers.waiting == 1, "those who left wait no more")
            finally:
                go_on.set()
            assert [first.answer().status, last.answer().status] == [200, 200]
            first.close()
            last.close()
        assert len(decoded) == 2
        assert service.store.memory.used == 0

    def test_thumbnails_that_wait_for_their_turn_hold_up_nothing_else(
        self, make_service: MakeService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """More of them than there are threads."""
        service = make_service(workers=1)
        go_on = threading.Event()
        watch_decoding(monkeypatch, lambda data: go_on.wait(SECONDS))
        location = service.client.post(
            "/api/v1/stacks", content=greys_zip(60), headers={"Content-Type": "application/zip"}
        ).headers["location"]
        with running(service.api) as address:
            waiting = [Connection(address) for _ in range(60)]
            for number, connection in enumerate(waiting):
                connection.head("GET", f"{location}/images/{number}/thumbnail")
            with Connection(address) as other:
                for path in ("/api/health/live", "/api/v1/models", f"{location}/images/5", location):
                    other.head("GET", path)
                    assert other.answer().status == 200, path
            go_on.set()
            assert {connection.answer().status for connection in waiting} == {200}
            for connection in waiting:
                connection.close()
