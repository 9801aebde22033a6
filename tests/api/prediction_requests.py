"""What the tests of predictions send."""

from __future__ import annotations

import json
from typing import Any

from tests.api.conftest import Service, greys_zip
from tests.api.server import Connection

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
