"""What happens when many ask for predictions at once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from tests.api.conftest import Gate, MakeService, assert_problem
from tests.api.prediction_requests import NDJSON, create, lines, send
from tests.api.server import Connection, running
from tests.builders import zip_bytes
from tests.helpers import SECONDS, FakeEngine, grey_png, wait_until


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
