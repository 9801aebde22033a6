"""The name a client is counted under."""

from __future__ import annotations

import pytest

from core.api.client_names import client_name


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_a_client_is_an_address_or_the_network_of_one_household(address: str, expected: str) -> None:
    assert client_name(address) == expected


@pytest.mark.parametrize("address", [None, ""])
def test_a_connection_without_an_address_is_the_machine_itself_and_never_nameless(address: str | None) -> None:
    """The empty name has no limits: nobody may come by it over the network."""
    assert client_name(address) == "127.0.0.1"
