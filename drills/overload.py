"""Up to ten times the capacity: goodput stays high, and the other requests are refused at once.

The load arrives in three ways: on kept connections; through nginx, with rates counted in Redis; and with one connection
per request. On a machine with two cores or more it comes from a core that the server does not use, because the load
generator itself takes CPU.
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

from drills.client import (
    KeptConnections,
    Response,
    Send,
    closed_loop,
    get,
    open_loop,
    quantile,
    send,
    statuses,
    until,
    upload,
    while_probing,
)
from drills.report import Report, run
from tests.backends import nginx, program, redis
from tests.pictures import portrait
from tests.process import ServerProcess, free_port

LIVE = get("/health/live")
READY = get("/health/ready")
FACTORS = (1, 2, 10)
SETTINGS: dict[str, object] = {"QUEUE_SIZE": 16, "LOG_LEVEL": "warning"}
REQUEST = upload("/predict", portrait(2048, 30))
"""Small but slow to process, so that one core can send ten times the capacity and run nginx and Redis too."""
CLIENTS = 64
"""Client addresses behind nginx. Each stays below its rate limit."""


@dataclass(frozen=True)
class Path:
    """How the load arrives."""

    name: str
    goodput: float
    """The least goodput at ten times the capacity, as a share of the best. A picture here takes 10 ms, and a refusal of
    its 149 KB about 0.25 ms of the same core, so nine refusals take a fifth of it; on some machines they take twice as
    much with a connection each."""
    port: int
    """Port for the requests."""
    service: int
    """Port for the probes."""
    send: Send


def drill(report: Report) -> None:
    seconds = report.seconds or (30.0 if report.long else 5.0)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    served, own = cores[:-1] or cores, cores[-1:]
    report.note(f"server on core {served}, load from core {own}" if cores else "all on the same cores")
    with _server(served, own, SETTINGS) as server:
        kept = KeptConnections()
        _measure(report, Path("kept", 0.7, server.port, server.port, kept.send), seconds)
        report.figure("kept: connections opened", kept.opened)
    _through_nginx(report, served, own, seconds)
    with _server(served, own, SETTINGS) as server:
        _measure(report, Path("one connection a request", 0.5, server.port, server.port, send), seconds)


def _through_nginx(report: Report, served: list[int], own: list[int], seconds: float) -> None:
    programs = program("nginx", "NGINX"), program("redis-server", "REDIS_SERVER")
    if programs[0] is None or programs[1] is None:
        report.note("nginx or redis-server is not installed, so the load through nginx is skipped")
        return
    storage = free_port()
    settings = SETTINGS | {
        "RATE_LIMIT": "6000/minute",
        "RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{storage}",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    with (
        redis(programs[1], storage),
        _server(served, own, settings) as server,
        nginx(programs[0], server.port, forwarded=True) as proxy,
    ):
        kept = KeptConnections()
        forwarded = itertools.cycle([b"X-Forwarded-For: 198.51.100.%d\r\n" % number for number in range(CLIENTS)])

        async def forward(port: int, request: bytes, due: float | None) -> Response:
            line, _, rest = request.partition(b"\r\n")
            return await kept.send(port, line + b"\r\n" + next(forwarded) + rest, due)

        _measure(report, Path("nginx, Redis", 0.6, proxy.port, server.port, forward), seconds)


@contextmanager
def _server(served: list[int], own: list[int], settings: dict[str, object]) -> Iterator[ServerProcess]:
    _pin(served)
    with ServerProcess(settings) as server:
        _pin(own)
        server.wait_ready()
        yield server


def _measure(report: Report, path: Path, seconds: float) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_load(report, path, seconds))


async def _load(report: Report, path: Path, seconds: float) -> None:
    await closed_loop(path.port, REQUEST, 4, 2, path.send)
    responses = await closed_loop(path.port, REQUEST, 8, seconds, path.send)
    capacity = _good(responses) / seconds
    report.figure(f"{path.name}: capacity, closed loop of 8 clients", capacity, "/s")
    best = capacity
    for factor in FACTORS:
        goodput = await _goodput(report, path, factor, factor * capacity, seconds)
        best = max(best, goodput)
        report.figure(f"{path.name}, {factor}x: goodput", goodput, "/s")
    report.figure(f"{path.name}: goodput at 10x, share of the best", goodput / best, at_least=path.goodput)
    recovered = await until(lambda: _is_ready(path.service))
    again = await closed_loop(path.port, REQUEST, 4, 2, path.send)
    report.figure(f"{path.name}: back to normal within", recovered, "s", at_most=10)
    report.check("every request is served again", {response.status for response in again} == {200}, statuses(again))


async def _goodput(report: Report, path: Path, factor: int, rate: float, seconds: float) -> float:
    """Sends ``rate`` requests per second. Returns how many per second were served."""
    started, own_cpu = time.perf_counter(), time.process_time()
    load = open_loop(path.port, REQUEST, rate, seconds, path.send)
    responses, probes = await while_probing(path.service, load, LIVE)
    took = time.perf_counter() - started
    refused = [response for response in responses if response.status in {429, 503}]
    what = f"{path.name}, {factor}x"
    report.note(f"{what}: {statuses(responses)}; probes {statuses(probes)}")
    # A generator without idle time would measure itself.
    report.figure(f"{what}: generator's share of its core", (time.process_time() - own_cpu) / took, at_most=0.8)
    report.figure(f"{what}: refusals, p99", quantile(refused, 0.99), "ms", at_most=100)
    report.figure(f"{what}: liveness probes, p99", quantile(probes, 0.99), "ms", at_most=200)
    report.check(f"{what}: liveness always 200", {response.status for response in probes} == {200})
    report.check(f"{what}: nothing but 200, 429 and 503", {a.status for a in responses} <= {200, 429, 503})
    return _good(responses) / took


async def _is_ready(port: int) -> bool:
    return (await send(port, READY)).status == 200


def _pin(cores: list[int]) -> None:
    """Pins this process, and those that it starts later, to cores."""
    if cores:
        os.sched_setaffinity(0, cores)


def _good(responses: list[Response]) -> int:
    return sum(response.status == 200 for response in responses)


if __name__ == "__main__":
    run("overload", drill)
