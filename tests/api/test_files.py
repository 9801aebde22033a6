"""Weights on their way to a page: streamed to disk, within limits and quotas, gone once they are used or forgotten."""

from __future__ import annotations

import pytest

from core.base.errors import FileNotKept
from core.base.settings import MIB
from core.stacks.files import KEPT_SECONDS
from tests.api.conftest import MakeService, assert_problem
from tests.api.server import Connection, running
from tests.helpers import wait_until

FILES = "/api/v1/files"
BINARY = {"Content-Type": "application/octet-stream"}


@pytest.mark.parametrize("name", ["own.safetensors", "own.PTH", "../../etc/own.pt", "C:\\own.pth"])
def test_a_file_is_kept_under_its_id_until_it_is_used(make_service: MakeService, name: str) -> None:
    service = make_service()
    content = bytes(range(256)) * 10_000
    response = service.client.post(FILES, params={"name": name}, content=content, headers=BINARY)
    assert response.status_code == 201
    assert response.json()["size"] == len(content)
    kept = service.store.files.get(response.json()["file_id"])
    assert kept.path.read_bytes() == content
    assert kept.path.is_relative_to(service.store.folder), "its name leads nowhere"
    assert kept.name in ("own.safetensors", "own.PTH", "own.pt", "own.pth")
    assert kept.path.suffix == "." + name.lower().rpartition(".")[2]
    assert service.store.usage.bytes >= len(content)
    service.store.files.delete(kept.file_id)
    service.store.files.delete(kept.file_id)
    assert service.store.usage.stacks == service.store.usage.bytes == 0
    assert service.left_behind in ([], ["files"])
    with pytest.raises(FileNotKept):
        service.store.files.get(kept.file_id)


@pytest.mark.parametrize(
    ("limits", "name", "status", "code"),
    [
        ({}, "own.h5", 415, "unsupported_type"),
        ({}, "pth", 415, "unsupported_type"),
        ({"max_weights_bytes": MIB}, "own.pth", 413, "limit_exceeded"),
        ({"max_bytes_per_client": MIB}, "own.pth", 429, "quota_exceeded"),
        ({"max_stored_bytes": MIB}, "own.pth", 503, "too_many_stacks"),
    ],
)
def test_what_is_refused_leaves_nothing(
    make_service: MakeService, limits: dict[str, int], name: str, status: int, code: str
) -> None:
    service = make_service(**limits)

    def pieces() -> object:  # without a length that could be looked at first
        yield from [bytes(MIB)] * 4

    for content in (bytes(4 * MIB), pieces()):
        response = service.client.post(FILES, params={"name": name}, content=content, headers=BINARY)
        assert_problem(response, status, code, "")
    assert service.store.usage.stacks == service.store.usage.bytes == 0
    assert service.left_behind in ([], ["files"])


def test_one_that_breaks_off_leaves_nothing(make_service: MakeService) -> None:
    service = make_service()
    with running(service.api) as address:
        with Connection(address) as connection:
            connection.head("POST", f"{FILES}?name=a.pth", Content_Length=10 * MIB)
            connection.send(bytes(3 * MIB))
            wait_until(lambda: service.store.usage.bytes >= 2 * MIB, "the first bytes on disk")
        wait_until(lambda: service.store.usage.stacks == 0, "its place to be given back")
    assert service.left_behind == ["files"]


def test_one_that_nobody_uses_goes(make_service: MakeService) -> None:
    now = [1000.0]
    service = make_service(clock=lambda: now[0])
    made = service.client.post(FILES, params={"name": "a.pth"}, content=b"weights", headers=BINARY).json()
    now[0] += KEPT_SECONDS
    service.store.sweep()
    assert service.store.files.get(made["file_id"]).size == 7
    now[0] += 1
    service.store.sweep()
    assert service.store.usage.stacks == 0
    assert service.left_behind == ["files"]
