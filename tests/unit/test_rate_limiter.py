"""Rate limits, on their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from app import rate_limiter
from app.rate_limiter import Allowance, RateLimiter


async def charged(limiter: RateLimiter, client: str = "a") -> Allowance:
    allowance = await limiter.charge(client)
    assert allowance is not None
    return allowance


@pytest.fixture
async def limiter() -> AsyncIterator[RateLimiter]:
    limiter = RateLimiter("3/minute", "memory://")
    yield limiter
    await limiter.close()


async def test_a_client_has_its_budget_and_no_more(limiter: RateLimiter) -> None:
    for left in (2, 1, 0):
        allowance = await charged(limiter)
        assert allowance.granted
        assert allowance.remaining == left
    refused = await charged(limiter)
    assert not refused.granted
    assert 1 <= refused.retry_after <= 60
    headers = {name.decode(): value.decode() for name, value in refused.headers}
    assert headers["x-ratelimit-limit"] == "3"
    assert headers["x-ratelimit-remaining"] == "0"
    assert 0 <= int(headers["x-ratelimit-reset"]) - time.time() <= 61
    assert (await charged(limiter, "b")).granted


async def test_the_window_moves() -> None:
    limiter = RateLimiter("2/second", "memory://")
    for _ in range(2):
        assert (await charged(limiter)).granted
    async with asyncio.timeout(10):
        while not (await charged(limiter)).granted:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await limiter.close()


async def test_of_several_limits_the_tightest_is_told() -> None:
    limiter = RateLimiter("10/minute;2/second", "memory://")
    assert (await charged(limiter)).limit == 2
    await limiter.close()


async def test_off_counts_nothing() -> None:
    limiter = RateLimiter("off", "redis://nowhere.invalid")
    assert [await limiter.charge("a") for _ in range(1000)] == [None] * 1000
    assert limiter.backend == "off"
    await limiter.close()


async def test_many_clients_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "_MAX_CLIENTS", 100)
    limiter = RateLimiter("3/minute", "memory://")
    for number in range(1000):
        await limiter.charge(f"client {number}")
    assert len(limiter._memory.events) <= 100
    await limiter.close()


async def test_clients_that_stopped_coming_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "_SWEEP_INTERVAL", 0.05)
    limiter = RateLimiter("3/second", "memory://")
    await limiter.charge("a")
    async with asyncio.timeout(10):
        while limiter._memory.events:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await limiter.close()


async def test_without_redis_limits_are_counted_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    limiter = RateLimiter("2/minute", "redis://127.0.0.1:1/0")
    assert limiter.backend == "redis"
    for _ in range(2):
        assert (await charged(limiter)).granted
    assert not (await charged(limiter)).granted
    assert limiter.backend == "memory while redis is away"
    assert [record.message for record in caplog.records if "Redis" in record.message] == [
        "Redis is away (ConnectionError): rate limits are counted in memory."
    ]
    await limiter.close()
