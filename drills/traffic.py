"""Mixed traffic: pictures of many sizes, batches, explanations, and hostile files in one request of twenty.

Each round has the same valid requests in another order.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from drills.client import Response, send, upload
from tests.hostile import hostile_files
from tests.pictures import faceless, portrait

ROUND = 100
HOSTILE = 5
"""Hostile requests in a round. Several rounds use all hostile files."""

NOTHING_REFUSED = {
    "QUEUE_SIZE": 2000,
    "QUEUE_TIMEOUT_SECONDS": 120,
    "REQUEST_TIMEOUT_SECONDS": 120,
    "BODY_TIMEOUT_SECONDS": 120,
    "BODY_MEMORY_MB": 1024,
}
"""Settings with which no request is refused, even on a busy machine."""


@dataclass
class Tally:
    """Counts of responses."""

    statuses: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    unexpected: int = 0
    """Responses that are a 5xx or missing."""

    def add(self, response: Response) -> None:
        self.statuses[str(response.status or "lost")] += 1
        self.slowest = max(self.slowest, response.seconds)
        self.unexpected += not 0 < response.status < 500

    def __str__(self) -> str:
        return ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))


def rounds() -> Iterator[list[bytes]]:
    """The requests of endless rounds."""
    generator = random.Random(1)
    hostile = itertools.cycle([upload("/predict", file.data) for file in hostile_files() if len(file.data) < 1_000_000])
    valid = _valid()
    while True:
        requests = [next(hostile) for _ in range(HOSTILE)]
        requests += itertools.islice(itertools.cycle(valid), ROUND - HOSTILE)
        generator.shuffle(requests)
        yield requests


def _valid() -> list[bytes]:
    """Twenty valid requests. Common kinds appear several times."""
    return [
        *(upload("/predict", portrait(width)) for width in (256, 320, 512, 512, 640, 640, 800, 1080, 1600, 2160)),
        upload("/predict", portrait(4000, 70)),
        *(upload("/predict", faceless(width)) for width in (256, 640, 1080)),
        *(upload("/predict?faces=all", portrait(width)) for width in (640, 1080)),
        *(upload("/predict?explain=true", portrait(width)) for width in (512, 1080)),
        upload("/predict/batch", portrait(256), faceless(256), portrait(512), field="files"),
        upload("/predict?faces=largest", portrait(640)),
    ]


async def steadily(port: int, requests: list[bytes], rate: float, tally: Tally) -> None:
    """Sends requests at a steady rate, without waiting for responses. Ends when all responses have arrived."""
    started = time.monotonic()
    tasks = []
    for number, request in enumerate(requests):
        await asyncio.sleep(max(started + number / rate - time.monotonic(), 0))
        tasks.append(asyncio.create_task(_send_and_count(port, request, tally)))
    await asyncio.gather(*tasks)


async def by_clients(port: int, requests: list[bytes], clients: int, tally: Tally) -> None:
    """Sends requests from several clients; each sends the next when it has a response."""
    left = iter(requests)

    async def client() -> None:
        for request in left:
            await _send_and_count(port, request, tally)

    await asyncio.gather(*(client() for _ in range(clients)))


async def _send_and_count(port: int, request: bytes, tally: Tally) -> None:
    tally.add(await send(port, request))
