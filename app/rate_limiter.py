"""Rate limits: a client may spend its allowance at once, and regains it evenly. Counted in memory or in Redis.

One number is kept for each client and limit: the time at which its allowance is whole again (the generic cell rate
algorithm). slowapi is not used, because its decorators act after the body has been read; ``limits``, on which it is
built, parses the setting. While Redis does not execute the script, each replica counts in its own memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from limits import parse_many

logger = logging.getLogger("visage.ratelimit")

Backend = Literal["off", "memory", "redis", "memory while redis is away"]

NETWORK_FACTOR = 4
"""How many times a client's allowance all clients of one network have together."""

READS_A_MINUTE = 600
"""What a client may read of the service besides: its settings, models and totals. They cost nothing of its rate."""

_FORGOTTEN_AT_ONCE = 5000
_REDIS_TIMEOUT = 0.5
_REDIS_CONNECTIONS = 32
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
"""Seconds before Redis is tried again: doubled after each failure."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a client has left of the limit that it will reach first. Times are in seconds from the charge."""

    limit: int
    remaining: int
    whole_after: float
    wait: float
    """Until the next request can be granted; 0 if this one was."""

    @property
    def granted(self) -> bool:
        return not self.wait

    @property
    def retry_after(self) -> int:
        """Whole seconds until the next request may be granted, at least one."""
        return max(math.ceil(self.wait), 1)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % self.remaining),
            (b"x-ratelimit-reset", b"%d" % math.ceil(time.time() + self.whole_after)),
        ]


class Rate(NamedTuple):
    """``amount`` requests at once, and one more after each ``interval``. Times are in microseconds."""

    amount: int
    interval: int
    span: int
    """How long a spent budget takes to be whole again."""
    name: str

    @classmethod
    def of(cls, amount: int, seconds: int, kind: str = "") -> Rate:
        interval = max(seconds * 1_000_000 // amount, 1)
        return cls(amount, interval, amount * interval, f"{amount} {kind}in {seconds} s for ")


_READS = Rate.of(READS_A_MINUTE, 60, "reads ")
_NETWORK_READS = Rate.of(NETWORK_FACTOR * READS_A_MINUTE, 60, "reads ")


class Budget(NamedTuple):
    """A client's or a network's share of a rate. A ``cost`` of 0 looks at what is left of it."""

    key: str
    rate: Rate
    cost: int = 1


class RateLimiter:
    """Counts the requests of each client. ``rate`` is the text of the setting; ``off`` means no limit."""

    def __init__(self, rate: str, storage: str, *, max_clients: int) -> None:
        limits = [] if rate == "off" else [(item.amount, item.get_expiry()) for item in parse_many(rate)]
        self._rates = [Rate.of(amount, seconds) for amount, seconds in limits]
        self._network_rates = [Rate.of(NETWORK_FACTOR * amount, seconds) for amount, seconds in limits]
        self._memory = MemoryCounter(max_clients * len(self._rates))
        self._redis = RedisCounter(storage) if self._rates and not storage.startswith("memory") else None
        self._away = False
        self._pause = _FIRST_PAUSE
        self._back_at = -math.inf
        self._recovery: asyncio.Task[None] | None = None

    @property
    def backend(self) -> Backend:
        """Where requests are counted at this moment."""
        if self._redis is None:
            return "memory" if self._rates else "off"
        return "memory while redis is away" if self._away else "redis"

    @property
    def most_at_once(self) -> float:
        """The requests of a client that are granted at once where it has made none for long."""
        return min((rate.amount for rate in self._rates), default=math.inf)

    async def charge(self, client: str, *networks: str, read: bool = False) -> Allowance | None:
        """Counts one request of a client and of the networks that it belongs to; None where there is no limit.

        A request that is refused is not counted. With ``read`` it has an allowance of its own; while that lasts, the
        result is what is left of the rate.
        """
        if not self._rates:
            return None
        reads = [Budget(_READS.name + client, _READS)] if read else []
        reads += [Budget(_NETWORK_READS.name + network, _NETWORK_READS) for network in networks if read]
        budgets = [Budget(rate.name + client, rate, not read) for rate in self._rates]
        for network in networks:
            budgets += [Budget(rate.name + network, rate, not read) for rate in self._network_rates]
        debts = await self._take([*reads, *budgets])
        allowance = _allowance(budgets, debts[len(reads) :])
        if reads and not (of_reads := _allowance(reads, debts[: len(reads)])).granted:
            allowance = of_reads
        return allowance

    def forget(self) -> None:
        """Drops clients in memory whose allowance is whole again, a bounded number of them."""
        self._memory.drop_whole(_FORGOTTEN_AT_ONCE)

    async def close(self) -> None:
        if self._recovery is not None:
            self._recovery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._recovery
        if self._redis is not None:
            await self._redis.close()

    async def _take(self, budgets: Sequence[Budget]) -> list[int]:
        if self._redis is not None and not self._away:
            try:
                return await self._redis.take(budgets)
            except Exception as error:
                self._fall_back(error)
        return self._memory.take(budgets)

    def _fall_back(self, error: Exception) -> None:
        if self._away:
            return
        self._away = True
        if time.monotonic() - self._back_at > _LONGEST_PAUSE:
            self._pause = _FIRST_PAUSE
        logger.warning("Redis is away (%s): rate limits are counted in memory.", type(error).__name__)
        self._recovery = asyncio.get_running_loop().create_task(self._recover(self._redis))

    async def _recover(self, redis: RedisCounter | None) -> None:
        """Charges a budget of its own in Redis until that succeeds."""
        while self._away and redis is not None:
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            with contextlib.suppress(Exception):
                await redis.take([Budget("recovery", Rate.of(1, 1))])
                self._away = False
        self._back_at = time.monotonic()
        logger.warning("Redis is back: rate limits are shared again.")


class MemoryCounter:
    """The time at which each budget that is not whole is whole again, for at most ``size`` budgets.

    Only a whole budget is dropped, so that no flood of other clients resets one that is blocked. While there is no
    room for another, newcomers share one budget.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._whole_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._whole_at)

    def take(self, budgets: Sequence[Budget]) -> list[int]:
        """Charges all budgets, or none if one of them is spent.

        Returns the microseconds after which each would be whole again if it was charged: more than its span if it is
        spent.
        """
        now = self.drop_whole(2 * len(budgets))
        charged: dict[str, int] = {}
        granted = True
        debts = []
        for key, rate, cost in budgets:
            if key not in self._whole_at and len(self._whole_at) >= self._size:
                key = rate.name  # noqa: PLW2901
            debt = max(self._whole_at.get(key, 0) - now, 0) + cost * rate.interval
            granted = granted and debt <= rate.span
            if cost:
                charged[key] = now + debt
            debts.append(debt)
        if granted:
            self._whole_at.update(charged)
        return debts

    def drop_whole(self, count: int) -> int:
        """Drops what is whole among the next ``count`` budgets. The others go to the end, so that each has its turn.

        Returns the time.
        """
        now = time.monotonic_ns() // 1000
        for _ in range(min(count, len(self._whole_at))):
            key, whole_at = self._whole_at.popitem(last=False)
            if whole_at > now:
                self._whole_at[key] = whole_at
        return now


_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local debts, granted = {}, true
for i, key in ipairs(KEYS) do
  local charge, span = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local debt = math.max(tonumber(redis.call('GET', key) or 0) - now, 0)
  -- More than a span is owed only where the clock was set back. That must not block a client until it is as late again.
  debts[i] = (debt > span and 0 or debt) + charge
  granted = granted and debts[i] <= span
end
if granted then
  for i, key in ipairs(KEYS) do
    if tonumber(ARGV[2 * i - 1]) > 0 then
      redis.call('SET', key, string.format('%.0f', now + debts[i]), 'PX', math.ceil(debts[i] / 1000))
    end
  end
end
return debts
"""


class RedisCounter:
    """The same as :class:`MemoryCounter`, in a Redis that several replicas share and by its clock."""

    def __init__(self, uri: str) -> None:
        # The client takes 8 MB, which a service without Redis does not need.
        from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        pool = BlockingConnectionPool.from_url(
            uri.removeprefix("redis+"),
            max_connections=_REDIS_CONNECTIONS,
            timeout=_REDIS_TIMEOUT,
            socket_timeout=_REDIS_TIMEOUT,
            socket_connect_timeout=_REDIS_TIMEOUT,
            # A connection that the server has closed while it was idle is opened again.
            retry=Retry(NoBackoff(), 1),
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._script: Any = self._redis.register_script(_SCRIPT)

    async def take(self, budgets: Sequence[Budget]) -> list[int]:
        """As :meth:`MemoryCounter.take`. Raises an error if Redis does not execute the script."""
        keys = [f"visage:{_anonymous(key)}" for key, _, _ in budgets]
        arguments = [number for _, rate, cost in budgets for number in (cost * rate.interval, rate.span)]
        async with asyncio.timeout(2 * _REDIS_TIMEOUT):
            debts = await self._script(keys, arguments)
        # What responds may be something else than Redis.
        return [int(debt) for debt, _ in zip(debts, budgets, strict=True)]

    async def close(self) -> None:
        await self._redis.aclose()


def _allowance(budgets: Sequence[Budget], debts: Sequence[int]) -> Allowance:
    """What is left of the budget that will be spent first."""
    left = [(budget.rate.span - debt) // budget.rate.interval for budget, debt in zip(budgets, debts, strict=True)]
    tightest = left.index(min(left))
    rate, debt = budgets[tightest].rate, debts[tightest]
    wait = max(debt - budget.rate.span for budget, debt in zip(budgets, debts, strict=True))
    return Allowance(rate.amount, max(left[tightest], 0), min(debt, rate.span) / 1e6, max(wait, 0) / 1e6)


def _anonymous(key: str) -> str:
    """A hash of what names a client, so that Redis never holds addresses."""
    return hashlib.blake2b(key.encode(), digest_size=16, person=b"visage-client").hexdigest()
