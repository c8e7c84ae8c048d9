"""Rate limits, on their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.api import ratelimit
from app.api.ratelimit import CLIENT, LIMIT_HEADERS, RateLimiter
from app.errors import RateLimited


def request_of(client: str) -> dict[str, Any]:
    return {"state": {CLIENT: client}}


def headers_of(scope: dict[str, Any]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in scope["state"][LIMIT_HEADERS]}


@pytest.fixture
async def limiter() -> AsyncIterator[RateLimiter]:
    limiter = RateLimiter("3/minute", "memory://")
    yield limiter
    await limiter.close()


async def test_a_client_has_its_budget_and_no_more(limiter: RateLimiter) -> None:
    for left in (2, 1, 0):
        scope = request_of("a")
        await limiter.charge(scope)
        assert headers_of(scope)["x-ratelimit-remaining"] == str(left)
    scope = request_of("a")
    with pytest.raises(RateLimited) as refused:
        await limiter.charge(scope)
    assert 1 <= refused.value.retry_after <= 60
    headers = headers_of(scope)
    assert headers["x-ratelimit-limit"] == "3"
    assert headers["x-ratelimit-remaining"] == "0"
    assert 0 <= int(headers["x-ratelimit-reset"]) - time.time() <= 61
    await limiter.charge(request_of("b"))


async def test_a_batch_costs_what_it_holds(limiter: RateLimiter) -> None:
    scope = request_of("a")
    await limiter.charge(scope)
    await limiter.charge(scope, 2)
    assert headers_of(scope)["x-ratelimit-remaining"] == "0"
    await limiter.charge(scope, 0)
    with pytest.raises(RateLimited):
        await limiter.charge(request_of("a"))


async def test_a_batch_over_the_whole_budget_is_told_so(limiter: RateLimiter) -> None:
    with pytest.raises(RateLimited, match="Send smaller batches"):
        await limiter.charge(request_of("a"), 4)


async def test_the_window_moves() -> None:
    limiter = RateLimiter("2/second", "memory://")
    for _ in range(2):
        await limiter.charge(request_of("a"))
    async with asyncio.timeout(10):
        while True:
            try:
                await limiter.charge(request_of("a"))
                break
            except RateLimited:
                await asyncio.sleep(0.05)
    await limiter.close()


async def test_of_several_limits_the_tightest_is_told() -> None:
    limiter = RateLimiter("10/minute;2/second", "memory://")
    scope = request_of("a")
    await limiter.charge(scope)
    assert headers_of(scope)["x-ratelimit-limit"] == "2"
    await limiter.close()


async def test_off_counts_nothing() -> None:
    limiter = RateLimiter("off", "redis://nowhere.invalid")
    scope = request_of("a")
    for _ in range(1000):
        await limiter.charge(scope)
    assert LIMIT_HEADERS not in scope["state"]
    assert limiter.backend == "off"
    await limiter.close()


async def test_many_clients_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "_MAX_CLIENTS", 100)
    limiter = RateLimiter("3/minute", "memory://")
    for number in range(1000):
        await limiter.charge(request_of(f"client {number}"))
    assert len(limiter._memory.storage.events) <= 100  # type: ignore[attr-defined]
    await limiter.close()


async def test_clients_that_stopped_coming_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "_SWEEP_INTERVAL", 0.05)
    limiter = RateLimiter("3/second", "memory://")
    await limiter.charge(request_of("a"))
    async with asyncio.timeout(10):
        while limiter._memory.storage.events:  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await limiter.close()


async def test_without_redis_limits_are_counted_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    limiter = RateLimiter("2/minute", "redis://127.0.0.1:1/0")
    assert limiter.backend == "redis"
    for _ in range(2):
        await limiter.charge(request_of("a"))
    with pytest.raises(RateLimited):
        await limiter.charge(request_of("a"))
    assert limiter.backend == "memory while redis is away"
    assert [record.message for record in caplog.records if "Redis" in record.message] == [
        "Redis is away (ConnectionError): rate limits are counted in memory."
    ]
    await limiter.close()
