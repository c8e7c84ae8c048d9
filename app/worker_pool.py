"""The worker threads: each owns a pipeline and does one job at a time, taken from a bounded queue.

The event loop asks for room, waits for results and supervises; it never does a job itself. A job runs from start
to end on one thread. What nobody waits for any more is taken out of the queue, or stopped at its next checkpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from app.errors import InternalError, Overloaded, Timeout
from app.system import pin_thread

if TYPE_CHECKING:
    from app.pipeline import Checkpoint, Pipeline

T = TypeVar("T")

logger = logging.getLogger("visage.workers")

_TICK = 0.25
_FIRST_RETRY = 1.0
_LAST_RETRY = 30.0
_SMOOTHING = 0.1
_LONGEST_RETRY_AFTER = 60.0
_NICENESS = 5
"""How far workers stand back behind the event loop, which answers probes and turns requests away."""


class ClientLeft(Exception):
    """Nobody waits for the answer: the client has closed its connection."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How much a pool takes on, in requests and seconds."""

    workers: int
    queue_size: int
    queue_timeout: float
    request_timeout: float
    hang_grace: float = 5.0
    """A job that still runs this long after its request's deadline has hung, and its thread with it."""
    saturated_after: float = 1.0
    """A queue that stays full this long makes the service unready."""
    cores: tuple[int, ...] = ()
    """A core for each worker to stay on; empty where they run on whichever is free."""
    body_grace: float = 0.25
    """A place is expected to be taken by a request that was let in this short a time ago."""


class Ticket:
    """One admitted request: how long it may take, and whether anybody still waits for it.

    A ticket may run several jobs. It competes for a place in the queue with the first of them only.
    """

    __slots__ = ("_jobs", "_left", "admitted", "deadline", "waited_ms")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.admitted = False
        self.waited_ms = 0.0
        self._left = False
        self._jobs: set[_Job] = set()

    def check(self) -> None:
        """Raises when the answer is not wanted any more. Safe from any thread."""
        if self._left:
            raise ClientLeft
        if time.monotonic() >= self.deadline:
            raise Timeout

    def leave(self) -> None:
        """The client has gone: drops what waits, and stops what runs at its next checkpoint. Event loop only."""
        self._left = True
        for job in tuple(self._jobs):
            job.settle(ClientLeft())


class _Job:
    """One piece of work of a ticket, and the future that its caller waits for."""

    __slots__ = ("enqueued", "future", "started", "ticket", "timer", "work")

    def __init__(
        self, ticket: Ticket, work: Callable[[Pipeline, Checkpoint], Any], future: asyncio.Future[Any]
    ) -> None:
        self.ticket = ticket
        self.work = work
        self.future = future
        self.enqueued = time.monotonic()
        self.started = False
        self.timer: asyncio.TimerHandle | None = None

    def check(self) -> None:
        if self.future.done():
            raise ClientLeft
        self.ticket.check()

    def settle(self, error: BaseException | None, result: object = None) -> None:
        """Answers the caller once; whatever comes later is dropped. Event loop only."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class _Worker:
    """One thread and what it is doing. ``job`` changes under the pool's lock."""

    __slots__ = ("abandoned", "core", "job", "ready", "thread")

    def __init__(self, core: int | None) -> None:
        self.core = core
        self.thread: threading.Thread | None = None
        self.ready = False
        self.abandoned = False
        self.job: _Job | None = None


def _ignore(_reason: str) -> None:
    """Nobody counts what is shed."""


class WorkerPool:
    """Threads that live as long as the service, each with a pipeline that it built itself."""

    def __init__(
        self,
        factory: Callable[[], Pipeline],
        limits: PoolLimits,
        *,
        on_shed: Callable[[str], None] = _ignore,
    ) -> None:
        self._factory = factory
        self._limits = limits
        self._on_shed = on_shed
        self._changed = threading.Condition(threading.Lock())
        self._queue: deque[_Job] = deque()
        self._workers: list[_Worker] = []
        self._hung: list[_Worker] = []
        self._busy = 0
        self._expected: dict[Ticket, float] = {}
        self._service_time = 0.0
        self._full_since: float | None = None
        self._retry_in = _FIRST_RETRY
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._warm = asyncio.Event()
        self.restarts = 0
        self.failure: str | None = None
        """Why no pipeline could be built, in one sentence; None when the last one could."""

    # What the service asks.

    @property
    def size(self) -> int:
        """Workers that there should be."""
        return self._limits.workers

    @property
    def live(self) -> int:
        """Workers that can take a job or are at one."""
        return sum(worker.ready for worker in self._workers)

    @property
    def busy(self) -> int:
        return self._busy

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def ready(self) -> bool:
        """Warm, and at least one worker lives."""
        return self._warm.is_set() and self.live > 0

    @property
    def saturated(self) -> bool:
        """The queue has been full for a while."""
        return self._full_since is not None and time.monotonic() - self._full_since > self._limits.saturated_after

    @property
    def stuck(self) -> bool:
        """So many threads have hung that only a new process helps."""
        return len(self._hung) > 2 * self.size

    @property
    def retry_after(self) -> float:
        """Seconds until the queue, at its recent pace, will have been worked off."""
        pending = len(self._queue) + 1
        return min(max(math.ceil(pending * self._service_time / self.size), 1.0), _LONGEST_RETRY_AFTER)

    @property
    def room(self) -> int:
        """Requests that would get a place if they came now. Taken only when their jobs are run.

        Places that others are about to take do not count: their bodies would be read for nothing. A body that is
        slow to arrive loses that claim, so it keeps nobody out.
        """
        now = time.monotonic()
        while self._expected and next(iter(self._expected.values())) <= now:
            del self._expected[next(iter(self._expected))]
        return max(self._room() - len(self._expected), 0)

    def ticket(self, deadline: float | None = None) -> Ticket:
        """A ticket for one request; ``deadline`` is a time of ``time.monotonic``. Event loop only."""
        now = time.monotonic()
        ticket = Ticket(now + self._limits.request_timeout if deadline is None else deadline)
        self._expected[ticket] = now + self._limits.body_grace
        return ticket

    def release(self, ticket: Ticket) -> None:
        """Expects no job of this ticket any more."""
        self._expected.pop(ticket, None)

    async def run(self, ticket: Ticket, work: Callable[[Pipeline, Checkpoint], T]) -> T:
        """Does ``work`` on a worker thread.

        Raises Overloaded when there is no place or none came free in time, Timeout when the ticket's deadline
        passes, ClientLeft when nobody waits, InternalError when the thread dies, and what ``work`` raises.
        """
        ticket.check()
        loop = asyncio.get_running_loop()
        job = _Job(ticket, work, loop.create_future())
        patience = ticket.deadline - job.enqueued
        if not ticket.admitted:
            patience = min(patience, self._limits.queue_timeout)
        self._enqueue(job)
        job.timer = loop.call_later(patience, self._expire, job)
        ticket._jobs.add(job)
        try:
            result: T = await job.future
            return result
        finally:
            job.timer.cancel()
            ticket._jobs.discard(job)
            self._withdraw(job)

    # Its life, on the event loop.

    async def start(self) -> None:
        """Starts the threads; :meth:`warm` tells when each has its pipeline."""
        self._loop = asyncio.get_running_loop()
        for _ in range(self.size):
            self._hire()
        self._timer = self._loop.call_later(_TICK, self._tick)

    async def warm(self) -> None:
        await self._warm.wait()

    async def stop(self) -> None:
        """Lets the threads end after the job they are at. A thread that has hung is left to die with the process."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._timer is not None:
            self._timer.cancel()
        threads = [worker.thread for worker in self._workers if worker.thread is not None]
        await asyncio.to_thread(_join, threads, 2.0)

    def _room(self) -> int:
        return self._limits.queue_size + self.live - self._busy - len(self._queue)

    def _enqueue(self, job: _Job) -> None:
        self.release(job.ticket)
        with self._changed:
            if job.ticket.admitted or self._room() > 0:
                job.ticket.admitted = True
                self._queue.append(job)
                self._changed.notify()
                return
        self._on_shed("queue_full")
        raise Overloaded(retry_after=self.retry_after)

    def _withdraw(self, job: _Job) -> bool:
        """Takes a job that has not started out of the queue."""
        if job.started:
            return False
        with self._changed:
            if job.started:
                return False
            try:
                self._queue.remove(job)
            except ValueError:
                return False
            return True

    def _expire(self, job: _Job) -> None:
        left = job.ticket.deadline - time.monotonic()
        if self._withdraw(job) and left > 0:
            self._on_shed("queue_timeout")
            job.settle(Overloaded(retry_after=self.retry_after))
        elif left > 0 and self._loop is not None:
            job.timer = self._loop.call_later(left, self._expire, job)
        else:
            self._on_shed("timeout")
            job.settle(Timeout(retry_after=self.retry_after))

    def _hire(self) -> None:
        taken = {worker.core for worker in self._workers}
        worker = _Worker(next((core for core in self._limits.cores if core not in taken), None))
        worker.thread = threading.Thread(target=self._serve, args=(worker,), name="visage-worker", daemon=True)
        self._workers.append(worker)
        worker.thread.start()

    def _rehire(self) -> None:
        if not self._stopping and len(self._workers) < self.size:
            self._hire()

    def _tick(self) -> None:
        """Looks for threads that have hung or vanished, and notes how long the queue has been full."""
        now = time.monotonic()
        for worker in tuple(self._workers):
            job = worker.job
            if worker.thread is not None and not worker.thread.is_alive():
                self._gone(worker)
            elif job is not None and now > job.ticket.deadline + self._limits.hang_grace:
                self._abandon(worker, job)
        self._hung = [worker for worker in self._hung if worker.thread is not None and worker.thread.is_alive()]
        full = len(self._queue) >= 0.9 * self._limits.queue_size if self._limits.queue_size else self._room() <= 0
        self._full_since = (self._full_since or now) if full else None
        if self._loop is not None:
            self._timer = self._loop.call_later(_TICK, self._tick)

    def _abandon(self, worker: _Worker, job: _Job) -> None:
        with self._changed:
            if worker.job is not job:
                return
            worker.abandoned = True
            worker.ready = False
            self._busy -= 1
        logger.error("A worker hung and was replaced.")
        self._hung.append(worker)
        job.settle(Timeout())
        self._replace(worker)

    def _gone(self, worker: _Worker) -> None:
        """A thread has ended. Its request is answered and another thread takes its place."""
        if worker not in self._workers:
            return
        worker.ready = False
        with self._changed:
            job, worker.job = worker.job, None
            if job is not None:
                self._busy -= 1
        if job is not None:
            job.settle(InternalError())
        if not self._stopping:
            logger.error("A worker died and was replaced.")
            self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self.restarts += 1
        self._rehire()

    def _built(self, worker: _Worker) -> None:
        worker.ready = not worker.abandoned
        self.failure = None
        self._retry_in = _FIRST_RETRY
        if self.live == self.size:
            self._warm.set()

    def _unbuilt(self, worker: _Worker, error: Exception) -> None:
        self.failure = f"A worker could not start: {error}"
        logger.error("%s. The next try is in %.0f s.", self.failure, self._retry_in)
        self._workers.remove(worker)
        if self._loop is not None:
            self._loop.call_later(self._retry_in, self._rehire)
        self._retry_in = min(2 * self._retry_in, _LAST_RETRY)

    # On the worker's thread.

    def _serve(self, worker: _Worker) -> None:
        _stand_back()
        if worker.core is not None:
            pin_thread(worker.core)
        try:
            pipeline = self._factory()
        except Exception as error:
            self._tell(self._unbuilt, worker, error)
            return
        self._tell(self._built, worker)
        try:
            while self._turn(worker, pipeline):
                pass
        except BaseException as error:
            # What escapes a job, such as SystemExit, ends the thread and never the process.
            logger.error("A worker's thread was ended by %s.", type(error).__name__)
        self._tell(self._gone, worker)

    def _turn(self, worker: _Worker, pipeline: Pipeline) -> bool:
        """Waits for one job and does it. Its picture and its result are let go before the next wait."""
        job = self._next(worker)
        if job is None:
            return False
        result, error = None, None
        started = time.monotonic()
        job.ticket.waited_ms += (started - job.enqueued) * 1000
        try:
            job.check()
            result = job.work(pipeline, job.check)
        except Exception as caught:
            error = caught
        took = time.monotonic() - started
        with self._changed:
            if worker.abandoned:
                return False
            worker.job = None
            self._busy -= 1
            if error is None:
                self._service_time += (_SMOOTHING if self._service_time else 1.0) * (took - self._service_time)
        self._tell(job.settle, error, result)
        # The error's traceback refers to this frame, which would keep both alive until the next collection.
        del error
        return True

    def _next(self, worker: _Worker) -> _Job | None:
        with self._changed:
            while not self._queue:
                if self._stopping or worker.abandoned:
                    return None
                self._changed.wait()
            job = self._queue.popleft()
            job.started = True
            worker.job = job
            self._busy += 1
            return job

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        """Runs a callback on the event loop; a loop that has closed has nobody left to tell."""
        if self._loop is not None and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(callback, *arguments)
            except RuntimeError:
                logger.debug("The event loop closed before a worker's last word.")


def _stand_back() -> None:
    """Lowers the priority of this thread, and of those that its libraries start from it. Linux only: elsewhere a
    priority is the whole process's."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        # A sandbox may forbid it; then the workers are as they were.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS)


def _join(threads: list[threading.Thread], patience: float) -> None:
    until = time.monotonic() + patience
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
