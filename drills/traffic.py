"""Mixed traffic in rounds: pictures of every size, batches, explanations, and one request in twenty hostile.

Each round holds the same requests in an order of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from drills.client import Answer, ask, upload
from tests.hostile import hostile_files
from tests.pictures import faceless, portrait

ROUND = 100
HOSTILE = 5
"""Requests of a round that are hostile; all hostile files have had their turn after some rounds."""

PATIENT = {
    "QUEUE_SIZE": 2000,
    "QUEUE_TIMEOUT_SECONDS": 120,
    "REQUEST_TIMEOUT_SECONDS": 120,
    "BODY_TIMEOUT_SECONDS": 120,
    "BODY_MEMORY_MB": 1024,
}
"""Settings under which a machine that is busy with something else sheds nothing."""


@dataclass
class Tally:
    """What came back."""

    statuses: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    unexpected: int = 0
    """Answers that are a 5xx or missing."""

    def add(self, answer: Answer) -> None:
        self.statuses[str(answer.status or "lost")] += 1
        self.slowest = max(self.slowest, answer.seconds)
        self.unexpected += not 0 < answer.status < 500

    def __str__(self) -> str:
        return ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))


def rounds() -> Iterator[list[bytes]]:
    """The requests of one round after another, without end."""
    chance = random.Random(1)
    hostile = itertools.cycle([upload("/predict", file.data) for file in hostile_files() if len(file.data) < 1_000_000])
    honest = _honest()
    while True:
        requests = [next(hostile) for _ in range(HOSTILE)]
        requests += itertools.islice(itertools.cycle(honest), ROUND - HOSTILE)
        chance.shuffle(requests)
        yield requests


def _honest() -> list[bytes]:
    """Twenty of the common kinds; some are there several times because they are common."""
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
    """Sends requests at a steady rate, whether or not the earlier ones are answered; ends when all of them are."""
    started = time.monotonic()
    tasks = []
    for number, request in enumerate(requests):
        await asyncio.sleep(max(started + number / rate - time.monotonic(), 0))
        tasks.append(asyncio.create_task(_tell(port, request, tally)))
    await asyncio.gather(*tasks)


async def by_clients(port: int, requests: list[bytes], clients: int, tally: Tally) -> None:
    """Sends requests by clients that each ask again as soon as they have their answer."""
    left = iter(requests)

    async def client() -> None:
        for request in left:
            await _tell(port, request, tally)

    await asyncio.gather(*(client() for _ in range(clients)))


async def _tell(port: int, request: bytes, tally: Tally) -> None:
    tally.add(await ask(port, request))
