"""Who sent a request: the name of its API key, or else its address as far as proxies can be trusted."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.types import Scope

from app.config import ADMIN_MARK

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_BEARER = b"bearer "

TOKEN_SECONDS: Final = 60
"""How long a token for a stream is valid."""

_PROCESS_KEY: Final = secrets.token_bytes(32)
_EXPIRY_BYTES, _SIGNATURE_BYTES = 5, 16
_LONGEST_TOKEN: Final = 1024


class ApiKeys:
    """The keys that open the service; with none of them it is open to everybody."""

    def __init__(self, entries: Sequence[str]) -> None:
        pairs = (entry.removesuffix(ADMIN_MARK).partition(":") for entry in entries)
        self._keys = tuple((name, _digest(key.encode())) for name, _, key in pairs)
        self._admins = frozenset(entry.partition(":")[0] for entry in entries if entry.endswith(ADMIN_MARK))

    def __bool__(self) -> bool:
        return bool(self._keys)

    def has(self, name: str) -> bool:
        """Whether there is a key of this name."""
        return any(known == name for known, _ in self._keys)

    def is_admin(self, name: str) -> bool:
        """Whether the key of this name may change the service."""
        return name in self._admins

    def name_of(self, scope: Scope) -> str | None:
        """The name of the key that a request presents; None when it presents none of them."""
        presented = _presented(scope)
        if presented is None:
            return None
        digest = _digest(presented)
        found = None
        # Every key is compared, so that the time taken does not tell which one came close.
        for name, key in self._keys:
            if hmac.compare_digest(digest, key):
                found = name
        return found


class StreamTokens:
    """Short-lived tokens that stand for an API key where a browser opens a stream, since it cannot send headers there.

    A token holds the name of its key and its expiry, and is signed with ``STREAM_SECRET`` or else with a key of this
    process. A service without keys issues tokens without a name.
    """

    def __init__(self, secret: str) -> None:
        self._key = secret.encode() or _PROCESS_KEY

    def issue(self, name: str) -> str:
        expiry = int(time.time()) + TOKEN_SECONDS
        payload = expiry.to_bytes(_EXPIRY_BYTES) + name.encode()
        return base64.urlsafe_b64encode(payload + self._signature(payload)).rstrip(b"=").decode()

    def name_of(self, token: str) -> str | None:
        """The name in a token; None when the token is expired or was not issued here."""
        if len(token) > _LONGEST_TOKEN:
            return None
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            payload, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
            if not hmac.compare_digest(signature, self._signature(payload)):
                return None
            left = int.from_bytes(payload[:_EXPIRY_BYTES]) - time.time()
            # Much is left when the clock has been set back. A little more than at first is left by another's clock.
            return payload[_EXPIRY_BYTES:].decode() if 0 <= left <= 2 * TOKEN_SECONDS else None
        except (binascii.Error, ValueError):
            return None

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, b"visage stream token" + payload, "sha256")[:_SIGNATURE_BYTES]


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _presented(scope: Scope) -> bytes | None:
    headers = dict(scope["headers"])
    key: bytes | None = headers.get(b"x-api-key")
    if key is None:
        authorization: bytes = headers.get(b"authorization", b"")
        if authorization[: len(_BEARER)].lower() == _BEARER:
            key = authorization[len(_BEARER) :].strip()
    return key or None


def client_names(scope: Scope, trusted: Sequence[Network]) -> tuple[str, ...]:
    """What a request is counted under: its client, then the network that the client belongs to, if it has one.

    An IPv6 client is its /64, which is the least that one subscriber holds. Many hold a /56 or a /48, so the /48 counts
    as well. ``X-Forwarded-For`` is read from the right, and only as far as each hop is a trusted proxy: what stands
    further left may be anybody's invention.
    """
    peer = scope.get("client")
    address = _address(peer[0]) if peer else None
    if address is None:
        return ("unknown",)
    for hop in _forwarded(scope):
        if not _is_in(address, trusted):
            break
        claimed = _address(hop)
        if claimed is None:
            break
        address = claimed
    if isinstance(address, IPv6Address):
        return tuple(str(IPv6Network((int(address), prefix), strict=False)) for prefix in (64, 48))
    return (str(address),)


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
