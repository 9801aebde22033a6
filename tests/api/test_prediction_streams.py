"""Recognition as a stream: line by line, as it is made, and what happens when whoever asked has gone."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import numpy as np
import pytest
from fastapi.testclient import TestClient

from core.api.metrics import Metrics
from core.api.predictions import PredictionThreads
from core.base.errors import EngineUnavailable
from core.base.settings import Settings
from core.recognition.service import Order
from tests.api.conftest import Gate, MakeService, assert_problem, upload
from tests.api.prediction_requests import NDJSON, create, lines, send
from tests.api.server import Connection, running
from tests.conftest import MakeStack
from tests.helpers import SECONDS, FakeEngine, FakeModel, grey_png, wait_until


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
