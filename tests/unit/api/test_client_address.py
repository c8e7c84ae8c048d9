"""Whom a request is counted under."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from app.api.identity import client_names

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    return {
        "client": (peer, 4711) if peer else None,
        "headers": [(b"x-forwarded-for", line.encode()) for line in forwarded],
    }


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", (), "203.0.113.7"),
        # Anybody can write the header; only a trusted peer is believed.
        ("203.0.113.7", ("198.51.100.1",), "203.0.113.7"),
        ("10.0.0.2", ("198.51.100.1",), "198.51.100.1"),
        # From the right: what a client wrote itself stands to the left of what the proxy added.
        ("10.0.0.2", ("1.1.1.1, 198.51.100.1",), "198.51.100.1"),
        ("10.0.0.2", ("1.1.1.1", "198.51.100.1"), "198.51.100.1"),
        # Through two proxies that are trusted.
        ("10.0.0.2", ("1.1.1.1, 198.51.100.1, 10.0.0.9",), "198.51.100.1"),
        # All hops trusted: the leftmost of them.
        ("10.0.0.2", ("10.0.0.8, 10.0.0.9",), "10.0.0.8"),
        # Nonsense ends the walk at the last address that could be believed.
        ("10.0.0.2", ("198.51.100.1, unknown",), "10.0.0.2"),
        ("10.0.0.2", ("",), "10.0.0.2"),
        ("10.0.0.2", ("198.51.100.1:5555",), "198.51.100.1"),
        ("10.0.0.2", ("[2001:db8:1:2:3:4:5:6]:5555",), "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", (), "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", (), "2001:db8:1:2::/64"),
        ("fd00::1", ("2001:db8:9::1",), "2001:db8:9::/64"),
        ("::ffff:203.0.113.7", (), "203.0.113.7"),
        (None, (), "unknown"),
        ("testclient", ("1.1.1.1",), "unknown"),
    ],
)
def test_client(peer: str | None, forwarded: tuple[str, ...], client: str) -> None:
    assert client_names(scope(peer, *forwarded), PROXIES)[0] == client


def test_nobody_is_trusted_by_default() -> None:
    assert client_names(scope("127.0.0.1", "198.51.100.1"), ()) == ("127.0.0.1",)


def test_ipv6_is_counted_by_its_48_as_well() -> None:
    assert client_names(scope("2001:db8:1:2:3:4:5:6"), ()) == ("2001:db8:1:2::/64", "2001:db8:1::/48")
    assert client_names(scope("2001:db8:1:ff::1"), ()) == ("2001:db8:1:ff::/64", "2001:db8:1::/48")
