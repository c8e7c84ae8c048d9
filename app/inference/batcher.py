"""One thread that feeds a GPU: all requests that wait become the next batch."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from app.inference.session import RawOutputs, Runner, Tensor

LARGEST_BATCH = 64
"""Most faces in one batch, unless a single request has more."""


@dataclass(frozen=True, slots=True)
class _Job:
    tensor: Tensor
    with_features: bool
    outputs: Future[RawOutputs] = field(default_factory=Future)


class Batcher:
    """A :class:`Runner` around another one, which it calls from one thread at a time.

    It adds no delay to fill a batch: requests gather while the batch before them runs. After ``close`` it still
    works, on each caller's own thread, so that requests can finish with a model that a reload has replaced.
    """

    def __init__(self, runner: Runner, largest_batch: int = LARGEST_BATCH) -> None:
        self._runner = runner
        self._largest_batch = largest_batch
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._running = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="batcher", daemon=True)
        self._thread.start()

    @property
    def providers(self) -> tuple[str, ...]:
        return self._runner.providers

    @property
    def waiting(self) -> int:
        """Requests that are in no batch yet."""
        return len(self._waiting)

    def run(self, tensor: Tensor, *, with_features: bool = False) -> RawOutputs:
        job = _Job(tensor, with_features)
        with self._changed:
            closed = self._closed
            if not closed:
                self._waiting.append(job)
                self._changed.notify()
        if closed:
            self._run([job])
        return job.outputs.result()

    def close(self) -> None:
        """Ends the thread after it has served all that wait."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _loop(self) -> None:
        while batch := self._next_batch():
            self._run(batch)

    def _next_batch(self) -> list[_Job]:
        """The oldest jobs that fit into one batch; empty when closed and done."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            batch: list[_Job] = []
            faces = 0
            while self._waiting and (not batch or faces + len(self._waiting[0].tensor) <= self._largest_batch):
                job = self._waiting.popleft()
                faces += len(job.tensor)
                batch.append(job)
            return batch

    def _run(self, batch: list[_Job]) -> None:
        try:
            results = self._outputs(batch)
        except Exception as error:
            if len(batch) == 1:
                batch[0].outputs.set_exception(error)
                return
            # The batch may be too large for the device, or one tensor of it bad: run each job alone.
            for job in batch:
                self._run([job])
            return
        for job, outputs in zip(batch, results, strict=True):
            job.outputs.set_result(outputs)

    def _outputs(self, batch: list[_Job]) -> list[RawOutputs]:
        tensor = batch[0].tensor if len(batch) == 1 else np.concatenate([job.tensor for job in batch])
        with self._running:
            raw = self._runner.run(tensor, with_features=any(job.with_features for job in batch))
        stops = list(accumulate(len(job.tensor) for job in batch))
        return [
            raw.part(stop - len(job.tensor), stop, with_features=job.with_features)
            for job, stop in zip(batch, stops, strict=True)
        ]
