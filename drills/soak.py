"""Long hours of mixed traffic with some hostile files in it: memory, files and threads stay where they were.

To warm up, clients ask as fast as they are answered: what a heap may come to hold is known after tens of thousands of
requests, not after minutes. Then the load is moderate, and comes whether or not the earlier requests are answered.
Every two seconds it rests until all of them are, and what the process then holds is looked at. That goes up and down
by some megabytes with what lies on top of the allocator's heaps, but has a sharp floor: the least of each minute. A
leak raises that floor.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time

from drills.report import Report, run
from drills.traffic import PATIENT, Tally, by_clients, rounds, steadily
from drills.vitals import Slope, Vitals, slope, vitals
from tests.process import ServerProcess

RATE = 12
TURN = 2 * RATE
"""Requests between two rests."""

SHORT, LONG = 1200.0, 3600.0
WARM_UP = 480.0
"""Seconds after which the floor has to be flat: by then the heaps of all threads are as large as they get."""

CLIENTS = 8
"""Clients that warm the service up."""

MINUTE = 60.0
STEEPEST = 1.0
"""Percent an hour that resident memory may grow by."""

TELLING, DECISIVE = 10, 40
"""Minutes of settled floor from which a slope says something, and from which it is known to a few tenths of a percent.

Below the first a run is judged by what its memory gained alone, below the second by the lower end of the interval too:
half a megabyte in twelve minutes, which an allocator takes as pages are touched for the first time, is more than 1 %.
"""


def drill(report: Report) -> None:
    seconds = report.seconds or (LONG if report.long else SHORT)
    warm_up = min(WARM_UP, seconds / 3)
    tally = Tally()
    with ServerProcess({**PATIENT, "LOG_LEVEL": "warning"}) as server:
        server.wait_ready()
        rests = asyncio.run(_soak(report, server, seconds, warm_up, tally))
    report.note(f"answers: {tally}; the slowest after {tally.slowest:.2f} s")
    report.figure("minutes", rests[-1].seconds / 60)
    report.figure("answers that are a 5xx or missing", tally.unexpected, at_most=0)
    report.figure("most resident memory at any time", rests[-1].peak, "MB")
    settled = [rest for rest in rests if rest.seconds >= warm_up]
    floors = _floors(settled, min(MINUTE, seconds / 12))
    report.figure("floor of resident memory after warm-up", floors[0].resident, "MB")
    report.figure("floor of resident memory at the end", floors[-1].resident, "MB")
    minutes = len(floors) if seconds >= TELLING * MINUTE else 0
    seen = [floor.seconds for floor in floors]
    for what, found in (
        ("slope of the floor", slope(seen, [floor.resident for floor in floors])),
        ("slope of it without mapped files", slope(seen, [floor.own for floor in floors])),
    ):
        _judge(report, what, found, minutes)
    quarter = max(len(settled) // 4, 1)
    first, last = settled[:quarter], settled[-quarter:]
    gained = statistics.median(r.resident for r in last) - statistics.median(r.resident for r in first)
    report.figure("median of resident memory gained", gained, "MB", at_most=3 if minutes >= TELLING else 15)
    files = statistics.median(rest.files for rest in last) - statistics.median(rest.files for rest in first)
    report.figure("file descriptors gained", files, at_most=0)
    report.figure("threads gained", max(r.threads for r in last) - max(r.threads for r in first), at_most=0)


async def _soak(report: Report, server: ServerProcess, seconds: float, warm_up: float, tally: Tally) -> list[Vitals]:
    started = time.monotonic()
    rests: list[Vitals] = []
    noted = 0
    requests = itertools.chain.from_iterable(rounds())
    while not rests or rests[-1].seconds < seconds:
        turn = list(itertools.islice(requests, TURN))
        if time.monotonic() - started < warm_up:
            await by_clients(server.port, turn, CLIENTS, tally)
        else:
            await steadily(server.port, turn, RATE, tally)
        # The last sockets are closed a moment after the last answer.
        await asyncio.sleep(0.1)
        rests.append(now := vitals(server.pid, time.monotonic() - started))
        if now.seconds >= (noted + 1) * MINUTE:
            noted = int(now.seconds / MINUTE)
            least = min(rest.resident for rest in rests if rest.seconds >= now.seconds - MINUTE)
            report.note(f"{noted:3} min: {least:.1f} MB, {now.files} files, {now.threads} threads")
    return rests


def _floors(rests: list[Vitals], width: float) -> list[Vitals]:
    """The rest of each stretch of time at which the least was held."""
    stretches = itertools.groupby(rests, key=lambda rest: int((rest.seconds - rests[0].seconds) / width))
    found = [list(stretch) for _, stretch in stretches]
    # The last stretch may be too short for a floor.
    whole = found[:-1] if len(found) > 1 else found
    return [min(stretch, key=lambda rest: rest.resident) for stretch in whole]


def _judge(report: Report, what: str, found: Slope, minutes: int) -> None:
    """Holds a slope to its bound: as it is where it is known well, else by what it is at least."""
    report.figure(what, found.percent, "%/h", at_most=STEEPEST if minutes >= DECISIVE else None)
    report.note(f"  95 % interval {found.low:+.2f} to {found.high:+.2f} %/h")
    if TELLING <= minutes < DECISIVE:
        report.figure("  it is at least", found.low, "%/h", at_most=STEEPEST)


if __name__ == "__main__":
    run("soak", drill)
