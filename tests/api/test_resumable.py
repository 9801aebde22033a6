"""Uploads in parts, by tus: they break off and go on, within the limits of all others, and leave nothing."""

from __future__ import annotations

import base64

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from core.base.errors import UploadNotFound
from core.base.settings import MIB, Settings
from core.stacks.quota import Usage
from core.stacks.resumable import KEPT_SECONDS
from core.stacks.store import StackStore
from tests.api.conftest import MakeService, Service, assert_problem, greys_zip
from tests.api.server import Connection, running
from tests.helpers import grey_png, wait_until
from tests.tars import tar_bytes

UPLOADS = "/api/v1/uploads"
SMALL = greys_zip(3)
PIECE = {"Content-Type": "application/offset+octet-stream"}


def begin(client: TestClient, length: int, name: str = "photos.zip") -> Response:
    metadata = f"filetype YQ==,filename {base64.b64encode(name.encode()).decode()}" if name else ""
    return client.post(UPLOADS, headers={"Upload-Length": str(length), "Upload-Metadata": metadata})


def send(client: TestClient, address: str, offset: int, data: bytes) -> Response:
    return client.patch(address, content=data, headers=PIECE | {"Upload-Offset": str(offset)})


def assert_clean(service: Service) -> None:
    assert service.store.usage == Usage(0, 0)
    assert service.left_behind == []


@pytest.mark.parametrize(
    ("name", "data", "images"),
    [
        ("größe.zip", SMALL, 3),
        ("", SMALL, 3),
        ("a.tar.gz", tar_bytes({"1.png": grey_png(1)}, "gz"), 1),
        ("a.png", grey_png(1), 1),
    ],
)
def test_parts_become_the_stack_that_the_whole_would(client: TestClient, name: str, data: bytes, images: int) -> None:
    created = begin(client, len(data), name)
    assert (created.status_code, created.headers["tus-resumable"]) == (201, "1.0.0")
    address = created.headers["location"]
    for offset in range(0, len(data), 50):
        assert client.head(address).headers["upload-offset"] == str(offset)
        answer = send(client, address, offset, data[offset : offset + 50])
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(min(offset + 50, len(data))))
    stack = client.get(answer.headers["location"]).json()
    assert (stack["name"], len(stack["images"])) == (name or "stack.zip", images)
    assert answer.headers["location"] == address.replace("uploads", "stacks")
    assert_problem(client.get(address), 404, "upload_not_found", "or is complete")


def test_only_the_next_bytes_are_taken(make_service: MakeService) -> None:
    service = make_service()
    address = begin(service.client, len(SMALL)).headers["location"]
    assert send(service.client, address, 0, SMALL[:100]).status_code == 204
    for offset in (0, 99, 101, len(SMALL)):
        assert_problem(send(service.client, address, offset, b"x"), 409, "offset_conflict", "100 bytes have arrived")
    assert_problem(send(service.client, address, 100, SMALL), 400, "invalid_request", "More bytes were sent")
    wrong = service.client.patch(address, content=b"x", headers={"Upload-Offset": "100", "Content-Type": "text/plain"})
    assert wrong.status_code == 415
    assert service.client.head(address).headers["upload-offset"] == "100"
    assert send(service.client, address, 100, SMALL[100:]).status_code == 204


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Upload-Length": "0"}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "x"}, 400),
        ({"Upload-Length": str(MIB + 1)}, 413),
        ({"Upload-Length": "5", "Upload-Metadata": "filename %%%"}, 400),
        ({"Upload-Length": "5", "Upload-Metadata": "filename YS5yYXI="}, 400),  # a.rar
        ({"Upload-Length": "5", "Upload-Metadata": "x" * 5000}, 400),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_kept(
    make_service: MakeService, headers: dict[str, str], status: int
) -> None:
    service = make_service(max_upload_bytes=MIB)
    assert service.client.post(UPLOADS, headers=headers).status_code == status
    assert_clean(service)


def test_what_cannot_be_opened_is_gone(make_service: MakeService) -> None:
    service = make_service()
    address = begin(service.client, 5).headers["location"]
    assert_problem(send(service.client, address, 0, b"hello"), 400, "not_a_zip", "not a ZIP archive")
    assert service.client.head(address).status_code == 404
    assert_clean(service)


def test_cancelled_it_leaves_nothing(make_service: MakeService) -> None:
    service = make_service()
    address = begin(service.client, 100).headers["location"]
    send(service.client, address, 0, b"PK")
    assert service.client.delete(address).status_code == 204
    for answer in (
        service.client.delete(address),
        service.client.head(address),
        send(service.client, address, 2, b"x"),
    ):
        assert answer.status_code == 404
    assert_clean(service)


def test_it_counts_as_a_stack_from_the_beginning(make_service: MakeService) -> None:
    service = make_service(max_stacks_per_client=1)
    address = begin(service.client, len(SMALL)).headers["location"]
    assert_problem(begin(service.client, 5), 429, "quota_exceeded", "Close one of them")
    assert send(service.client, address, 0, SMALL).status_code == 204
    assert service.store.usage.stacks == 1


def test_what_has_arrived_survives_a_broken_connection(make_service: MakeService) -> None:
    service = make_service()
    data = SMALL + bytes(3 * MIB)  # a comment too long for a ZIP: only that it arrives counts here
    address = begin(service.client, len(data)).headers["location"]
    with running(service.api) as server:
        with Connection(server) as connection:
            connection.head("PATCH", address, Content_Length=len(data), Upload_Offset=0, **_underscored(PIECE))
            connection.send(data[: 2 * MIB])
            wait_until(lambda: arrived(service, address) >= MIB, "some of it to be written")
        offset = 0

        def goes_on() -> bool:
            nonlocal offset
            offset = arrived(service, address)
            return send(service.client, address, offset, data[offset : offset + 100]).status_code == 204

        wait_until(goes_on, "the server to notice that the connection is gone")
        assert offset >= MIB


def test_one_request_at_a_time(make_service: MakeService) -> None:
    service = make_service()
    address = begin(service.client, len(SMALL)).headers["location"]
    with service.store.resumable.held(address.rpartition("/")[2]):
        busy = send(service.client, address, 0, SMALL)
        assert_problem(busy, 423, "upload_busy", "Try again")
        assert "retry-after" in busy.headers
    assert send(service.client, address, 0, SMALL).status_code == 204


def test_what_is_left_lying_ends_and_makes_room(settings: Settings) -> None:
    now = [0.0]
    store = StackStore(settings.model_copy(update={"max_stacks": 2}), clock=lambda: now[0])
    try:
        first, second = (store.resumable.create("greedy", "a.zip", 9).upload_id for _ in range(2))
        store.resumable.create("newcomer", "b.zip", 9)
        with pytest.raises(UploadNotFound):
            store.resumable.get(first)
        now[0] += KEPT_SECONDS - 1
        store.sweep()
        store.resumable.get(second)
        now[0] += 2
        store.sweep()
        with pytest.raises(UploadNotFound):
            store.resumable.get(second)
        assert store.usage == Usage(0, 0)
    finally:
        store.close()


def arrived(service: Service, address: str) -> int:
    return service.store.resumable.get(address.rpartition("/")[2]).upload.size


def _underscored(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}
