"""One thread that feeds a GPU: whatever waits becomes the next batch."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from app.inference.runner import Raw, Runner, Tensor

LARGEST_BATCH = 64
"""Most faces in one batch, unless one request alone brings more."""


@dataclass(frozen=True, slots=True)
class _Job:
    tensor: Tensor
    with_features: bool
    answer: Future[Raw] = field(default_factory=Future)


class Batcher:
    """An :class:`Runner` around another, which it calls from one thread at a time.

    There is no delay to wait for company: while one batch runs, the next one gathers by itself. Once closed it
    still answers, each caller on its own thread, so that a model can be replaced under the requests that use it.
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
        """Requests that no batch has taken yet."""
        return len(self._waiting)

    def run(self, tensor: Tensor, *, with_features: bool = False) -> Raw:
        job = _Job(tensor, with_features)
        with self._changed:
            closed = self._closed
            if not closed:
                self._waiting.append(job)
                self._changed.notify()
        if closed:
            self._serve([job])
        return job.answer.result()

    def close(self) -> None:
        """Ends the thread once it has answered everybody who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _loop(self) -> None:
        while batch := self._next_batch():
            self._serve(batch)

    def _next_batch(self) -> list[_Job]:
        """The jobs at the front of the line that fit together; empty when closed and done."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            batch: list[_Job] = []
            faces = 0
            while self._waiting and (not batch or faces + len(self._waiting[0].tensor) <= self._largest_batch):
                job = self._waiting.popleft()
                faces += len(job.tensor)
                batch.append(job)
            return batch

    def _serve(self, batch: list[_Job]) -> None:
        try:
            answers = self._answers(batch)
        except Exception as error:
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            # A batch can be too large for the device, or one tensor of it wrong: each gets an answer of its own.
            for job in batch:
                self._serve([job])
            return
        for job, answer in zip(batch, answers, strict=True):
            job.answer.set_result(answer)

    def _answers(self, batch: list[_Job]) -> list[Raw]:
        tensor = batch[0].tensor if len(batch) == 1 else np.concatenate([job.tensor for job in batch])
        with self._running:
            raw = self._runner.run(tensor, with_features=any(job.with_features for job in batch))
        stops = list(accumulate(len(job.tensor) for job in batch))
        return [
            raw.part(stop - len(job.tensor), stop, with_features=job.with_features)
            for job, stop in zip(batch, stops, strict=True)
        ]
