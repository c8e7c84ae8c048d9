"""Far more requests than can be served: what is served stays served, and the rest is told so at once.

The load comes from a core that the server does not use, where there are two: a generator that took its part of the
server's would be measured with it, ten times over at ten times the load.
"""

from __future__ import annotations

import asyncio
import os
import time

from drills.client import Answer, ask, beside, closed_loop, get, open_loop, quantile, statuses, until, upload
from drills.report import Report, run
from tests.pictures import portrait
from tests.process import ServerProcess

LIVE = get("/health/live")
READY = get("/health/ready")


def drill(report: Report) -> None:
    seconds = 30.0 if report.long else 6.0
    cores = _cores()
    served, own = cores[:-1] or cores, cores[-1:]
    _stay_on(served)
    with ServerProcess({"QUEUE_SIZE": 16, "LOG_LEVEL": "warning"}) as server:
        _stay_on(own)
        server.wait_ready()
        report.note(f"server on core {served}, load from core {own}" if cores else "all on the same cores")
        asyncio.run(_load(report, server.port, seconds))


async def _load(report: Report, port: int, seconds: float) -> None:
    # A picture of some cost, so that ten times the capacity is a rate that one Python client can send.
    request = upload("/predict", portrait(2048))
    await closed_loop(port, request, 4, 2)
    answers = await closed_loop(port, request, 8, seconds)
    capacity = _good(answers) / seconds
    report.figure("capacity, closed loop of 8 clients", capacity, "/s")
    goodput: dict[int, float] = {}
    for factor in (1, 2, 10):
        started, own_cpu = time.perf_counter(), time.process_time()
        answers, probes = await beside(port, open_loop(port, request, factor * capacity, seconds), LIVE)
        took = time.perf_counter() - started
        goodput[factor] = _good(answers) / took
        shed = [answer for answer in answers if answer.status == 503]
        report.note(f"{factor}x: {statuses(answers)}; probes {statuses(probes)}")
        # A generator that is busy all the time measures itself.
        share = (time.process_time() - own_cpu) / took
        report.figure(f"{factor}x: generator's share of its core", share, at_most=0.8)
        report.figure(f"{factor}x: goodput", goodput[factor], "/s")
        report.figure(f"{factor}x: shed in, p99", quantile(shed, 0.99), "ms", at_most=100)
        report.figure(f"{factor}x: liveness in, p99", quantile(probes, 0.99), "ms", at_most=200)
        report.check(f"{factor}x: liveness always 200", {answer.status for answer in probes} == {200})
        report.check(f"{factor}x: nothing but 200 and 503", {a.status for a in answers} <= {200, 503})
    best = max(capacity, *goodput.values())
    report.figure("goodput at 10x, share of the best", goodput[10] / best, at_least=0.9)
    healed = await until(lambda: _is_ready(port))
    again = await closed_loop(port, request, 4, 2)
    report.figure("back to normal within", healed, "s", at_most=10)
    report.check("and every request is served again", {answer.status for answer in again} == {200}, statuses(again))


async def _is_ready(port: int) -> bool:
    return (await ask(port, READY)).status == 200


def _cores() -> list[int]:
    """The cores that this process may use; none where the system does not let it choose."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []


def _stay_on(cores: list[int]) -> None:
    """Binds this process, and those that it starts from then on."""
    if cores:
        os.sched_setaffinity(0, cores)


def _good(answers: list[Answer]) -> int:
    return sum(answer.status == 200 for answer in answers)


if __name__ == "__main__":
    run("overload", drill)
