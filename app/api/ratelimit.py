"""Rate limits: a moving window a client, counted in memory or in a Redis that several replicas share.

The limits are slowapi's; its decorator and its middleware are not used, because they act after the body has been
read or not at all. While Redis is away each replica counts in its own memory.
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
from typing import Any, Final, Literal

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.storage.redis.redispy import RedispyBridge
from limits.aio.strategies import MovingWindowRateLimiter
from slowapi.wrappers import LimitGroup
from starlette.types import Scope

from app.errors import RateLimited

logger = logging.getLogger("visage.ratelimit")

CLIENT: Final = "visage.client"
LIMIT_HEADERS: Final = "visage.limit_headers"
"""Where a request's state holds who sends it, and what it is told of its limits."""

Backend = Literal["off", "memory", "redis", "memory while redis is away"]


_REDIS_TIMEOUT = 0.5
_RECOVERY_INTERVAL = 1.0
_SWEEP_INTERVAL = 10.0
_MAX_CLIENTS = 50_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a client has left of its tightest limit; ``reset_at`` is a time of ``time.time``."""

    limit: int
    remaining: int
    reset_at: float
    granted: bool

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % max(self.remaining, 0)),
            (b"x-ratelimit-reset", b"%d" % math.ceil(self.reset_at)),
        ]


class RateLimiter:
    """Counts what each client asks for. ``rate`` is the setting's text, ``off`` for no limit at all."""

    def __init__(self, rate: str, storage: str, *, on_limited: Callable[[], None] = lambda: None) -> None:
        self._limits: list[RateLimitItem] = [] if rate == "off" else _parse(rate)
        self._on_limited = on_limited
        self._memory = MovingWindowRateLimiter(_Memory())
        self._redis = _redis(storage) if self._limits and not storage.startswith("memory") else None
        self._away = False
        self._recovery: asyncio.Task[None] | None = None

    @property
    def backend(self) -> Backend:
        """Where limits are counted at this moment."""
        if not self._limits:
            return "off"
        if self._redis is None:
            return "memory"
        return "memory while redis is away" if self._away else "redis"

    @property
    def shared_up(self) -> bool | None:
        """Whether the Redis that replicas share answered when it was last asked; None where none is configured."""
        return None if self._redis is None else not self._away

    async def charge(self, scope: Scope, cost: int = 1) -> None:
        """Charges the client of a request, or raises RateLimited. The answer's rate-limit headers follow suit.

        Called once before the body, and by a batch a second time for what it holds beyond one.
        """
        if not self._limits or cost <= 0:
            return
        allowance = await self._take(scope["state"].get(CLIENT, "unknown"), cost)
        scope["state"][LIMIT_HEADERS] = allowance.headers
        if not allowance.granted:
            self._on_limited()
            wait = max(math.ceil(allowance.reset_at - time.time()), 1)
            if cost > allowance.limit:
                raise RateLimited(
                    f"This batch holds more than the {allowance.limit} pictures that a client may send at a time. "
                    "Send smaller batches.",
                    retry_after=wait,
                )
            raise RateLimited(retry_after=wait)

    async def close(self) -> None:
        if self._recovery is not None:
            self._recovery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._recovery
        if isinstance(self._memory.storage, _Memory):
            self._memory.storage.close()
        if self._redis is not None:
            await _close(self._redis)

    async def _take(self, client: str, cost: int) -> Allowance:
        if self._redis is not None and not self._away:
            try:
                async with asyncio.timeout(2 * _REDIS_TIMEOUT):
                    return await _hit(self._redis, self._limits, _anonymous(client), cost)
            except Exception as error:
                self._fall_back(error)
        return await _hit(self._memory, self._limits, client, cost)

    def _fall_back(self, error: Exception) -> None:
        if self._away:
            return
        self._away = True
        logger.warning("Redis is away (%s): rate limits are counted in memory.", type(error).__name__)
        self._recovery = asyncio.get_running_loop().create_task(self._recover())

    async def _recover(self) -> None:
        """Asks until Redis answers again."""
        while self._away and self._redis is not None:
            await asyncio.sleep(_RECOVERY_INTERVAL)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(2 * _REDIS_TIMEOUT):
                    self._away = not await self._redis.storage.check()
        logger.warning("Redis is back: rate limits are shared again.")


class _Memory(MemoryStorage):
    """The library's moving window, tidied now and then instead of at every hit, and bounded in clients."""

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        if self.timer is None or self.timer.done():
            # The library starts a sweep of all its keys, one thread hop each, at every hit that finds no timer.
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


async def _hit(limiter: MovingWindowRateLimiter, limits: list[RateLimitItem], client: str, cost: int) -> Allowance:
    tightest: Allowance | None = None
    for item in limits:
        granted = await limiter.hit(item, client, cost=cost)
        reset_at, remaining = await limiter.get_window_stats(item, client)
        allowance = Allowance(item.amount, remaining, reset_at, granted)
        if not granted:
            return allowance
        if tightest is None or allowance.remaining < tightest.remaining:
            tightest = allowance
    if tightest is None:
        raise ValueError("a rate limit without a limit")
    return tightest


def _parse(rate: str) -> list[RateLimitItem]:
    group = LimitGroup(rate, _no_key, None, False, None, None, None, 1, False)
    return [limit.limit for limit in group]


def _no_key() -> str:
    return ""


def _redis(uri: str) -> MovingWindowRateLimiter:
    storage = RedisStorage(
        f"async+{uri}",
        implementation="redispy",
        key_prefix="visage",
        socket_timeout=_REDIS_TIMEOUT,
        socket_connect_timeout=_REDIS_TIMEOUT,
    )
    return MovingWindowRateLimiter(storage)


async def _close(redis: MovingWindowRateLimiter) -> None:
    if isinstance(redis.storage, RedisStorage) and isinstance(redis.storage.bridge, RedispyBridge):
        client: Any = redis.storage.bridge.get_connection()
        await client.aclose()


def _anonymous(client: str) -> str:
    """Redis never holds an address, only what stands for it."""
    return hashlib.blake2b(client.encode(), digest_size=16, person=b"visage-client").hexdigest()
