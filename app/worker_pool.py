"""Worker threads: each owns a pipeline and runs one job at a time, taken from a bounded queue.

The event loop admits requests, waits for results and supervises the threads; it never runs a job itself. A job runs
from start to end on one thread. A job that nobody waits for is removed from the queue, or stops at its next checkpoint.
A job that raises NotEnoughMemory waits before the rest of the queue and runs again when there is enough, the smallest
first; the worker takes the next one meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from app.errors import InternalError, Overloaded, Timeout, VisageError
from app.memory_budget import MemoryBudget, NotEnoughMemory, process_memory
from app.system import lower_priority, pin_thread

if TYPE_CHECKING:
    from app.pipeline import Checkpoint, Pipeline

T = TypeVar("T")

logger = logging.getLogger("visage.workers")

_SUPERVISION_INTERVAL = 0.25
_BUILD_RETRY = 5.0
_SMOOTHING = 0.1
_LONGEST_RETRY_AFTER = 60.0
_STOP_TIMEOUT = 2.0
_REMEMBERED = 1.0
"""Seconds after which what streams and requests took of the workers counts e times less."""
_IDLE_REQUESTS = 0.001
"""Seconds of the workers' time below which requests count as absent."""
_MEMORY_INTERVAL = 0.02
"""Seconds after which a worker without a job looks again whether there is memory for one."""
_MOST_GATHERED = 8
_LONGEST_GATHERING = 0.02
"""How many results, and for how many seconds, are gathered at most for the event loop while as many jobs wait."""


class ClientDisconnected(Exception):
    """Nobody waits for the result: the client has closed its connection."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How much a pool accepts, in requests and seconds."""

    workers: int
    queue_size: int
    queue_timeout: float
    request_timeout: float
    hang_grace: float = 5.0
    """A job that still runs this long after its deadline counts as hung, and its thread with it."""
    saturated_after: float = 1.0
    """A queue that stays full this long makes the service unready."""
    cores: tuple[int, ...] = ()
    """One core for each worker to stay on; empty: the kernel places them."""
    body_grace: float = 0.25
    """A reserved place is held this long, until the request's body has arrived."""
    stream_share: float = 0.5
    """The share of the workers' time that streams get while requests wait."""


@dataclass(slots=True, eq=False)
class Reservation:
    """One admitted request: its deadline, and whether its client still waits.

    A reservation may run several jobs. Only the first of them competes for a place in the queue.
    """

    deadline: float
    admitted: bool = False
    _cancelled: bool = False
    _jobs: set[_Job] = field(default_factory=set)

    def check(self) -> None:
        """Raises when the result is not wanted any more. Safe from any thread."""
        if self._cancelled:
            raise ClientDisconnected
        if time.monotonic() >= self.deadline:
            raise Timeout

    def cancel(self) -> None:
        """The client has disconnected: drops waiting jobs and stops running ones at their next checkpoint.

        Event loop only.
        """
        self._cancelled = True
        for job in tuple(self._jobs):
            job.resolve(ClientDisconnected())


@dataclass(slots=True, eq=False)
class _Job:
    """One piece of work of a reservation, and the future that its caller awaits."""

    reservation: Reservation
    work: Callable[[Pipeline, Checkpoint], Any]
    future: asyncio.Future[Any]
    stream: bool = False
    timer: asyncio.TimerHandle | None = None
    memory: int = 0
    """Bytes that must be free before it runs again."""

    def check(self) -> None:
        """The checkpoint of the work. Runs on the worker's thread."""
        if self.future.done():
            raise ClientDisconnected
        self.reservation.check()

    def resolve(self, error: BaseException | None, result: object = None) -> None:
        """Gives the caller its result or error. Only the first call counts. Event loop only."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


@dataclass(slots=True, eq=False)
class _Worker:
    """One thread and its job. ``job`` and ``abandoned`` change under the pool's lock."""

    core: int | None
    thread: threading.Thread = field(init=False)
    ready: bool = False
    abandoned: bool = False
    job: _Job | None = None


class _Shares:
    """How much of the workers' time streams and requests took lately. Decides who may have the next worker.

    While there are requests, streams get their share of the workers at most, so that one is free for the next request.
    """

    def __init__(self, stream_share: float) -> None:
        self._stream_share = stream_share
        self._streams = 0.0
        self._requests = 0.0
        self._at = time.monotonic()

    def add(self, seconds: float, *, stream: bool) -> None:
        self._forget()
        self._streams += stream * min(seconds, _REMEMBERED)
        self._requests += (not stream) * min(seconds, _REMEMBERED)

    def streams_next(self) -> bool:
        """Whether streams come before requests where both wait."""
        return self._streams * (1 - self._stream_share) < self._requests * self._stream_share

    def most_for_streams(self, workers: int) -> int:
        """How many workers may read frames at the same time."""
        self._forget()
        if self._requests < _IDLE_REQUESTS:
            return workers
        return max(int(self._stream_share * workers), 1)

    def _forget(self) -> None:
        now = time.monotonic()
        kept = math.exp((self._at - now) / _REMEMBERED)
        self._at = now
        self._streams *= kept
        self._requests *= kept


class WorkerPool:
    """Threads that live as long as the service, each with a pipeline that it built itself.

    Frames of streams wait in a queue of their own, one a stream, and take no place in that of the requests.

    ``on_shed`` is told the reason of each request that is refused or times out. ``memory`` is what jobs take from.
    """

    def __init__(
        self,
        factory: Callable[[], Pipeline],
        limits: PoolLimits,
        *,
        on_shed: Callable[[str], None] = lambda _reason: None,
        memory: MemoryBudget | None = None,
    ) -> None:
        self._factory = factory
        self._limits = limits
        self._on_shed = on_shed
        self._memory = memory or process_memory()
        self._changed = threading.Condition(threading.Lock())
        self._queue: deque[_Job] = deque()
        self._stream_queue: deque[_Job] = deque()
        self._shares = _Shares(limits.stream_share)
        self._workers: list[_Worker] = []
        self._hung: list[_Worker] = []
        self._finished: list[tuple[_Job, BaseException | None, object]] = []
        self._delivery: asyncio.TimerHandle | None = None
        self._reserved: dict[Reservation, float] = {}
        self._service_time = 0.0
        self._full_since: float | None = None
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._supervision: asyncio.Task[None] | None = None
        self._warm = asyncio.Event()
        self.restarts = 0
        self.failure: str | None = None
        """Why a pipeline could not be built, in one sentence; None when the last one could."""

    @property
    def size(self) -> int:
        """Workers that there should be."""
        return self._limits.workers

    @property
    def live(self) -> int:
        """Workers that can take a job or are running one."""
        return sum(worker.ready for worker in self._workers)

    @property
    def busy(self) -> int:
        return len(self._running())

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def ready(self) -> bool:
        """All workers have built their pipelines once, and at least one is alive."""
        return self._warm.is_set() and self.live > 0

    @property
    def saturated(self) -> bool:
        """The queue has been full for a while."""
        return self._full_since is not None and time.monotonic() - self._full_since > self._limits.saturated_after

    @property
    def stuck(self) -> bool:
        """So many threads have hung that only a restart of the process helps."""
        return len(self._hung) > 2 * self.size

    @property
    def retry_after(self) -> float:
        """Seconds until the queue is empty, at its recent pace."""
        pending = len(self._queue) + 1
        return min(max(math.ceil(pending * self._service_time / self.size), 1.0), _LONGEST_RETRY_AFTER)

    @property
    def room(self) -> int:
        """Requests that would get a place in the queue or a worker now, without the places that are reserved.

        A reservation expires after ``body_grace``, so a slow body keeps nobody out.
        """
        now = time.monotonic()
        while self._reserved and next(iter(self._reserved.values())) <= now:
            del self._reserved[next(iter(self._reserved))]
        return max(self._free_places() - len(self._reserved), 0)

    def reserve(self, deadline: float | None = None) -> Reservation:
        """Reserves a place for one request; ``deadline`` is a time of ``time.monotonic``. Event loop only."""
        now = time.monotonic()
        reservation = Reservation(now + self._limits.request_timeout if deadline is None else deadline)
        self._reserved[reservation] = now + self._limits.body_grace
        return reservation

    def release(self, reservation: Reservation) -> None:
        """Gives a reserved place back."""
        self._reserved.pop(reservation, None)

    def reserve_frame(self) -> Reservation:
        """A reservation for one frame of a stream, which needs no place in the queue of requests."""
        return Reservation(time.monotonic() + self._limits.request_timeout, admitted=True)

    async def run(
        self, reservation: Reservation, work: Callable[[Pipeline, Checkpoint], T], *, stream: bool = False
    ) -> T:
        """Runs ``work`` on a worker thread and returns what it returns, or raises what it raises.

        Raises Overloaded when there is no place or no worker becomes free in time, Timeout when the deadline passes,
        ClientDisconnected when the client has gone, and InternalError when the thread dies.
        """
        reservation.check()
        loop = asyncio.get_running_loop()
        job = _Job(reservation, work, loop.create_future(), stream)
        longest_wait = reservation.deadline - time.monotonic()
        if not reservation.admitted:
            longest_wait = min(longest_wait, self._limits.queue_timeout)
        self._enqueue(job)
        job.timer = loop.call_later(longest_wait, self._expire, job)
        reservation._jobs.add(job)
        try:
            result: T = await job.future
            return result
        except BaseException:
            # It may still wait there; a job with a result does not.
            self._remove_from_queue(job)
            raise
        finally:
            job.timer.cancel()
            reservation._jobs.discard(job)
            # The traceback of an error refers to this frame, and the job to the error: a cycle that holds the pictures.
            del job

    async def start(self) -> None:
        """Starts the threads; :meth:`warm` waits until each has its pipeline."""
        self._loop = asyncio.get_running_loop()
        for _ in range(self.size):
            self._start_worker()
        self._supervision = asyncio.create_task(self._supervise())

    async def warm(self) -> None:
        await self._warm.wait()

    async def stop(self) -> None:
        """Lets each thread end after its job. A hung thread ends with the process."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._supervision is not None:
            self._supervision.cancel()
        await asyncio.to_thread(_join, [worker.thread for worker in self._workers])

    # The queue. These methods run on the event loop.

    def _free_places(self) -> int:
        requests = sum(not job.stream for job in self._running())
        return self._limits.queue_size + self.live - requests - len(self._queue)

    def _running(self) -> list[_Job]:
        return [job for worker in self._workers if (job := worker.job) is not None]

    def _enqueue(self, job: _Job) -> None:
        self.release(job.reservation)
        with self._changed:
            if job.reservation.admitted or self._free_places() > 0:
                job.reservation.admitted = True
                self._queue_of(job).append(job)
                self._changed.notify()
                return
        self._on_shed("queue_full")
        raise Overloaded(retry_after=self.retry_after)

    def _remove_from_queue(self, job: _Job) -> bool:
        """Whether the job was waiting."""
        with self._changed:
            queue = self._queue_of(job)
            waiting = job in queue
            if waiting:
                queue.remove(job)
            return waiting

    def _queue_of(self, job: _Job) -> deque[_Job]:
        return self._stream_queue if job.stream else self._queue

    def _expire(self, job: _Job) -> None:
        """The job has waited too long, or its deadline has passed."""
        left = job.reservation.deadline - time.monotonic()
        was_waiting = self._remove_from_queue(job)
        if left <= 0:
            self._on_shed("timeout")
            job.resolve(Timeout(retry_after=self.retry_after))
        elif was_waiting:
            self._on_shed("queue_timeout")
            job.resolve(Overloaded(retry_after=self.retry_after))
        else:
            job.timer = job.future.get_loop().call_later(left, self._expire, job)

    # The results. These methods run on the event loop.

    def _deliver_later(self) -> None:
        if self._delivery is None:
            self._delivery = asyncio.get_running_loop().call_later(_LONGEST_GATHERING, self._deliver)

    def _deliver(self) -> None:
        """Gives the callers the results that were gathered."""
        if self._delivery is not None:
            self._delivery.cancel()
            self._delivery = None
        with self._changed:
            finished, self._finished = self._finished, []
        for job, error, result in finished:
            job.resolve(error, result)

    # The supervision of the threads. These methods run on the event loop.

    def _start_worker(self) -> None:
        if self._stopping or len(self._workers) >= self.size:
            return
        taken = {worker.core for worker in self._workers}
        core = next((core for core in self._limits.cores if core not in taken), None)
        worker = _Worker(core)
        worker.thread = threading.Thread(target=self._run_worker, args=(worker,), name="visage-worker", daemon=True)
        self._workers.append(worker)
        try:
            worker.thread.start()
        except RuntimeError as error:
            # The system gives the process no more threads.
            self._on_start_failed(worker, error)

    async def _supervise(self) -> None:
        """Replaces hung workers, and tracks how long the queue has been full."""
        while True:
            await asyncio.sleep(_SUPERVISION_INTERVAL)
            now = time.monotonic()
            for worker in tuple(self._workers):
                job = worker.job
                if job is not None and now > job.reservation.deadline + self._limits.hang_grace:
                    self._replace_hung_worker(worker, job)
            self._hung = [worker for worker in self._hung if worker.thread.is_alive()]
            size = self._limits.queue_size
            full = len(self._queue) >= 0.9 * size if size else self._free_places() <= 0
            self._full_since = (self._full_since or now) if full else None

    def _replace_hung_worker(self, worker: _Worker, job: _Job) -> None:
        with self._changed:
            if worker.job is not job:
                return
            worker.abandoned = True
            worker.ready = False
            worker.job = None
        logger.error("A worker hung and was replaced.")
        self._hung.append(worker)
        job.resolve(Timeout())
        self._replace_worker(worker)

    def _on_worker_exit(self, worker: _Worker) -> None:
        """Answers the request of a thread that has ended, and starts another thread unless the pool is stopping."""
        if worker not in self._workers:
            return
        worker.ready = False
        with self._changed:
            job, worker.job = worker.job, None
        if job is not None:
            job.resolve(InternalError())
        if not self._stopping:
            logger.error("A worker died and was replaced.")
            self._replace_worker(worker)

    def _replace_worker(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self.restarts += 1
        self._start_worker()

    def _on_pipeline_built(self, worker: _Worker) -> None:
        worker.ready = not worker.abandoned
        self.failure = None
        if self.live == self.size:
            self._warm.set()

    def _on_start_failed(self, worker: _Worker, error: BaseException) -> None:
        self.failure = f"A worker could not start: {error}"
        logger.error("%s. The next try is in %.0f s.", self.failure, _BUILD_RETRY)
        self._workers.remove(worker)
        asyncio.get_running_loop().call_later(_BUILD_RETRY, self._start_worker)

    # The threads.

    def _run_worker(self, worker: _Worker) -> None:
        lower_priority()
        if worker.core is not None:
            pin_thread(worker.core)
        try:
            pipeline = self._factory()
        except BaseException as error:
            self._call_on_loop(self._on_start_failed, worker, error)
            return
        self._call_on_loop(self._on_pipeline_built, worker)
        try:
            while self._run_next_job(worker, pipeline):
                pass
        except BaseException as error:
            # What escapes a job, such as SystemExit, ends the thread and never the process.
            logger.error("A worker's thread was ended by %s.", type(error).__name__)
        self._call_on_loop(self._on_worker_exit, worker)

    def _run_next_job(self, worker: _Worker, pipeline: Pipeline) -> bool:
        """Waits for a job and runs it; False when the thread should end. Keeps no reference to the job afterwards."""
        job = self._next_job(worker)
        if job is None:
            return False
        result, error = None, None
        started = time.monotonic()
        try:
            job.check()
            result = job.work(pipeline, job.check)
        except NotEnoughMemory as caught:
            return self._run_again(worker, job, caught.size)
        except Exception as caught:
            error = caught
            if isinstance(error, VisageError):
                # Its traceback holds the picture, and nobody logs it.
                error.__traceback__ = error.__context__ = None
        took = time.monotonic() - started
        with self._changed:
            if worker.abandoned:
                return False
            worker.job = None
            self._shares.add(took, stream=job.stream)
            if error is None and not job.stream:
                self._service_time += (_SMOOTHING if self._service_time else 1.0) * (took - self._service_time)
            self._finished.append((job, error, result))
            gathered, waiting = len(self._finished), len(self._queue)
        self._hand_over(job, gathered, waiting)
        # The error's traceback refers to this frame: without this the picture would live until the next collection.
        del error
        return True

    def _hand_over(self, job: _Job, gathered: int, waiting: int) -> None:
        """Gives the event loop what jobs returned or raised: at once, or with that of the next jobs while jobs wait.

        Between two jobs the pipeline of another takes the processor's caches. What the loop does for several results in
        a row takes two thirds of the time.
        """
        if job.stream or gathered >= min(waiting, _MOST_GATHERED):
            self._call_on_loop(self._deliver)
        elif gathered == 1:
            self._call_on_loop(self._deliver_later)

    def _run_again(self, worker: _Worker, job: _Job, memory: int) -> bool:
        """Puts a job back into the queue until there is memory for it."""
        with self._changed:
            if worker.abandoned:
                return False
            worker.job = None
            if not job.future.done():
                job.memory = memory
                queue = self._queue_of(job)
                # The smaller first, so that large pictures of one client do not keep all others waiting.
                queue.insert(sum(0 < other.memory <= memory for other in queue), job)
            return True

    def _next_job(self, worker: _Worker) -> _Job | None:
        with self._changed:
            while not worker.abandoned:
                worker.job = self._take_from(self._stream_queue, self._queue)
                if worker.job is not None:
                    return worker.job
                waiting = self._queue or self._stream_queue
                if self._stopping and not waiting:
                    return None
                # What gives memory back tells nobody, since it may be the garbage collector on any thread. Nor does the
                # end of the time in which requests are remembered.
                self._changed.wait(_MEMORY_INTERVAL if waiting else None)
        return None

    # With the lock held.

    def _take_from(self, streams: deque[_Job], requests: deque[_Job]) -> _Job | None:
        """Takes the next job that there is memory for, if there is one."""
        may_stream = sum(job.stream for job in self._running()) < self._shares.most_for_streams(self.size)
        queues = (streams, requests) if self._shares.streams_next() else (requests, streams)
        for queue in queues if may_stream else (requests,):
            for job in queue:
                if not job.memory or self._memory.has_room(job.memory):
                    queue.remove(job)
                    return job
        return None

    def _call_on_loop(self, callback: Callable[..., None], *arguments: object) -> None:
        """Runs a callback on the event loop, or drops it when the loop has closed."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            logger.debug("The event loop closed before a worker ended.")


def _join(threads: list[threading.Thread]) -> None:
    until = time.monotonic() + _STOP_TIMEOUT
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
