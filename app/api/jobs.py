"""From the bytes of a picture to its result: one job on one worker thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import Request, Response
from starlette.background import BackgroundTask

from app.api import results
from app.api.base64_image import picture_of
from app.api.dependencies import Choices, service_of, ticket_of
from app.api.error_responses import known_error
from app.api.results import AnalysisResult, ComparisonResult, PictureResult, PredictionResult
from app.errors import Timeout, VisageError
from app.inference.classifier import Classifier
from app.pipeline import (
    Checkpoint,
    ClassifyOptions,
    CroppedPicture,
    DetectedPicture,
    DetectOptions,
    PicturePrediction,
    Pipeline,
)
from app.service import Service
from app.telemetry.records import PictureRecord, PredictionRecord, request_record
from app.worker_pool import ClientDisconnected

T = TypeVar("T")
Result = TypeVar("Result", bound=Mapping[str, object])


@dataclass(frozen=True, slots=True)
class Finished(Generic[Result]):
    """The result of a picture, what is counted of it, and what it was made from."""

    result: Result
    record: PictureRecord
    detected: DetectedPicture
    predictions: Sequence[PicturePrediction]


Outcome = Finished[PictureResult] | VisageError


async def predict(request: Request, data: bytes, choices: Choices) -> Finished[PredictionResult]:
    """The job of ``POST /predict``."""
    service, record = service_of(request.scope), request_record(request.scope)
    record.size = len(data)

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> Finished[PredictionResult]:
        detected = pipeline.detect(data, choices.detect, checkpoint)
        predicted = pipeline.predict(detected, choices.model, choices.classify, checkpoint)
        picture = _picture_result(service, choices, detected, predicted, queue_ms)
        result: PredictionResult = {
            "success": True,
            **picture,
            "model": results.model_version(predicted),
            "request_id": record.request_id,
        }
        return _finished(service, result, detected, [predicted], queue_ms)

    return await _run(request, work)


async def predict_several(request: Request, pictures: Sequence[bytes], choices: Choices) -> list[Outcome]:
    """A job of ``POST /predict/batch``. The faces of all its pictures share one forward pass. An error of one picture
    leaves the others alone."""
    service, request_id = service_of(request.scope), request_record(request.scope).request_id

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        prepared: dict[int, CroppedPicture] = {}
        for number, data in enumerate(pictures):
            try:
                detected = pipeline.detect(data, choices.detect, checkpoint)
                prepared[number] = pipeline.crop(detected, choices.model, checkpoint)
                detected.release_pixels()
            except (ClientDisconnected, Timeout):
                raise
            except Exception as exception:
                outcomes[number] = error = known_error(exception, request_id)
                # Its traceback holds the picture, whose memory the next one needs.
                error.__traceback__ = error.__context__ = None
        if prepared:
            predictions = pipeline.classify([*prepared.values()], choices.model, choices.classify, checkpoint)
            for (number, each), predicted in zip(prepared.items(), predictions, strict=True):
                result = _picture_result(service, choices, each.detected, predicted, queue_ms)
                outcomes[number] = _finished(service, result, each.detected, [predicted], queue_ms)
        return [outcomes[number] for number in range(len(pictures))]

    return await _run(request, work)


async def analyze(request: Request, body: bytes, model: Classifier, options: DetectOptions) -> Finished[AnalysisResult]:
    """The job of ``POST /analyze/facial``. It decodes the body too, which takes milliseconds for a large picture."""
    service, record = service_of(request.scope), request_record(request.scope)

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> Finished[AnalysisResult]:
        data = picture_of(body, max_bytes=service.settings.max_file_bytes)
        record.size = len(data)
        detected = pipeline.detect(data, options, checkpoint)
        predicted = pipeline.predict(detected, model, ClassifyOptions(), checkpoint)
        threshold = service.settings.confidence_threshold
        result = results.analysis_result(predicted, threshold=threshold, request_id=record.request_id)
        return _finished(service, result, detected, [predicted], queue_ms)

    return await _run(request, work)


async def compare(
    request: Request, data: bytes, models: Sequence[Classifier], options: DetectOptions
) -> Finished[ComparisonResult]:
    """The job of ``POST /predict/compare``: one detection, one prediction a model."""
    service, record = service_of(request.scope), request_record(request.scope)
    record.size = len(data)

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> Finished[ComparisonResult]:
        detected = pipeline.detect(data, options, checkpoint)
        predictions = [pipeline.predict(detected, model, ClassifyOptions(), checkpoint) for model in models]
        result = results.comparison_result(
            detected,
            predictions,
            threshold=service.settings.confidence_threshold,
            timings_ms=results.timings_of(detected, queue_ms),
            request_id=record.request_id,
        )
        return _finished(service, result, detected, predictions, queue_ms)

    return await _run(request, work)


def respond(request: Request, finished: Finished[Result], *, shadow: bool = True) -> Response:
    """The response with a result. Counts the picture and completes the request's record.

    With ``shadow``, the shadow model may get the picture after the response, where one is set.
    """
    service, record = service_of(request.scope), request_record(request.scope)
    detected = finished.detected
    count(service, finished.record)
    record.picture_format = detected.picture.format
    record.faces = detected.faces_detected
    record.timings_ms = finished.record.timings_ms
    later = None
    if shadow and service.shadow is not None:
        later = BackgroundTask(service.shadow.offer, detected, finished.predictions[0])
    return results.json_response(finished.result, later)


def count(service: Service, record: PictureRecord) -> None:
    """Counts a picture that has a result."""
    service.metrics.picture(record)


def _picture_result(
    service: Service, choices: Choices, detected: DetectedPicture, predicted: PicturePrediction, queue_ms: float
) -> PictureResult:
    return results.picture_result(
        detected,
        predicted,
        threshold=service.settings.confidence_threshold,
        every_face=choices.detect.faces == "all",
        explain=choices.explain,
        timings_ms=results.timings_of(detected, queue_ms),
    )


def _finished(
    service: Service,
    result: Result,
    detected: DetectedPicture,
    predictions: Sequence[PicturePrediction],
    queue_ms: float,
) -> Finished[Result]:
    threshold = service.settings.confidence_threshold
    warnings = {warning.code for predicted in predictions for face in predicted.faces for warning in face.warnings}
    counted = []
    for predicted in predictions:
        manifest = predicted.model.manifest
        for face in predicted.faces:
            said = results.prediction(face, manifest.labels, threshold)
            counted.append(PredictionRecord(manifest.name, said["emotion"], said["confidence"], said["is_uncertain"]))
    timings_ms = results.timings_of(detected, queue_ms)
    record = PictureRecord(timings_ms, detected.faces_detected, tuple(sorted(warnings)), tuple(counted))
    return Finished(result, record, detected, predictions)


async def _run(request: Request, work: Callable[[Pipeline, Checkpoint, float], T]) -> T:
    """Runs ``work`` on a worker thread; its last argument is the wait for the worker in milliseconds."""
    submitted = time.perf_counter()

    def job(pipeline: Pipeline, checkpoint: Checkpoint) -> T:
        return work(pipeline, checkpoint, (time.perf_counter() - submitted) * 1000)

    return await service_of(request.scope).pool.run(ticket_of(request.scope), job)
