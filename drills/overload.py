"""Far more requests than can be served: what is served stays served, and the rest is refused at once.

The load comes in three ways: from clients that keep their connections; through nginx, with Redis counting the limits;
and with one connection a request. It comes from a core that the server does not use, where there are two: a generator
that took its part of the server's would be measured with it, ten times over at ten times the load.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvloop

from drills.backends import nginx, program, redis
from drills.client import (
    Answer,
    Ask,
    KeptConnections,
    ask,
    beside,
    closed_loop,
    get,
    open_loop,
    quantile,
    statuses,
    until,
    upload,
)
from drills.report import Report, run
from tests.pictures import portrait
from tests.process import ServerProcess, free_port

LIVE = get("/health/live")
READY = get("/health/ready")
FACTORS = (1, 2, 10)
SETTINGS: dict[str, object] = {"QUEUE_SIZE": 16, "LOG_LEVEL": "warning"}
REQUEST = upload("/predict", portrait(2048, 30))
"""Much work for its bytes, so that one core can send ten times the capacity, with nginx and Redis on it too."""
CLIENTS = 64
"""Addresses behind nginx, each with a rate of its own, which none of them reaches."""


@dataclass(frozen=True)
class Way:
    """How the load arrives."""

    name: str
    goodput: float
    """Share of the best that must be left at ten times the capacity."""
    port: int
    """Where requests are sent."""
    service: int
    """Where probes are sent."""
    ask: Ask


def drill(report: Report) -> None:
    seconds = report.seconds or (30.0 if report.long else 5.0)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    served, own = cores[:-1] or cores, cores[-1:]
    report.note(f"server on core {served}, load from core {own}" if cores else "all on the same cores")
    with _server(served, own, SETTINGS) as server:
        kept = KeptConnections()
        _measure(report, Way("kept", 0.92, server.port, server.port, kept.ask), seconds)
        report.figure("kept: connections opened", kept.opened)
    _through_nginx(report, served, own, seconds)
    with _server(served, own, SETTINGS) as server:
        _measure(report, Way("one connection a request", 0.75, server.port, server.port, ask), seconds)


def _through_nginx(report: Report, served: list[int], own: list[int], seconds: float) -> None:
    programs = program("nginx", "NGINX"), program("redis-server", "REDIS_SERVER")
    if programs[0] is None or programs[1] is None:
        report.note("nginx or redis-server is not installed, so the way through nginx is left out")
        return
    storage = free_port()
    settings = SETTINGS | {
        "RATE_LIMIT": "6000/minute",
        "RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{storage}",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    with redis(programs[1], storage), _server(served, own, settings) as server, nginx(programs[0], server.port) as port:
        kept = KeptConnections()
        forwarded = itertools.cycle([b"X-Forwarded-For: 198.51.100.%d\r\n" % number for number in range(CLIENTS)])

        async def forward(port: int, request: bytes, due: float | None) -> Answer:
            line, _, rest = request.partition(b"\r\n")
            return await kept.ask(port, line + b"\r\n" + next(forwarded) + rest, due)

        _measure(report, Way("nginx, Redis", 0.9, port, server.port, forward), seconds)


@contextmanager
def _server(served: list[int], own: list[int], settings: dict[str, object]) -> Iterator[ServerProcess]:
    _stay_on(served)
    with ServerProcess(settings) as server:
        _stay_on(own)
        server.wait_ready()
        yield server


def _measure(report: Report, way: Way, seconds: float) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_load(report, way, seconds))


async def _load(report: Report, way: Way, seconds: float) -> None:
    await closed_loop(way.port, REQUEST, 4, 2, way.ask)
    answers = await closed_loop(way.port, REQUEST, 8, seconds, way.ask)
    capacity = _good(answers) / seconds
    report.figure(f"{way.name}: capacity, closed loop of 8 clients", capacity, "/s")
    best = capacity
    for factor in FACTORS:
        goodput = await _goodput(report, way, factor, factor * capacity, seconds)
        best = max(best, goodput)
        report.figure(f"{way.name}, {factor}x: goodput", goodput, "/s")
    report.figure(f"{way.name}: goodput at 10x, share of the best", goodput / best, at_least=way.goodput)
    healed = await until(lambda: _is_ready(way.service))
    again = await closed_loop(way.port, REQUEST, 4, 2, way.ask)
    report.figure(f"{way.name}: back to normal within", healed, "s", at_most=10)
    report.check("and every request is served again", {answer.status for answer in again} == {200}, statuses(again))


async def _goodput(report: Report, way: Way, factor: int, rate: float, seconds: float) -> float:
    """Sends so many requests a second, and returns how many a second were served."""
    started, own_cpu = time.perf_counter(), time.process_time()
    load = open_loop(way.port, REQUEST, rate, seconds, way.ask)
    answers, probes = await beside(way.service, load, LIVE)
    took = time.perf_counter() - started
    refused = [answer for answer in answers if answer.status in {429, 503}]
    what = f"{way.name}, {factor}x"
    report.note(f"{what}: {statuses(answers)}; probes {statuses(probes)}")
    # A generator that is busy all the time measures itself.
    report.figure(f"{what}: generator's share of its core", (time.process_time() - own_cpu) / took, at_most=0.8)
    report.figure(f"{what}: refused in, p99", quantile(refused, 0.99), "ms", at_most=100)
    report.figure(f"{what}: liveness in, p99", quantile(probes, 0.99), "ms", at_most=200)
    report.check(f"{what}: liveness always 200", {answer.status for answer in probes} == {200})
    report.check(f"{what}: nothing but 200, 429 and 503", {a.status for a in answers} <= {200, 429, 503})
    return _good(answers) / took


async def _is_ready(port: int) -> bool:
    return (await ask(port, READY)).status == 200


def _stay_on(cores: list[int]) -> None:
    """Binds this process, and those that it starts from then on."""
    if cores:
        os.sched_setaffinity(0, cores)


def _good(answers: list[Answer]) -> int:
    return sum(answer.status == 200 for answer in answers)


if __name__ == "__main__":
    run("overload", drill)
