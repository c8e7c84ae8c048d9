"""The local engine: threads that read ahead, threads that predict, and the rows of each part when it is whole.

A thread of prediction owns a pipeline, as a worker of the service does; the libraries release the interpreter's lock
for nearly all of their time. Threads hand items over in queues that are written in C: a picture that is handed over
costs microseconds, and none waits for the part before it to be written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Final

from app.config import Settings
from app.inference.registry import Registry
from app.memory_budget import process_memory
from app.pipeline import Pipeline
from app.service import Factories
from app.system import configure_allocator, usable_workers
from app.vision.detectors import PASS_BYTES, BadDetector
from app.vision.mesh import MeshLoader
from bulk.rows import Row
from bulk.sources import Item, Unreadable, is_url
from bulk.stops import Stop

_READERS: Final = 4
_READERS_OF_STORES: Final = 32
"""Threads that read: few from a disk, many where each file takes a request."""
_AHEAD_A_READER: Final = 4
_PARTS_AHEAD: Final = 16

Loaded = bytes | Unreadable
"""The bytes of an item, or why there are none. Those of a video are read by the thread that predicts."""

Score = Callable[[Pipeline, "Part", int, Loaded], list[Row]]
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


class LocalEngine:
    """Runs items on all cores. ``run`` keeps a bounded number of pictures in memory, whatever the length of the run."""

    def __init__(self, settings: Settings, registry: Registry, workers: int | None = None) -> None:
        self.registry = registry
        memory = process_memory()
        memory.limit_mb = settings.memory_limit_mb
        self.workers = workers or settings.workers or usable_workers(memory.limit)
        memory.reserved = self.workers * PASS_BYTES
        memory.follow()
        self._settings = settings
        self.mesh = MeshLoader(settings.models_dir, self.workers, enabled=settings.details != "off")
        self._idle: SimpleQueue[Pipeline | None] = SimpleQueue()
        for _ in range(self.workers):
            self._idle.put(None)
        configure_allocator()

    def run(self, parts: Sequence[Part], score: Score, largest: int) -> Iterator[tuple[Part, list[Row]]]:
        """The rows of each part, in the order in which parts become whole. Raises what ``score`` raises."""
        stores = any(is_url(part.items[0].location) for part in parts)
        run = _Run(parts, score, largest, _READERS_OF_STORES if stores else _READERS, self.workers)
        run.start(self._predict)
        try:
            yield from run.finished()
        finally:
            run.stop()

    def _predict(self, run: _Run) -> None:
        """What a thread of prediction does."""
        pipeline = self._idle.get()
        try:
            pipeline = pipeline or Factories().build_pipeline(self._settings, self.mesh)
            run.predict(pipeline)
        except BadDetector as error:
            raise Stop(f"MODELS_DIR: {error}.") from None
        finally:
            self._idle.put(pipeline)


@dataclass(slots=True)
class _Pending:
    """A part under way: the rows of each of its items, and how many of them are missing."""

    part: Part
    rows: list[list[Row]]
    missing: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, number: int, rows: list[Row]) -> bool:
        """Whether the part is whole."""
        self.rows[number] = rows
        with self.lock:
            self.missing -= 1
            return self.missing == 0


class _Run:
    """One run of the engine: its threads and the queues between them."""

    def __init__(self, parts: Sequence[Part], score: Score, largest: int, readers: int, workers: int) -> None:
        self._parts, self._score, self._largest = parts, score, largest
        self._readers, self._workers = readers, workers
        self._stopped = False
        self._items = self._each_item()
        self._lock = threading.Lock()
        self._room: SimpleQueue[None] = SimpleQueue()
        self._room_for_parts = threading.Semaphore(max(_PARTS_AHEAD, 2 * workers))
        self._loaded: SimpleQueue[tuple[_Pending, int, Loaded] | None] = SimpleQueue()
        self._whole: SimpleQueue[_Pending | BaseException] = SimpleQueue()
        for _ in range(readers * _AHEAD_A_READER):
            self._room.put(None)

    def start(self, predict: Callable[[_Run], None]) -> None:
        for number in range(self._readers):
            self._thread(f"read-{number}", self._read)
        for number in range(self._workers):
            self._thread(f"predict-{number}", lambda: predict(self))

    def finished(self) -> Iterator[tuple[Part, list[Row]]]:
        for _ in self._parts:
            pending = self._whole.get()
            if isinstance(pending, BaseException):
                raise pending
            yield pending.part, [row for rows in pending.rows for row in rows]
            self._room_for_parts.release()

    def stop(self) -> None:
        """Ends the threads, each after the item that it has. None is waited for: that item is done again."""
        self._stopped = True
        self._room_for_parts.release(self._readers)
        for _ in range(self._readers):
            self._room.put(None)
        for _ in range(self._workers):
            self._loaded.put(None)

    def predict(self, pipeline: Pipeline) -> None:
        """What a thread of prediction does with its pipeline."""
        while (loaded := self._loaded.get()) is not None and not self._stopped:
            self._predict_one(pipeline, *loaded)
            # The bytes are given up before there is room for others.
            del loaded
            self._room.put(None)

    def _predict_one(self, pipeline: Pipeline, pending: _Pending, number: int, loaded: Loaded) -> None:
        if pending.add(number, self._score(pipeline, pending.part, number, loaded)):
            self._whole.put(pending)

    def _read(self) -> None:
        """What a thread that reads does."""
        while not self._stopped:
            self._room.get()
            with self._lock:
                pending, number = next(self._items, (None, 0))
            if pending is None:
                return
            self._loaded.put((pending, number, _loaded(pending.part.items[number], self._largest)))

    def _thread(self, name: str, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # The thread that waits for the rows raises it.
                self._whole.put(error)

        threading.Thread(target=run, name=name, daemon=True).start()

    def _each_item(self) -> Iterator[tuple[_Pending, int]]:
        for part in self._parts:
            # Parts that wait to be written are bounded too.
            self._room_for_parts.acquire()
            if self._stopped:
                return
            count = len(part.items)
            pending = _Pending(part, [[] for _ in range(count)], count)
            yield from ((pending, number) for number in range(count))


def _loaded(item: Item, largest: int) -> Loaded:
    if item.is_video:
        return b""
    try:
        return item.load(largest)
    except Unreadable as error:
        return error.with_traceback(None)
