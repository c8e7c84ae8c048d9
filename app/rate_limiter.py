"""Rate limits: a moving window a client, counted in memory or in a Redis that several replicas share.

``limits``, on which slowapi is built, counts. slowapi's decorators are not used: they act after the body has been read.
While Redis does not respond, each replica counts in its own memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter

logger = logging.getLogger("visage.ratelimit")

Backend = Literal["off", "memory", "redis", "memory while redis is away"]

_REDIS_TIMEOUT = 0.5
_RECOVERY_INTERVAL = 1.0
_SWEEP_INTERVAL = 10.0
_MAX_CLIENTS = 50_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a client has left of the limit that it will reach first. ``reset_at`` is on the clock of ``time.time``."""

    limit: int
    remaining: int
    reset_at: float
    granted: bool

    @property
    def retry_after(self) -> int:
        """Whole seconds until the next request may be granted, at least one."""
        return max(math.ceil(self.reset_at - time.time()), 1)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % max(self.remaining, 0)),
            (b"x-ratelimit-reset", b"%d" % math.ceil(self.reset_at)),
        ]


class RateLimiter:
    """Counts the requests of each client. ``rate`` is the text of the setting; ``off`` means no limit."""

    def __init__(self, rate: str, storage: str, *, on_limited: Callable[[], None] = lambda: None) -> None:
        self._limits: list[RateLimitItem] = [] if rate == "off" else parse_many(rate)
        self._on_limited = on_limited
        self._memory = _Memory()
        self._redis = _redis(storage) if self._limits and not storage.startswith("memory") else None
        self._away = False
        self._recovery: asyncio.Task[None] | None = None

    @property
    def backend(self) -> Backend:
        """Where requests are counted at this moment."""
        if self._redis is None:
            return "memory" if self._limits else "off"
        return "memory while redis is away" if self._away else "redis"

    @property
    def shared_up(self) -> bool | None:
        """Whether Redis responded when it was last called; None where none is configured."""
        return None if self._redis is None else not self._away

    async def charge(self, client: str) -> Allowance | None:
        """Counts one request of a client; None where there is no limit."""
        if not self._limits:
            return None
        allowance = await self._take(client)
        if not allowance.granted:
            self._on_limited()
        return allowance

    async def close(self) -> None:
        if self._recovery is not None:
            self._recovery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._recovery
        self._memory.close()
        if self._redis is not None:
            bridge: Any = self._redis.bridge
            await bridge.get_connection().aclose()

    async def _take(self, client: str) -> Allowance:
        if self._redis is not None and not self._away:
            try:
                async with asyncio.timeout(2 * _REDIS_TIMEOUT):
                    return await _hit(self._redis, self._limits, _anonymous(client))
            except Exception as error:
                self._fall_back(error)
        return await _hit(self._memory, self._limits, client)

    def _fall_back(self, error: Exception) -> None:
        if self._away:
            return
        self._away = True
        logger.warning("Redis is away (%s): rate limits are counted in memory.", type(error).__name__)
        self._recovery = asyncio.get_running_loop().create_task(self._recover())

    async def _recover(self) -> None:
        """Calls Redis until it responds again."""
        while self._away and self._redis is not None:
            await asyncio.sleep(_RECOVERY_INTERVAL)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(2 * _REDIS_TIMEOUT):
                    self._away = not await self._redis.check()
        logger.warning("Redis is back: rate limits are shared again.")


class _Memory(MemoryStorage):
    """The library's moving window, with a bound on clients and one sweep every few seconds."""

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        if self.timer is None or self.timer.done():
            # Where it finds no timer, the library sweeps all keys at every hit.
            self.timer = asyncio.get_running_loop().create_task(self._sweep())
        if key not in self.events and len(self.events) >= _MAX_CLIENTS:
            self._forget(next(iter(self.events)))
        return await super().acquire_entry(key, limit, expiry, amount)

    def close(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_INTERVAL)
            now = time.time()
            for key in [key for key, entries in self.events.items() if not entries or entries[0].expiry < now]:
                self._forget(key)

    def _forget(self, key: str) -> None:
        self.events.pop(key, None)
        self.locks.pop(key, None)


def _redis(uri: str) -> RedisStorage:
    return RedisStorage(
        f"async+{uri}",
        implementation="redispy",
        key_prefix="visage",
        socket_timeout=_REDIS_TIMEOUT,
        socket_connect_timeout=_REDIS_TIMEOUT,
    )


async def _hit(storage: Storage, limits: list[RateLimitItem], client: str) -> Allowance:
    """Counts one request against each limit, up to the first that refuses it."""
    limiter = MovingWindowRateLimiter(storage)
    allowances: list[Allowance] = []
    for item in limits:
        granted = await limiter.hit(item, client)
        reset_at, remaining = await limiter.get_window_stats(item, client)
        allowances.append(Allowance(item.amount, remaining, reset_at, granted))
        if not granted:
            break
    return min(allowances, key=lambda allowance: (allowance.granted, allowance.remaining))


def _anonymous(client: str) -> str:
    """A hash of the client's address, so that Redis never holds addresses."""
    return hashlib.blake2b(client.encode(), digest_size=16, person=b"visage-client").hexdigest()
