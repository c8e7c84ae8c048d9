"""Rate limits, on their own: the same in memory and in a real Redis."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import redis as redis_client

from app import rate_limiter
from app.rate_limiter import NETWORK_FACTOR, Allowance, Rate, RateLimiter
from tests.process import free_port

PATIENCE = 20.0
Pass = Callable[[float], Awaitable[None]]
"""Lets seconds pass for a limiter."""


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic_ns(self) -> int:
        return int(self.seconds * 1e9)

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rate_limiter, "time", clock)
    return clock


def in_memory(rate: str, max_clients: int = 1000) -> RateLimiter:
    return RateLimiter(rate, "memory://", max_clients=max_clients)


async def charged(limiter: RateLimiter, client: str = "a", *networks: str) -> Allowance:
    allowance = await limiter.charge(client, *networks)
    assert allowance is not None
    return allowance


async def granted(limiter: RateLimiter, count: int, client: str = "a", *networks: str) -> int:
    """How many of ``count`` requests are granted."""
    return sum([(await charged(limiter, client, *networks)).granted for _ in range(count)])


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real Redis that keeps nothing."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen(_command(binary, port, folder), stdout=subprocess.DEVNULL)
    until = time.monotonic() + PATIENCE
    with redis_client.Redis(port=port) as client:
        while True:
            try:
                client.ping()
                break
            except redis_client.ConnectionError:
                assert time.monotonic() < until
                time.sleep(0.02)
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()
    process.wait()


def _command(binary: str, port: int, folder: Path) -> list[str]:
    return [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]


@pytest.fixture
def redis(redis_server: str) -> Iterator[redis_client.Redis]:
    """A client of an empty Redis."""
    client = redis_client.Redis.from_url(redis_server)
    client.flushdb()
    yield client
    client.config_set("maxmemory", 0)
    client.close()


STORAGES = ("memory", "redis")


@pytest.fixture(params=STORAGES)
async def build(
    request: pytest.FixtureRequest, clock: Clock
) -> AsyncIterator[tuple[Callable[[str], RateLimiter], Pass]]:
    """Builds limiters of one storage, and lets time pass for them."""
    limiters: list[RateLimiter] = []
    url = "memory://"
    client: redis_client.Redis | None = None
    if request.param == "redis":
        url = request.getfixturevalue("redis_server")
        client = request.getfixturevalue("redis")

    def make(rate: str) -> RateLimiter:
        limiters.append(RateLimiter(rate, url, max_clients=1000))
        return limiters[-1]

    async def wait(seconds: float) -> None:
        clock.seconds += seconds
        if client is not None:
            # Its own clock cannot be moved: what is stored moves the other way.
            for key in client.keys("visage:*"):  # type: ignore[union-attr]
                client.set(key, int(client.get(key) or 0) - int(seconds * 1e6))  # type: ignore[arg-type]

    yield make, wait
    for limiter in limiters:
        assert "away" not in limiter.backend
        await limiter.close()


Steps = Sequence[tuple[float, str, int, int]]
"""Seconds to wait, the client, how many requests it sends, and how many of them are granted."""


@pytest.mark.parametrize(
    ("rate", "steps"),
    [
        ("3/minute", [(0, "a", 5, 3), (0, "b", 5, 3)]),
        ("3/minute", [(0, "a", 5, 3), (10, "a", 1, 0), (10.5, "a", 2, 1), (41, "a", 5, 2)]),
        ("3/minute", [(0, "a", 1, 1), (3600, "a", 9, 3)]),
        ("60/hour", [(0, "a", 100, 60), (1830, "a", 100, 30)]),
        ("7/minute", [(0, "a", 9, 7), (60, "a", 9, 7)]),
        ("1/day", [(0, "a", 2, 1), (86_000, "a", 1, 0), (500, "a", 2, 1)]),
        ("10/minute;2/hour", [(0, "a", 9, 2), (1800, "a", 9, 1), (7200, "a", 9, 2)]),
        ("4/minute;10/hour", [(0, "a", 9, 4), (60, "a", 9, 4), (60, "a", 9, 2), (60, "a", 9, 0)]),
        ("999/day", [(0, "a", 1010, 999)]),
    ],
)
async def test_memory_and_redis_decide_alike(
    build: tuple[Callable[[str], RateLimiter], Pass], rate: str, steps: Steps
) -> None:
    make, wait = build
    limiter = make(rate)
    for seconds, client, sent, expected in steps:
        await wait(seconds)
        assert await granted(limiter, sent, client) == expected


async def test_a_client_is_told_what_is_left_and_when_to_come_back(
    build: tuple[Callable[[str], RateLimiter], Pass],
) -> None:
    make, wait = build
    limiter = make("3/minute")
    for left, whole in ((2, 20), (1, 40), (0, 60)):
        allowance = await charged(limiter)
        assert allowance.granted
        headers = {name.decode(): int(value) for name, value in allowance.headers}
        assert headers["x-ratelimit-limit"] == 3
        assert headers["x-ratelimit-remaining"] == left
        assert headers["x-ratelimit-reset"] - time.time() == pytest.approx(whole, abs=2)
    await wait(5)
    refused = await charged(limiter)
    assert not refused.granted
    assert refused.remaining == 0
    assert refused.retry_after in {14, 15, 16}
    await wait(refused.retry_after + 1)
    assert (await charged(limiter)).granted


async def test_of_several_limits_the_tightest_is_told(build: tuple[Callable[[str], RateLimiter], Pass]) -> None:
    limiter = build[0]("10/minute;2/hour")
    assert (await charged(limiter)).limit == 2


async def test_a_network_has_four_clients_budgets_in_all(build: tuple[Callable[[str], RateLimiter], Pass]) -> None:
    limiter = build[0]("5/hour")
    served = [await granted(limiter, 10, f"2001:db8:0:{n:x}::/64", "2001:db8::/48") for n in range(256)]
    assert sum(served) == NETWORK_FACTOR * 5
    assert max(served) == 5
    assert await granted(limiter, 10, "2001:db8:1::/64", "2001:db8:1::/48") == 5


async def test_a_read_costs_nothing_of_the_rate_and_shows_what_is_left_of_it(
    build: tuple[Callable[[str], RateLimiter], Pass],
) -> None:
    make, wait = build
    limiter = make("3/minute")
    await granted(limiter, 2)
    for _ in range(5):
        read = await limiter.charge("a", read=True)
        assert read is not None
        assert (read.limit, read.remaining, read.granted) == (3, 1, True)
    assert await granted(limiter, 2) == 1
    await wait(3600)
    read = await limiter.charge("a", read=True)
    assert read is not None
    assert (read.remaining, read.whole_after) == (3, 0)


async def test_reads_have_an_allowance_of_their_own(
    build: tuple[Callable[[str], RateLimiter], Pass], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limiter, "_READS", Rate.of(5, 3600, "reads "))
    monkeypatch.setattr(rate_limiter, "_NETWORK_READS", Rate.of(12, 3600, "reads "))
    limiter = build[0]("5/hour")
    served = []
    for number in range(4):
        client = (f"2001:db8:0:{number}::/64", "2001:db8::/48")
        reads = [await limiter.charge(*client, read=True) for _ in range(8)]
        served.append(sum(read is not None and read.granted for read in reads))
    assert served == [5, 5, 2, 0]
    assert await granted(limiter, 8, "2001:db8:0:0::/64", "2001:db8::/48") == 5


async def test_off_counts_nothing() -> None:
    limiter = RateLimiter("off", "redis://nowhere.invalid", max_clients=10)
    assert [await limiter.charge("a") for _ in range(1000)] == [None] * 1000
    assert limiter.backend == "off"
    await limiter.close()


async def test_a_steady_client_takes_no_more_memory_with_time(clock: Clock) -> None:
    limiter = in_memory("600/minute")
    await granted(limiter, 10)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(20_000):
        clock.seconds += 0.1
        assert (await charged(limiter)).granted
    gained = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert gained < 10_000
    assert len(limiter._memory) == 1


async def test_many_clients_do_not_fill_the_memory(clock: Clock) -> None:
    limiter = in_memory("3/minute", max_clients=100)
    for number in range(1000):
        await charged(limiter, f"client {number}")
    assert len(limiter._memory) <= 101


async def test_clients_that_stopped_coming_are_forgotten(clock: Clock) -> None:
    limiter = in_memory("3/minute")
    for number in range(500):
        await charged(limiter, f"client {number}")
    clock.seconds += 60
    for _ in range(500):
        await charged(limiter, "steady")
    assert len(limiter._memory) == 1


async def test_clients_are_forgotten_while_nobody_comes(clock: Clock) -> None:
    limiter = in_memory("3/minute")
    for number in range(500):
        await charged(limiter, f"client {number}")
    limiter.forget()
    assert len(limiter._memory) == 500
    clock.seconds += 60
    limiter.forget()
    assert len(limiter._memory) == 0


async def test_a_flood_of_other_clients_does_not_reset_one_that_is_blocked(clock: Clock) -> None:
    limiter = in_memory("3/hour", max_clients=100)
    assert await granted(limiter, 5, "blocked") == 3
    for number in range(10_000):
        await charged(limiter, f"client {number}")
    assert await granted(limiter, 5, "blocked") == 0


async def test_newcomers_share_one_allowance_while_there_is_no_room(clock: Clock) -> None:
    limiter = in_memory("3/hour", max_clients=100)
    for number in range(100):
        assert await granted(limiter, 1, f"client {number}") == 1
    assert sum([await granted(limiter, 1, f"newcomer {number}") for number in range(50)]) == 3
    clock.seconds += 3600
    assert sum([await granted(limiter, 1, f"newcomer {number}") for number in range(50)]) == 50


async def test_a_wall_clock_that_is_set_back_blocks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = in_memory("1000/second")
    await granted(limiter, 1000)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    async with asyncio.timeout(PATIENCE):
        while not (await charged(limiter)).granted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_redis_whose_clock_is_set_back_blocks_nobody(redis_server: str, redis: redis_client.Redis) -> None:
    limiter = RateLimiter("3/minute", redis_server, max_clients=10)
    assert await granted(limiter, 5) == 3
    for key in redis.keys("visage:*"):  # type: ignore[union-attr]
        redis.incrby(key, 3600 * 1_000_000)
    assert await granted(limiter, 5) == 3
    await limiter.close()


async def test_redis_never_holds_addresses_and_forgets_them(redis_server: str, redis: redis_client.Redis) -> None:
    limiter = RateLimiter("5/minute;100/hour", redis_server, max_clients=10)
    await charged(limiter, "198.51.100.7")
    keys: list[bytes] = redis.keys("*")  # type: ignore[assignment]
    assert len(keys) == 2
    assert all(b"198.51" not in key and 0 < redis.pttl(key) <= 36_000 for key in keys)  # type: ignore[operator]
    await limiter.close()


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if "Redis" in record.message]


async def test_without_redis_limits_are_counted_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    limiter = RateLimiter("2/minute", "redis://127.0.0.1:1/0", max_clients=10)
    assert limiter.backend == "redis"
    assert await granted(limiter, 3) == 2
    assert limiter.backend == "memory while redis is away"
    assert _said(caplog) == ["Redis is away (ConnectionError): rate limits are counted in memory."]
    await limiter.close()


@pytest.mark.parametrize(
    "response", [b"+OK\r\n", b"*0\r\n", b"$-1\r\n", b":1\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
async def test_what_responds_like_no_redis_counts_as_away(response: bytes) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while await reader.read(65536):
                writer.write(response * 3)

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        limiter = RateLimiter("2/minute", f"redis://127.0.0.1:{port}/0", max_clients=10)
        assert await granted(limiter, 3) == 2
        assert limiter.backend == "memory while redis is away"
        await limiter.close()


async def test_a_redis_that_responds_and_fails_scripts_stays_away_until_they_succeed(
    redis_server: str, redis: redis_client.Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limiter, "_FIRST_PAUSE", 0.01)
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(seconds)

    redis.config_set("maxmemory", 1)
    assert redis.ping()
    limiter = RateLimiter("1000/minute", redis_server, max_clients=10)
    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "sleep", counted)
        async with asyncio.timeout(PATIENCE):
            while len(pauses) < 6:
                await charged(limiter)
                await sleep(0.005)
    assert _said(caplog) == ["Redis is away (OutOfMemoryError): rate limits are counted in memory."]
    assert pauses[:6] == [0.01, 0.02, 0.04, 0.08, 0.16, 0.32]
    redis.config_set("maxmemory", 0)
    async with asyncio.timeout(PATIENCE):
        while limiter.backend != "redis":
            await sleep(0.02)
    assert _said(caplog)[1:] == ["Redis is back: rate limits are shared again."]
    await limiter.close()
