"""Who can reach the server, by the address it listens on and by the name it is asked for."""

from __future__ import annotations

import pytest

from core.base.reach import names_this_computer, only_this_computer
from core.base.settings import Settings


@pytest.mark.parametrize(
    ("changes", "address", "alone"),
    [
        ({}, "localhost", True),
        ({}, "127.0.0.1", True),
        ({}, "::1", True),
        ({}, None, False),
        ({}, "", False),
        ({}, "0.0.0.0", False),  # noqa: S104
        ({}, "192.168.1.5", False),
        ({}, "example.org", False),
        ({"trusted_proxies": "127.0.0.1"}, "localhost", False),
        ({"access_header": "X-User"}, "localhost", False),
    ],
)
def test_only_a_loopback_address_without_a_proxy_is_this_computer_alone(
    changes: dict[str, str], address: str | None, alone: bool
) -> None:
    assert only_this_computer(Settings(**changes), address) is alone


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("localhost:8501", True),
        ("127.0.0.1:8501", True),
        ("[::1]:8501", True),
        ("", False),
        ("evil.example:8501", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil@example", False),
        ("[::1", False),
        ("192.168.1.5:8501", False),
    ],
)
def test_a_name_that_only_leads_here_is_not_this_computers(host: str, ours: bool) -> None:
    assert names_this_computer(host) is ours
