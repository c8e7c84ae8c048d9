"""The local engine: threads that read ahead, threads that predict, and the rows of each part in order.

A thread of prediction owns a pipeline, as a worker of the service does; the libraries release the interpreter's lock
for nearly all of their time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from app.config import Settings
from app.inference.registry import Registry
from app.memory_budget import process_memory
from app.pipeline import Pipeline
from app.service import Factories
from app.system import usable_cores
from app.vision.mesh import MeshLoader
from bulk.rows import Row
from bulk.sources import Item, Unreadable

_READERS: Final = 8
_AHEAD_A_WORKER: Final = 8
_RETRY_SECONDS: Final = 0.01

Load = Callable[[], bytes]
Score = Callable[["Worker", "Part", int, Load], list[Row]]
"""The rows of one item of a part, by its number there: what is run on a worker's thread."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive items whose rows make one file."""

    number: int
    start: int
    items: Sequence[Item]

    @property
    def is_video(self) -> bool:
        """Whether it is one video, which has a part to itself."""
        return self.items[0].is_video


class Worker:
    """What one thread of prediction owns."""

    def __init__(self, settings: Settings, mesh: MeshLoader) -> None:
        self.pipeline: Pipeline = Factories().build_pipeline(settings, mesh)


class LocalEngine:
    """Runs items on all cores. ``run`` keeps a bounded number of pictures in memory, whatever the length of the run."""

    def __init__(self, settings: Settings, registry: Registry, workers: int | None = None) -> None:
        self.registry = registry
        self.workers = workers or settings.workers or usable_cores()
        self._settings = settings
        self._mesh = MeshLoader(settings.models_dir, self.workers, enabled=settings.details != "off")
        self._local = threading.local()
        process_memory().total = max(process_memory().total, 150_000_000 * self.workers)

    @property
    def mesh(self) -> MeshLoader:
        return self._mesh

    def run(self, parts: Iterable[Part], score: Score, largest: int) -> Iterator[tuple[Part, list[Row]]]:
        """The rows of each part, in order of the parts."""
        ahead = threading.Semaphore(self.workers * _AHEAD_A_WORKER)
        with ThreadPoolExecutor(_READERS, "read") as readers, ThreadPoolExecutor(self.workers, "predict") as workers:

            def submit(part: Part, number: int) -> Future[list[Row]]:
                ahead.acquire()
                item = part.items[number]
                # A video is read piece by piece, by the thread that predicts.
                bytes_ahead = None if item.is_video else readers.submit(item.load, largest)
                load = bytes_ahead.result if bytes_ahead is not None else _nothing
                future = workers.submit(self._run, score, part, number, load)
                future.add_done_callback(lambda _: ahead.release())
                return future

            started: deque[tuple[Part, list[Future[list[Row]]]]] = deque()
            try:
                for part in parts:
                    started.append((part, [submit(part, number) for number in range(len(part.items))]))
                    while len(started) > 1 and all(future.done() for future in started[0][1]):
                        yield _finished(*started.popleft())
                while started:
                    yield _finished(*started.popleft())
            except BaseException:
                readers.shutdown(wait=False, cancel_futures=True)
                workers.shutdown(wait=False, cancel_futures=True)
                raise

    def _run(self, score: Score, part: Part, number: int, load: Load) -> list[Row]:
        if not hasattr(self._local, "worker"):
            self._local.worker = Worker(self._settings, self._mesh)
        return score(self._local.worker, part, number, load)


def _finished(part: Part, futures: Sequence[Future[list[Row]]]) -> tuple[Part, list[Row]]:
    return part, [row for future in futures for row in future.result()]


def _nothing() -> bytes:
    raise Unreadable("A video is not read at once.")


def wait_for_memory() -> None:
    """Waits a moment while other threads hold the memory that a picture needs."""
    time.sleep(_RETRY_SECONDS)
