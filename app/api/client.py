"""Who sent a request: the name of its API key, else its address as far as it can be believed."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_of(scope: Scope, trusted: Sequence[Network]) -> str:
    """The address a request is counted under; an IPv6 client is its /64, which is what one subscriber holds.

    ``X-Forwarded-For`` is read from the right, and only as far as each hop is a trusted proxy: what stands further
    left may be anybody's invention.
    """
    peer = scope.get("client")
    address = _address(peer[0]) if peer else None
    if address is None:
        return "unknown"
    for hop in _forwarded(scope):
        if not _is_in(address, trusted):
            break
        claimed = _address(hop)
        if claimed is None:
            break
        address = claimed
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


def _forwarded(scope: Scope) -> Iterator[str]:
    """The hops of ``X-Forwarded-For``, the nearest first."""
    lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return reversed(b",".join(lines).decode("latin-1").split(",")) if lines else iter(())


@functools.lru_cache(maxsize=1024)
def _address(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
