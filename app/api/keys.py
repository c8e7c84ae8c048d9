"""API keys: kept as hashes, compared in constant time, known by their names."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from starlette.types import Scope

_BEARER = b"bearer "


class ApiKeys:
    """The keys that open the service; with none of them it is open to everybody."""

    def __init__(self, entries: Iterable[str]) -> None:
        pairs = (entry.partition(":") for entry in entries)
        self._keys = tuple((name, _digest(key.encode())) for name, _, key in pairs)

    def __bool__(self) -> bool:
        return bool(self._keys)

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
