"""What uploads may cost: bytes, time, places in the queue; and nothing is left of those that end early."""

from __future__ import annotations

import tracemalloc

import pytest
from anyio import CapacityLimiter, create_task_group, run
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.types import Message

from core.api import receive
from core.base.settings import MIB, Settings
from core.stacks.upload import Upload
from tests.api.conftest import MakeService, assert_problem
from tests.api.server import Connection, running
from tests.api.uploads import FORM, SMALL, STACKS, ZIP, assert_clean
from tests.helpers import grey_png, wait_until
from tests.tars import tar_bytes


class TestLimits:
    def test_a_large_body_is_never_in_memory(self, make_service: MakeService, monkeypatch: pytest.MonkeyPatch) -> None:
        size = 24 * MIB
        largest = 0
        write = Upload.write

        def watched(upload: Upload, piece: bytes) -> None:
            nonlocal largest
            largest = max(largest, len(piece))
            write(upload, piece)

        monkeypatch.setattr(Upload, "write", watched)
        service = make_service()
        piece = bytes(64 * 1024)
        with running(service.api) as address, Connection(address) as connection:
            tracemalloc.start()
            try:
                connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=size)
                for _ in range(size // len(piece)):
                    connection.send(piece)
                answer = connection.answer()
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert (answer.status, answer.json()["code"]) == (400, "not_a_zip")
        assert peak < size / 3, f"{peak / MIB:.1f} MB of memory for an upload of {size / MIB:.0f} MB"
        assert 0 < largest <= receive.PIECE_BYTES + 256 * 1024
        assert_clean(service)

    def test_bytes_are_on_disk_long_before_the_last_one_is_sent(self, make_service: MakeService) -> None:
        service = make_service()
        with running(service.api) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=100 * MIB)
            connection.send(bytes(3 * MIB))

            def written() -> int:
                return sum(path.stat().st_size for path in service.store.folder.rglob("stack.zip"))

            wait_until(lambda: written() >= 2 * MIB, "bytes on disk")
            assert service.store.usage.stacks == 1
        assert_clean(service)

    def test_a_client_that_goes_away_leaves_nothing(self, make_service: MakeService) -> None:
        service = make_service()
        with running(service.api) as address:
            for sent in (0, 100, 2 * MIB):
                with Connection(address) as connection:
                    connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=10 * MIB)
                    connection.send(bytes(sent))
                    wait_until(lambda: service.store.usage.stacks == 1, "the upload to begin")
                assert_clean(service)

    def test_nothing_arrives_for_too_long(self, make_service: MakeService) -> None:
        service = make_service()
        with running(service.api, Settings(upload_idle_seconds=1)) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=1000)
            connection.send(b"some")
            answer = connection.answer()
            assert (answer.status, answer.json()["code"]) == (408, "upload_timed_out")
            wait_until(lambda: service.store.usage.stacks == 0, "its place to be given back")
        assert_clean(service)

    def test_too_large_by_its_own_word_is_refused_before_anything_is_kept(self, make_service: MakeService) -> None:
        service = make_service(max_upload_bytes=MIB)
        with running(service.api) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=10**12)
            answer = connection.answer()
        assert (answer.status, answer.json()["code"]) == (413, "limit_exceeded")
        assert "1 MB" in answer.json()["detail"]
        assert_clean(service)

    def test_too_large_without_saying_so_is_refused_on_the_way(self, make_service: MakeService) -> None:
        service = make_service(max_upload_bytes=2 * MIB)
        chunk = b"%x\r\n" % MIB + bytes(MIB) + b"\r\n"
        with running(service.api) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Type="application/zip", Transfer_Encoding="chunked")
            for _ in range(6):
                connection.send(chunk)
            connection.send(b"0\r\n\r\n")
            answer = connection.answer()
        assert (answer.status, answer.json()["code"]) == (413, "limit_exceeded")
        assert_clean(service)

    @pytest.mark.parametrize(
        ("limits", "headers", "status"),
        [
            ({"max_upload_bytes": MIB}, {"Content_Type": "application/zip"}, 413),
            ({}, {"Content_Type": "text/plain"}, 415),
            ({"max_bytes_per_client": MIB}, {"Content_Type": "application/zip"}, 429),
            ({}, {"Content_Type": FORM["Content-Type"]}, 400),
        ],
    )
    def test_a_client_that_is_still_sending_gets_to_read_the_refusal(
        self, make_service: MakeService, limits: dict[str, int], headers: dict[str, str], status: int
    ) -> None:
        """Closing at once would reset the connection, and the client would see that instead."""
        service = make_service(**limits)
        size = 20 * MIB
        with running(service.api) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Length=size, **headers)
            for _ in range(size // MIB):
                connection.send(bytes(MIB))
            assert connection.answer().status == status
            connection.head("GET", "/api/health/live")
            assert connection.answer().status == 200, "the connection can be used again"
        assert_clean(service)

    @pytest.mark.parametrize(("size", "kind"), [(100 * MIB, "application/zip"), (10, "text/plain")])
    def test_who_asks_first_is_refused_without_sending_anything(
        self, make_service: MakeService, size: int, kind: str
    ) -> None:
        service = make_service(max_upload_bytes=MIB)
        with running(service.api) as address, Connection(address) as connection:
            connection.head("POST", STACKS, Content_Type=kind, Content_Length=size, Expect="100-continue")
            assert connection.answer().status in (413, 415), "and not 100"

    @pytest.mark.parametrize("length", ["-1", "abc", "1e9", ""])
    def test_a_length_that_is_no_number_breaks_nothing(self, make_service: MakeService, length: str) -> None:
        service = make_service()
        response = service.client.post(STACKS, content=SMALL, headers=ZIP | {"Content-Length": length})
        assert response.status_code in (201, 400)

    def test_a_client_with_too_many_stacks_is_told_when_to_come_back(self, make_service: MakeService) -> None:
        service = make_service(max_stacks_per_client=2)
        locations = [service.client.post(STACKS, content=SMALL, headers=ZIP).headers["location"] for _ in range(2)]
        for path in (STACKS, "/upload"):
            response = service.client.post(path, files={"file": ("a.zip", SMALL)})
            assert_problem(response, 429, "quota_exceeded", "Close one of them first")
            assert int(response.headers["retry-after"]) > 0
        assert service.client.delete(locations[0]).status_code == 204
        assert service.client.post(STACKS, content=SMALL, headers=ZIP).status_code == 201

    def test_one_clients_quota_is_not_anothers(self, make_service: MakeService) -> None:
        service = make_service(max_stacks_per_client=1)

        def create(client: str) -> int:
            headers = ZIP | {"X-Forwarded-For": "198.51.100.1"}
            by_client = TestClient(service.api, client=(client, 4711))
            return by_client.post(STACKS, content=SMALL, headers=headers).status_code

        clients = ("192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1", "2001:db8::2")
        assert [create(client) for client in clients] == [201, 201, 429, 201, 429]

    def test_a_nearly_full_disk_is_said_before_it_is_full(self, make_service: MakeService) -> None:
        service = make_service(min_free_bytes=2**60)  # more than any disk has
        response = service.client.post(STACKS, content=SMALL, headers=ZIP)
        assert_problem(response, 507, "disk_full", "nearly full")
        assert_clean(service)

    def test_uploads_side_by_side_do_not_wait_for_a_slow_one(self, make_service: MakeService) -> None:
        service = make_service()
        with running(service.api) as address:
            slow = [Connection(address) for _ in range(45)]  # more than there are threads
            for connection in slow:
                connection.head("POST", STACKS, Content_Type="application/zip", Content_Length=10 * MIB)
                connection.send(b"PK")
            with Connection(address) as quick:
                quick.head("POST", STACKS, Content_Type="application/zip", Content_Length=len(SMALL))
                quick.send(SMALL)
                assert quick.answer().status == 201
            for connection in slow:
                connection.close()
            wait_until(lambda: service.store.usage.stacks == 1, "the abandoned uploads to be gone")


def test_who_sends_no_compressed_archive_waits_for_none(make_service: MakeService) -> None:
    """All places for unpacking are taken: a compressed archive waits for one, and nothing else does."""
    service = make_service()
    opened: list[str] = []

    async def create(name: str, data: bytes, unpacking: CapacityLimiter) -> None:
        async def body() -> Message:
            return {"type": "http.request", "body": data, "more_body": False}

        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/octet-stream")]}
        limits = Settings()
        await receive.receive_stack(Request(scope, body), service.store, limits, "a", name, unpacking=unpacking)
        opened.append(name)

    async def create_all() -> None:
        unpacking = CapacityLimiter(1)
        async with create_task_group() as tasks, unpacking:
            tasks.start_soon(create, "a.tgz", tar_bytes({"1.png": grey_png(1)}, "gz"), unpacking)
            await create("a.zip", SMALL, unpacking)
            await create("a.tar", tar_bytes({"1.png": grey_png(1)}), unpacking)
            await create("1.png", grey_png(1), unpacking)
            assert opened == ["a.zip", "a.tar", "1.png"]

    run(create_all)
    assert opened[-1] == "a.tgz"
