"""Memory during and after decompression bombs, the largest pictures, and ten thousand requests."""

from __future__ import annotations

import asyncio
import itertools
import time

import numpy as np
from PIL import Image
from skimage import data

from drills.client import Response, send, statuses, upload
from drills.process_stats import process_stats, reset_peak
from drills.report import Report, run
from drills.traffic import Tally, by_clients, rounds
from tests.hostile import hostile_files
from tests.pictures import encoded
from tests.process import ServerProcess

SETTINGS = {"LOG_LEVEL": "warning", "MEMORY_LIMIT_MB": 512}
"""The container that the bounds are for."""

ATTEMPTS = 5
"""How often a bomb is sent. The fastest refusal counts, because other processes can only slow it down."""

LARGEST = 7_000
"""Pixels on a side of the largest picture that is accepted."""

CLIENTS = 4
FIRST, SHORT, LONG = 40, 100, 300
"""Rounds of traffic after which the memory is measured. It takes some thousand requests until every thread has held
every kind of picture beside every other."""

PAUSE = 6.0
"""Seconds without requests before that: every five seconds the service returns free memory to the system."""


def drill(report: Report) -> None:
    with ServerProcess(SETTINGS) as server:
        server.wait_ready()
        report.figure("resident memory, ready and idle", process_stats(server.pid).resident, "MB")
        asyncio.run(_bombs(report, server))
        report.check("no traceback in the log", "Traceback" not in server.log)
    with ServerProcess(SETTINGS) as server:
        server.wait_ready()
        asyncio.run(_largest(report, server))
    with ServerProcess(SETTINGS) as server:
        server.wait_ready()
        asyncio.run(_traffic(report, server, LONG if report.long else SHORT))


async def _bombs(report: Report, server: ServerProcess) -> None:
    """Each is refused soon, from its header alone: its pixels are never decoded."""
    bombs = [file for file in hostile_files() if file.name.startswith("bomb-") and not file.readable]
    await send(server.port, upload("/predict", bombs[0].data))
    for bomb in bombs:
        request = upload("/predict", bomb.data)
        reset_peak(server.pid)
        before = process_stats(server.pid).resident
        responses = [await send(server.port, request) for _ in range(ATTEMPTS)]
        took = min(response.seconds for response in responses) * 1000
        report.check(f"{bomb.name} is refused", all(400 <= a.status < 500 for a in responses), statuses(responses))
        report.figure(f"{bomb.name}, {len(bomb.data) / 1000:.0f} KB: refused in", took, "ms", at_most=100)
        report.figure("  memory taken", process_stats(server.pid).peak - before, "MB", at_most=20)


async def _largest(report: Report, server: ServerProcess) -> None:
    """Two pictures of the largest size at once."""
    for kind, picture in _pictures():
        request = upload("/predict", picture, name="a.png")
        reset_peak(server.pid)
        responses = await asyncio.gather(*(send(server.port, request) for _ in range(2)))
        report.check(f"two {kind} of 49 megapixels at once are processed", _processed(responses), statuses(responses))
        report.figure("  peak of resident memory", process_stats(server.pid).peak, "MB", at_most=450)
    await asyncio.sleep(0.5)
    report.figure("resident memory afterwards", process_stats(server.pid).resident, "MB", at_most=300)


def _pictures() -> list[tuple[str, bytes]]:
    """A face in large pixels: small files that decode to large pictures."""
    face = Image.fromarray(data.astronaut()).resize((70, 70))
    large = face.resize((LARGEST, LARGEST), Image.Resampling.NEAREST)
    transparent = large.convert("RGBA")
    transparent.putalpha(200)
    deep = Image.fromarray(np.asarray(large.convert("L")).astype(np.uint16) * 257)
    return [
        ("PNGs", encoded(large, "PNG")),
        ("transparent PNGs", encoded(transparent, "PNG")),
        ("16-bit PNGs", encoded(deep, "PNG")),
        ("PNGs with a palette", encoded(large.quantize(64), "PNG", transparency=0)),
    ]


def _processed(responses: list[Response]) -> bool:
    return all(response.status in {200, 422} for response in responses)


async def _traffic(report: Report, server: ServerProcess, count: int) -> None:
    """The traffic of the soak, as fast as the service responds."""
    tally = Tally()
    started = time.monotonic()
    resident: dict[int, float] = {}
    for number, requests in enumerate(itertools.islice(rounds(), count), 1):
        await by_clients(server.port, requests, CLIENTS, tally)
        if number in {FIRST, count}:
            await asyncio.sleep(PAUSE)
            resident[number] = process_stats(server.pid).resident
    sent = tally.statuses.total()
    report.note(f"{sent:,} requests in {time.monotonic() - started:.0f} s; {tally}")
    report.figure("responses that are a 5xx or missing", tally.unexpected, at_most=0)
    report.figure(f"resident memory after {FIRST * sent // count:,} requests", resident[FIRST], "MB")
    most = resident[FIRST] + max(10, 0.05 * resident[FIRST])
    report.figure(f"resident memory after {sent:,} requests", resident[count], "MB", at_most=most)
    report.figure("peak of resident memory", process_stats(server.pid).peak, "MB", at_most=450)


if __name__ == "__main__":
    run("memory", drill)
