"""From an upload to an answer: one job on one worker thread, and the accounts that are kept of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.background import BackgroundTask

from app.api import results
from app.api.error_responses import known_error
from app.api.queries import Choices
from app.api.results import Answer
from app.errors import Timeout, VisageError
from app.inference.classifier import Classifier
from app.pipeline import (
    Checkpoint,
    ClassifyOptions,
    DetectedPicture,
    DetectOptions,
    PicturePrediction,
    Pipeline,
    PreparedPicture,
)
from app.service import Service
from app.telemetry.records import RequestRecord
from app.worker_pool import ClientLeft, Ticket

T = TypeVar("T")
Source = Callable[[], bytes]
"""Gives the bytes of a picture on the worker's thread; raises the error of an upload that holds none."""


@dataclass(frozen=True, slots=True)
class Read:
    """An answer, and what it was made from."""

    answer: Answer
    detected: DetectedPicture
    readings: tuple[PicturePrediction, ...]


async def predict(service: Service, ticket: Ticket, source: Source, choices: Choices) -> Read:
    """Reads a picture for ``/predict``."""

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> Read:
        detected = pipeline.find_faces(source(), choices.look, checkpoint)
        reading = pipeline.classify(detected, choices.model, choices.read, checkpoint)
        return Read(_prediction(service, choices, detected, reading, queue_ms), detected, (reading,))

    return await _run(service, ticket, work)


async def predict_several(
    service: Service, ticket: Ticket, sources: Sequence[Source], choices: Choices, request_id: str
) -> list[Answer | VisageError]:
    """Reads pictures in one job, and their faces in one forward pass; what is wrong with one is its own outcome."""
    submitted = time.perf_counter()

    def work(pipeline: Pipeline, checkpoint: Checkpoint) -> list[Answer | VisageError]:
        outcomes: dict[int, Answer | VisageError] = {}
        prepared: dict[int, tuple[PreparedPicture, float]] = {}
        for number, source in enumerate(sources):
            queue_ms = (time.perf_counter() - submitted) * 1000
            try:
                detected = pipeline.find_faces(source(), choices.look, checkpoint)
                prepared[number] = pipeline.prepare(detected, choices.model, checkpoint), queue_ms
                detected.release_pixels()
            except (ClientLeft, Timeout):
                raise
            except Exception as exception:
                outcomes[number] = error = known_error(exception, request_id)
                # Its traceback holds the picture, which must be gone before the next one is decoded.
                error.__traceback__ = error.__context__ = None
        if prepared:
            looks = [look for look, _ in prepared.values()]
            readings = pipeline.infer(looks, choices.model, choices.read, checkpoint)
            for (number, (look, queue_ms)), reading in zip(prepared.items(), readings, strict=True):
                outcomes[number] = _prediction(service, choices, look.detected, reading, queue_ms)
        return [outcomes[number] for number in range(len(sources))]

    return await service.pool.run(ticket, work)


async def analyze(service: Service, ticket: Ticket, source: Source, model: Classifier, look: DetectOptions) -> Read:
    """Reads a picture for ``/analyze/facial``."""

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> Read:
        detected = pipeline.find_faces(source(), look, checkpoint)
        reading = pipeline.classify(detected, model, ClassifyOptions(), checkpoint)
        answer = results.analysis(detected, reading, threshold=service.settings.confidence_threshold, queue_ms=queue_ms)
        return Read(answer, detected, (reading,))

    return await _run(service, ticket, work)


async def compare(
    service: Service, ticket: Ticket, source: Source, models: Sequence[Classifier], look: DetectOptions
) -> Read:
    """Looks at a picture once and reads it with each of several models."""

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> Read:
        detected = pipeline.find_faces(source(), look, checkpoint)
        readings = tuple(pipeline.classify(detected, model, ClassifyOptions(), checkpoint) for model in models)
        answer = results.comparison(
            detected, readings, threshold=service.settings.confidence_threshold, queue_ms=queue_ms
        )
        return Read(answer, detected, readings)

    return await _run(service, ticket, work)


def account(service: Service, answer: Answer) -> None:
    """Counts a picture that was answered."""
    service.metrics.picture(answer.note)


def describe(record: RequestRecord, read: Read) -> None:
    """Notes on a request's record what its log line says of its picture."""
    record.size = len(read.detected.data)
    record.picture_format = read.detected.picture.format
    record.faces = read.detected.faces_detected
    record.timings_ms = read.answer.note.timings_ms


def shadow_of(service: Service, read: Read) -> BackgroundTask | None:
    """What is done with a picture after its answer is out, where a shadow model is set."""
    if service.shadow is None:
        return None
    return BackgroundTask(service.shadow.offer, read.detected, read.readings[0])


def _prediction(
    service: Service, choices: Choices, detected: DetectedPicture, reading: PicturePrediction, queue_ms: float
) -> Answer:
    return results.prediction(
        detected,
        reading,
        threshold=service.settings.confidence_threshold,
        every_face=choices.look.faces == "all",
        explain=choices.explain,
        queue_ms=queue_ms,
    )


async def _run(service: Service, ticket: Ticket, work: Callable[[Pipeline, Checkpoint, float], T]) -> T:
    """Does ``work`` on a worker thread; its last argument is how long it waited for it, in milliseconds."""
    submitted = time.perf_counter()

    def job(pipeline: Pipeline, checkpoint: Checkpoint) -> T:
        return work(pipeline, checkpoint, (time.perf_counter() - submitted) * 1000)

    return await service.pool.run(ticket, job)
