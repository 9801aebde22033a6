"""Recognition as a resource: everything one may ask for, streaming, and what happens when many ask at once."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from fastapi.testclient import TestClient

from core.api.body_limit import MAX_BODY_BYTES
from core.api.metrics import Metrics
from core.api.predictions import PredictionThreads
from core.base.errors import EngineUnavailable
from core.base.settings import Settings
from core.models.model import Model
from core.recognition.recognize import recognize
from core.recognition.service import Order
from core.stacks.store import StackStore
from tests.api.conftest import NAMES, Gate, MakeService, Service, assert_problem, greys_zip, upload
from tests.api.server import Connection, running
from tests.builders import zip_bytes
from tests.conftest import MakeStack
from tests.helpers import SECONDS, FakeEngine, FakeModel, grey_png, wait_until

NDJSON = {"Accept": "application/x-ndjson"}


def create(service: Service, given: int | bytes = 12) -> str:
    """The address of predictions for a new stack: of that many greys, or of this ZIP."""
    content = greys_zip(given) if isinstance(given, int) else given
    response = service.client.post("/api/v1/stacks", content=content, headers={"Content-Type": "application/zip"})
    return f"{response.headers['location']}/predictions"


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def send(connection: Connection, path: str, body: object, **headers: str) -> None:
    data = json.dumps(body).encode()
    connection.head("POST", path, Content_Type="application/json", Content_Length=len(data), **headers)
    connection.send(data)


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


class TestStream:
    def test_one_line_for_each_image(self, make_service: MakeService) -> None:
        service = make_service()
        response = service.client.post(create(service), json={"batch_size": 5, "top_k": 2}, headers=NDJSON)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("application/x-ndjson")
        found = lines(response.text)
        assert sorted(one["index"] for one in found) == list(range(12))
        for one in found:
            assert set(one) == {"index", "filename", "top", "calibrated", "known", "known_score"}
            assert (one["calibrated"], one["known"], one["known_score"]) == (False, None, None), "this model cannot"
            assert [set(score) for score in one["top"]] == [{"class", "confidence"}] * 2
            assert one["top"][0]["class"] == str(one["index"])

    def test_an_unreadable_image_is_a_line_with_a_reason(self, client: TestClient) -> None:
        stack_id = upload(client).json()["stack_id"]
        found = lines(client.post(f"/api/v1/stacks/{stack_id}/predictions", json={}, headers=NDJSON).text)
        (broken,) = [one for one in found if one["filename"] == "broken.png"]
        assert (broken["top"], "copy or export it again" in broken["error"]) == ([], True)
        assert sum("error" in one for one in found) == 1

    def test_lines_come_as_they_are_made(self, make_service: MakeService, gate: Gate) -> None:
        service = make_service()
        gate.after = 1
        path = create(service)
        with running(service.api) as address, Connection(address) as connection:
            send(connection, path, {"batch_size": 1}, Accept=NDJSON["Accept"])
            while not (line := connection.line()).startswith(b"{"):
                assert line, "the answer ended"
            assert json.loads(line)["index"] == 0
            assert not gate.is_open
            gate.open()

    def test_an_error_before_the_first_line_has_its_own_status(
        self, make_service: MakeService, engine: FakeEngine
    ) -> None:
        def fail(batch: np.ndarray) -> None:
            raise EngineUnavailable("The engine has gone.")

        engine.before = fail
        service = make_service()
        response = service.client.post(create(service), json={}, headers=NDJSON)
        assert_problem(response, 503, "engine_unavailable", "The engine has gone.")
        assert service.queue.running == 0

    def test_a_later_one_is_the_last_line(self, make_service: MakeService, engine: FakeEngine) -> None:
        calls = 0

        def fail_later(batch: np.ndarray) -> None:
            nonlocal calls
            calls += 1
            if calls > 4:
                raise EngineUnavailable("The engine has gone.")

        engine.before = fail_later
        service = make_service()
        path = create(service)
        response = service.client.post(path, json={"batch_size": 1}, headers=NDJSON)
        *found, last = lines(response.text)
        assert response.status_code == 200
        assert last == {"code": "engine_unavailable", "detail": "The engine has gone."}
        assert [one["index"] for one in found] == [0, 1, 2, 3]
        assert service.queue.running == 0
        assert len(service.client.get(path.replace("predictions", "results")).json()["results"]) == 4

    def test_a_client_that_does_not_read_keeps_nobody_waiting(
        self, make_stack: MakeStack, make_service: MakeService, engine: FakeEngine, settings: Settings, tmp_path: Path
    ) -> None:
        """Its lines pile up where its results are kept anyway; its turn ends."""
        service = make_service()
        stack = make_stack({f"{value}.png": grey_png(value) for value in range(100)})
        threads = PredictionThreads(service.recognition, settings, Metrics(service.store, service.queue))
        order = Order(stack, range(100), FakeModel(tmp_path / "greys", engine), ("openvino-int8",), "lazy", 1)

        async def read_one() -> None:
            predictions = threads.stream(order, threading.Event())
            await anext(predictions)
            with anyio.fail_after(SECONDS):
                while service.queue.running:
                    await anyio.sleep(0.01)
            assert len(service.recognition.results(stack).of("openvino-int8")) == 100
            await predictions.aclose()

        anyio.run(read_one)


class TestLeaving:
    @pytest.mark.parametrize("accept", ["application/json", NDJSON["Accept"]])
    def test_work_ends_with_the_client(
        self, make_service: MakeService, gate: Gate, engine: FakeEngine, accept: str
    ) -> None:
        service = make_service()
        gate.after = 2
        path = create(service, 200)
        with running(service.api) as address:
            with Connection(address) as connection:
                send(connection, path, {"batch_size": 1}, Accept=accept)
                assert gate.reached.wait(SECONDS)
            # Time for the server to hear of it, even on a busy machine: it ends as soon as it has.
            engine.before = lambda batch: gate(batch) or time.sleep(0.05)
            gate.open()
            wait_until(lambda: service.queue.running == 0, "the end of the work")
        assert gate.calls < 200

    def test_who_has_left_the_queue_is_not_served(self, make_service: MakeService, gate: Gate) -> None:
        service = make_service(max_running=1)
        path = create(service)
        with running(service.api) as address, Connection(address) as first:
            send(first, path, {"images": [0]})
            assert gate.reached.wait(SECONDS)
            with Connection(address) as second:
                send(second, path, {"images": [1]})
                wait_until(lambda: service.queue.waiting == 1, "a place in the queue")
            wait_until(lambda: service.queue.waiting == 0, "the place to be free")
            gate.open()
            assert first.answer().status == 200
        assert gate.calls == 1

    def test_a_stack_deleted_meanwhile_ends_in_words(self, make_service: MakeService, gate: Gate) -> None:
        service = make_service(workers=1)
        path = create(service, 120)
        gate.after = 1
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(service.client.post, path, json={"batch_size": 1})
            assert gate.reached.wait(SECONDS)
            assert service.client.delete(path.removesuffix("/predictions")).status_code == 204
            gate.open()
            response = answer.result(SECONDS)
        assert response.status_code in (200, 404)
        assert service.queue.running == 0


class TestMany:
    def test_beyond_the_queue_the_answer_is_no_and_comes_at_once(self, make_service: MakeService, gate: Gate) -> None:
        service = make_service(max_running=1, max_waiting=2)
        path = create(service)
        with running(service.api) as address, ThreadPoolExecutor(4) as pool:

            def ask() -> Any:
                with Connection(address) as connection:
                    send(connection, path, {"images": [1]})
                    return connection.answer()

            inside = [pool.submit(ask) for _ in range(3)]
            wait_until(lambda: service.queue.waiting == 2, "a full queue")
            for headers in ({}, NDJSON):
                refused = service.client.post(path, json={"images": [2]}, headers=headers)
                assert_problem(refused, 503, "busy", "Try again in a few seconds")
                assert int(refused.headers["retry-after"]) > 0
            assert not any(one.done() for one in inside), "the answer waited for others"
            assert service.client.get("/api/health/live").status_code == 200
            gate.open()
            assert [one.result(SECONDS).status for one in inside] == [200, 200, 200]
        assert service.client.post(path, json={"images": [2]}).status_code == 200

    def test_one_client_alone_cannot_fill_the_queue(self, make_service: MakeService, gate: Gate) -> None:
        service = make_service(max_running=1, max_waiting=10, max_waiting_per_client=1)
        path = create(service)
        with running(service.api) as address, ThreadPoolExecutor(4) as pool:
            greedy, modest = "127.0.0.2", "127.0.0.3"

            def ask(client: str) -> Any:
                with Connection(address, client) as connection:
                    send(connection, path, {"images": [1]})
                    return connection.answer()

            inside = [pool.submit(ask, greedy)]
            wait_until(lambda: service.queue.running == 1, "a turn")
            inside.append(pool.submit(ask, greedy))
            wait_until(lambda: service.queue.waiting == 1, "a place")
            refused = TestClient(service.api, client=(greedy, 1)).post(path, json={"images": [2]})
            assert_problem(refused, 429, "too_many_requests", "Wait for their answers")
            assert int(refused.headers["retry-after"]) > 0
            inside.append(pool.submit(ask, modest))
            wait_until(lambda: service.queue.waiting == 2, "another's place")
            gate.open()
            assert [one.result(SECONDS).status for one in inside] == [200, 200, 200]

    def test_everybody_gets_answers_for_their_own_images(self, make_service: MakeService) -> None:
        """All stacks have the same file names, and turns are passed on after every batch."""
        service = make_service(max_running=2, turn_seconds=0)
        counts = [1, 17, 40, 3, 25, 8, 30, 12]

        def work(number: int) -> list[str]:
            shade = 10 * number
            files = {f"{position:02}.png": grey_png(shade + position % 10) for position in range(counts[number])}
            archive = zip_bytes(files)
            created = service.client.post(
                "/api/v1/stacks", content=archive, headers={"Content-Type": "application/zip"}
            )
            path = f"{created.headers['location']}/predictions"
            headers = NDJSON if number % 2 else {}
            answer = service.client.post(path, json={"batch_size": 3}, headers=headers)
            found = lines(answer.text) if number % 2 else answer.json()["predictions"]
            return [one["top"][0]["class"] for one in sorted(found, key=lambda one: one["index"])]

        with ThreadPoolExecutor(len(counts)) as pool:
            answers = list(pool.map(work, range(len(counts))))
        for number, count in enumerate(counts):
            assert answers[number] == [str(10 * number + position % 10) for position in range(count)]
        assert (service.queue.running, service.queue.waiting) == (0, 0)

    def test_a_long_recognition_does_not_hold_up_a_short_one(
        self, make_service: MakeService, engine: FakeEngine
    ) -> None:
        """Batches of the long one last until the short one waits; later ones, until that has its answer."""
        waiting, answered = threading.Event(), threading.Event()
        begun: list[int] = []

        def hold(batch: np.ndarray) -> None:
            if batch[0, 0, 0, 0] == 250:
                return  # the short one
            begun.append(1)
            if len(begun) <= engine.parallelism:
                assert waiting.wait(SECONDS)
                time.sleep(0.05)  # its turn is over
            else:
                assert answered.wait(SECONDS), "it waited for the whole of the long one"

        engine.before = hold
        service = make_service(max_running=1, turn_seconds=0.05)
        large, small = create(service, 20), create(service, zip_bytes({"1.png": grey_png(250)}))
        with ThreadPoolExecutor(2) as pool:
            long = pool.submit(service.client.post, large, json={"batch_size": 1})
            wait_until(lambda: len(begun) == engine.parallelism, "the long one")
            short = pool.submit(service.client.post, small, json={})
            wait_until(lambda: service.queue.waiting == 1, "the short one")
            waiting.set()
            assert short.result(SECONDS).status_code == 200
            assert not long.done()
            answered.set()
            assert len(long.result(SECONDS).json()["predictions"]) == 20


def test_pages_and_programs_share_one_queue(make_service: MakeService, gate: Gate) -> None:
    service = make_service(max_running=1, max_waiting=0)
    path = create(service)
    with service.queue.turn("a page", "its stack"):
        assert_problem(service.client.post(path, json={}), 503, "busy", "Try again")
    gate.open()
    assert service.client.post(path, json={}).status_code == 200
