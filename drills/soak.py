"""Hours of mixed traffic with some hostile files: memory, open files and threads do not grow.

During warm-up, clients send as fast as they get responses: the heaps of all threads reach their size after tens of
thousands of requests. Then requests arrive at a steady, moderate rate. Every two seconds the load pauses until all
requests have their response, and the process is measured. Resident memory goes up and down by some megabytes with
what the allocator keeps, but the least of each minute is steady. A leak raises it.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from dataclasses import dataclass

import numpy as np

from drills.process_stats import ProcessStats, process_stats
from drills.report import Report, run
from drills.traffic import NOTHING_REFUSED, Tally, by_clients, rounds, steadily
from tests.process import ServerProcess

RATE = 12
BURST = 2 * RATE
"""Requests between two pauses."""

SHORT, LONG = 1200.0, 3600.0
WARM_UP = 480.0
"""Seconds after which the memory must not grow: by then the heaps of all threads have reached their size."""

CLIENTS = 8
"""Clients during warm-up."""

MINUTE = 60.0
STEEPEST = 1.0
"""The most that resident memory may grow, in percent an hour."""

LOWER_END, WHOLE = 10, 40
"""Minutes of measurement from which the lower end of the slope's interval is checked, and from which the slope is.

Half a megabyte in twelve minutes, which an allocator takes when it touches pages for the first time, is more than 1 %
per hour. After forty minutes the slope is known to a few tenths of a percent. Shorter runs check the gain alone.
"""

_CONFIDENCE = 1.96
"""Standard deviations that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class Slope:
    """How fast something grows, in percent of its median an hour, with the 95 % interval."""

    percent: float
    low: float
    high: float


def drill(report: Report) -> None:
    seconds = report.seconds or (LONG if report.long else SHORT)
    warm_up = min(WARM_UP, seconds / 3)
    tally = Tally()
    with ServerProcess({**NOTHING_REFUSED, "LOG_LEVEL": "warning", "MEMORY_LIMIT_MB": 512}) as server:
        server.wait_ready()
        samples = asyncio.run(_soak(report, server, seconds, warm_up, tally))
    report.note(f"responses: {tally}; the slowest after {tally.slowest:.2f} s")
    report.figure("minutes", samples[-1].seconds / 60)
    report.figure("responses that are a 5xx or missing", tally.unexpected, at_most=0)
    report.figure("peak of resident memory", samples[-1].peak, "MB", at_most=450)
    settled = [sample for sample in samples if sample.seconds >= warm_up]
    minima = _minima(settled, min(MINUTE, seconds / 12))
    report.figure("least resident memory in the first minute after warm-up", minima[0].resident, "MB")
    report.figure("least resident memory in the last minute", minima[-1].resident, "MB")
    minutes = len(minima) if seconds >= LOWER_END * MINUTE else 0
    seen = [least.seconds for least in minima]
    for what, found in (
        ("slope of the least of each minute", slope(seen, [least.resident for least in minima])),
        ("slope without mapped files", slope(seen, [least.anonymous for least in minima])),
    ):
        _check_slope(report, what, found, minutes)
    quarter = max(len(settled) // 4, 1)
    first, last = settled[:quarter], settled[-quarter:]
    gained = statistics.median(r.resident for r in last) - statistics.median(r.resident for r in first)
    report.figure("median of resident memory gained", gained, "MB", at_most=3 if minutes >= LOWER_END else 15)
    files = statistics.median(sample.files for sample in last) - statistics.median(sample.files for sample in first)
    report.figure("file descriptors gained", files, at_most=0)
    report.figure("threads gained", max(r.threads for r in last) - max(r.threads for r in first), at_most=0)


async def _soak(
    report: Report, server: ServerProcess, seconds: float, warm_up: float, tally: Tally
) -> list[ProcessStats]:
    started = time.monotonic()
    samples: list[ProcessStats] = []
    noted = 0
    requests = itertools.chain.from_iterable(rounds())
    while not samples or samples[-1].seconds < seconds:
        burst = list(itertools.islice(requests, BURST))
        if time.monotonic() - started < warm_up:
            await by_clients(server.port, burst, CLIENTS, tally)
        else:
            await steadily(server.port, burst, RATE, tally)
        # The last sockets are closed a moment after the last response.
        await asyncio.sleep(0.1)
        samples.append(now := process_stats(server.pid, time.monotonic() - started))
        if now.seconds >= (noted + 1) * MINUTE:
            noted = int(now.seconds / MINUTE)
            least = min(sample.resident for sample in samples if sample.seconds >= now.seconds - MINUTE)
            report.note(f"{noted:3} min: {least:.1f} MB, {now.files} files, {now.threads} threads")
    return samples


def _minima(samples: list[ProcessStats], width: float) -> list[ProcessStats]:
    """Of each span of ``width`` seconds, the sample with the least resident memory."""
    spans = itertools.groupby(samples, key=lambda sample: int((sample.seconds - samples[0].seconds) / width))
    found = [list(span) for _, span in spans]
    # The last span may be too short.
    whole = found[:-1] if len(found) > 1 else found
    return [min(span, key=lambda sample: sample.resident) for span in whole]


def _check_slope(report: Report, what: str, found: Slope, minutes: int) -> None:
    """Checks a slope after a long run, and the lower end of its interval after a shorter one."""
    report.figure(what, found.percent, "%/h", at_most=STEEPEST if minutes >= WHOLE else None)
    report.note(f"  95 % interval {found.low:+.2f} to {found.high:+.2f} %/h")
    if LOWER_END <= minutes < WHOLE:
        report.figure("  lower end of the interval", found.low, "%/h", at_most=STEEPEST)


def slope(seconds: list[float], values: list[float]) -> Slope:
    """The median of the slopes between all pairs (Theil and Sen), which single steps and peaks hardly change.

    The interval is Sen's, from the ranks of those slopes. It assumes independent samples.
    """
    first, second = np.triu_indices(len(values), 1)
    times, levels = np.array(seconds), np.array(values)
    slopes = np.sort((levels[second] - levels[first]) / (times[second] - times[first]))
    slopes *= 3600 / float(np.median(levels)) * 100
    count = len(values)
    spread = _CONFIDENCE * (count * (count - 1) * (2 * count + 5) / 18) ** 0.5
    low = max(int((len(slopes) - spread) / 2), 0)
    high = min(int((len(slopes) + spread) / 2) + 1, len(slopes) - 1)
    return Slope(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))


if __name__ == "__main__":
    run("soak", drill)
