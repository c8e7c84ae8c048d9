"""From an upload to an answer: one job on one worker thread, and the accounts that are kept of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.background import BackgroundTask

from app.api import answers
from app.api.answers import Answer
from app.api.errors import known_error
from app.api.queries import Choices
from app.errors import Timeout, VisageError
from app.inference.classifier import Classifier
from app.observe.record import RequestRecord
from app.pipeline import Checkpoint, LookOptions, Pipeline, Reading, ReadOptions, Sight
from app.state import Service
from app.workers import ClientLeft, Ticket

T = TypeVar("T")
Source = Callable[[], bytes]
"""Gives the bytes of a picture on the worker's thread; raises the error of an upload that holds none."""


@dataclass(frozen=True, slots=True)
class Read:
    """An answer, and what it was made from."""

    answer: Answer
    sight: Sight
    readings: tuple[Reading, ...]


async def predict(service: Service, ticket: Ticket, source: Source, choices: Choices) -> Read:
    """Reads a picture for ``/predict``."""

    read = _predicting(service, choices)

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> Read:
        return read(pipeline, checkpoint, source, queue_ms)

    return await _run(service, ticket, work)


async def predict_several(
    service: Service,
    ticket: Ticket,
    sources: Sequence[Source],
    choices: Choices,
    *,
    request_id: str,
    outcomes: list[Answer | VisageError],
) -> None:
    """Reads pictures one after the other in one job, as ``predict`` would each of them.

    ``outcomes`` gets the answer or the error of each as soon as it is known. What ends the job before its end is
    raised; the first picture without an outcome is the one that it was at.
    """
    read = _predicting(service, choices)
    submitted = time.perf_counter()

    def work(pipeline: Pipeline, checkpoint: Checkpoint) -> None:
        for source in sources:
            queue_ms = (time.perf_counter() - submitted) * 1000
            try:
                outcomes.append(read(pipeline, checkpoint, source, queue_ms).answer)
            except (ClientLeft, Timeout):
                raise
            except Exception as exception:
                error = known_error(exception, request_id)
                # Its traceback holds the picture, which must be gone before the next one is decoded.
                error.__traceback__ = error.__context__ = None
                outcomes.append(error)

    await service.pool.run(ticket, work)


async def analyze(service: Service, ticket: Ticket, source: Source, model: Classifier, look: LookOptions) -> Read:
    """Reads a picture for ``/analyze/facial``."""

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> Read:
        sight = pipeline.look(source(), look, checkpoint)
        reading = pipeline.read(sight, model, ReadOptions(), checkpoint)
        answer = answers.analysis(sight, reading, threshold=service.settings.confidence_threshold, queue_ms=queue_ms)
        return Read(answer, sight, (reading,))

    return await _run(service, ticket, work)


async def compare(
    service: Service, ticket: Ticket, source: Source, models: Sequence[Classifier], look: LookOptions
) -> Read:
    """Looks at a picture once and reads it with each of several models."""

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> Read:
        sight = pipeline.look(source(), look, checkpoint)
        readings = tuple(pipeline.read(sight, model, ReadOptions(), checkpoint) for model in models)
        answer = answers.comparison(sight, readings, threshold=service.settings.confidence_threshold, queue_ms=queue_ms)
        return Read(answer, sight, readings)

    return await _run(service, ticket, work)


def account(service: Service, answer: Answer) -> None:
    """Counts a picture that was answered."""
    service.metrics.picture(answer.note)
    service.totals.picture(answer.note)


def describe(record: RequestRecord, read: Read) -> None:
    """Notes on a request's record what its log line says of its picture."""
    record.size = len(read.sight.data)
    record.picture_format = read.sight.picture.format
    record.faces = read.sight.faces_detected
    record.timings_ms = read.answer.note.timings_ms


def shadow_of(service: Service, read: Read) -> BackgroundTask | None:
    """What is done with a picture after its answer is out, where a shadow model is set."""
    if service.shadow is None:
        return None
    return BackgroundTask(service.shadow.offer, read.sight, read.readings[0])


def _predicting(service: Service, choices: Choices) -> Callable[[Pipeline, Checkpoint, Source, float], Read]:
    """How a picture is read on a worker's thread; the last argument is how long it waited for that."""

    def read(pipeline: Pipeline, checkpoint: Checkpoint, source: Source, queue_ms: float) -> Read:
        sight = pipeline.look(source(), choices.look, checkpoint)
        reading = pipeline.read(sight, choices.model, choices.read, checkpoint)
        answer = answers.prediction(
            sight,
            reading,
            threshold=service.settings.confidence_threshold,
            every_face=choices.look.faces == "all",
            explain=choices.explain,
            queue_ms=queue_ms,
        )
        return Read(answer, sight, (reading,))

    return read


async def _run(service: Service, ticket: Ticket, work: Callable[[Pipeline, Checkpoint, float], T]) -> T:
    """Does ``work`` on a worker thread; its last argument is how long it waited for it, in milliseconds."""
    submitted = time.perf_counter()

    def job(pipeline: Pipeline, checkpoint: Checkpoint) -> T:
        return work(pipeline, checkpoint, (time.perf_counter() - submitted) * 1000)

    return await service.pool.run(ticket, job)
