"""Uploads as browsers and programs send them, and what none of them may leave behind."""

from __future__ import annotations

from fastapi.testclient import TestClient
from httpx2 import Response

from core.stacks.quota import Usage
from tests.api.conftest import Service, greys_zip
from tests.helpers import wait_until

STACKS = "/api/v1/stacks"
ZIP = {"Content-Type": "application/zip"}
SMALL = greys_zip(2)
BOUNDARY = "----frontier"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
NOTHING = Usage(0, 0)


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FILE = part('name="file"; filename="a.zip"', SMALL, "Content-Type: application/zip")


def post_form(client: TestClient, body: bytes, headers: dict[str, str] = FORM, path: str = STACKS) -> Response:
    return client.post(path, content=body, headers=headers)


def assert_clean(service: Service) -> None:
    """Nothing of an upload is left: no file, no place taken in the quota, no stack."""
    wait_until(lambda: service.store.usage == NOTHING, f"the quota to be free again: {service.store.usage}")
    assert service.left_behind == []
    assert len(service.store) == 0


def form_of(files: dict[str, bytes]) -> bytes:
    return b"".join(part(f'name="file"; filename="{name}"', data) for name, data in files.items()) + END
