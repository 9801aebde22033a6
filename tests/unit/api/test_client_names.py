"""The name a client is counted under."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from core.api.client_names import client_name
from core.base.settings import Settings

PEER = "192.0.2.7"


@pytest.mark.parametrize(
    ("setting", "headers", "expected"),
    [
        ("", {}, PEER),
        ("", {"X-Forwarded-For": "198.51.100.1"}, PEER),
        ("X-Forwarded-For", {}, PEER),
        ("X-Forwarded-For", {"x-forwarded-for": "198.51.100.1"}, "198.51.100.1"),
        ("X-Forwarded-For", {"X-Forwarded-For": "203.0.113.66, 198.51.100.1"}, "198.51.100.1"),
        ("X-Forwarded-For", {"X-Forwarded-For": "203.0.113.66,  198.51.100.1  "}, "198.51.100.1"),
        ("X-Forwarded-For", {"X-Forwarded-For": "  "}, PEER),
        ("X-Forwarded-For", {"X-Forwarded-For": "198.51.100.1, "}, PEER),
        ("X-Real-IP", {"X-Forwarded-For": "203.0.113.66"}, PEER),
        ("X-Real-IP", {"X-Real-IP": "2001:db8::1"}, "2001:db8::1"),
    ],
)
def test_only_what_the_proxy_itself_wrote_counts(setting: str, headers: dict[str, str], expected: str) -> None:
    """A client can send the header too: the proxy's own entry is the last one."""
    assert client_name(Headers(headers), PEER, Settings(client_header=setting)) == expected


def test_a_connection_without_an_address_is_the_machine_itself_and_never_nameless() -> None:
    """The empty name has no limits: nobody may come by it over the network."""
    assert client_name(Headers(), None, Settings()) == "127.0.0.1"
    assert client_name(Headers({"X-Real-IP": ""}), None, Settings(client_header="X-Real-IP")) == "127.0.0.1"
