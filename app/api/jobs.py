"""From the bytes of a picture to its result: one job on one worker thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from fastapi import Request, Response
from starlette.background import BackgroundTask

from app.api.dependencies import Choices, memory_of, reservation_of, result_headers, service_of
from app.api.details import NOTHING_ASKED, DetailsRequest, details_headers, result_bytes
from app.api.error_responses import known_error
from app.api.results import Findings, PictureResult, json_response, picture_record, picture_result
from app.errors import InvalidRequest, Timeout, VisageError
from app.inference.classifier import Classifier
from app.inference.explain import MOST_OCCLUDED
from app.memory_budget import NotEnoughMemory
from app.pipeline import (
    Checkpoint,
    ClassifyOptions,
    CroppedPicture,
    DetectedPicture,
    DetectOptions,
    PicturePrediction,
    Pipeline,
)
from app.telemetry.records import PictureRecord, request_record
from app.worker_pool import ClientDisconnected

T = TypeVar("T")
Result = TypeVar("Result", bound=Mapping[str, object])
Build = Callable[[Findings], Result]


@dataclass(frozen=True, slots=True)
class Finished(Generic[Result]):
    """The result of a picture, what metrics count of it, and what it was built from."""

    result: Result
    record: PictureRecord
    findings: Findings


Outcome = Finished[PictureResult] | VisageError

MOST_EXPLAINED: Final = 100
"""Most faces that one request may have explained. The overlay of a face takes up to 80 KB of the result."""

FACE_BYTES: Final = 8_000
_OVERLAY_BYTES: Final = 160_000
"""What the result of a face takes until it is sent, and its overlay, as Python's objects and as JSON."""


class ExplainedFaces:
    """Counts the faces of one request that are to be explained, before they are. Safe from any thread.

    Those of one picture have a bound of their own where their explanations are ``by_occlusion``.
    """

    def __init__(self, *, by_occlusion: bool) -> None:
        self._by_occlusion = by_occlusion
        self._count = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Adds the faces of a picture, or raises InvalidRequest."""
        if self._by_occlusion and count > MOST_OCCLUDED:
            raise InvalidRequest(
                f"explain: by occlusion, at most {MOST_OCCLUDED} faces of a picture are explained. "
                "Ask for faces=largest."
            )
        with self._lock:
            if self._count + count > MOST_EXPLAINED:
                raise InvalidRequest(
                    f"explain: at most {MOST_EXPLAINED} faces of a request are explained. "
                    "Send fewer pictures at a time, or ask for faces=largest."
                )
            self._count += count


async def read_picture(
    request: Request,
    picture: bytes,
    detect: DetectOptions,
    models: Sequence[Classifier],
    build: Build[Result],
    *,
    classify: ClassifyOptions | None = None,
    details: DetailsRequest = NOTHING_ASKED,
) -> Finished[Result]:
    """The job for one picture: one detection, one prediction a model, one result."""
    request_record(request.scope).size = len(picture)
    options = classify or ClassifyOptions()
    # They outlast a run of the job that ends for want of memory.
    detections: list[DetectedPicture] = []
    predictions: list[PicturePrediction] = []

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> Finished[Result]:
        if not detections:
            detections.append(pipeline.detect(picture, detect, checkpoint))
        (detected,) = detections
        if options.explain:
            ExplainedFaces(by_occlusion=any(map(options.by_occlusion, models))).add(len(detected.faces))
        for model in models[len(predictions) :]:
            predictions.append(pipeline.predict(detected, model, options, checkpoint))
        return _finish(request, detected, predictions, build, queue_ms, details=details, overlays=options.explain)

    return await _run(request, work)


async def read_pictures(
    request: Request, pictures: Sequence[bytes], choices: Choices, explained: ExplainedFaces
) -> list[Outcome]:
    """The job for several pictures of a batch, whose faces share one forward pass. An error of one picture leaves the
    others alone."""
    request_id = request_record(request.scope).request_id
    build = partial(picture_result, every_face=choices.every_face, explain=choices.explain)
    # They outlast a run of the job that ends for want of memory.
    outcomes: dict[int, Outcome] = {}
    detections: dict[int, DetectedPicture] = {}
    cropped: dict[int, CroppedPicture] = {}

    def work(pipeline: Pipeline, checkpoint: Checkpoint, queue_ms: float) -> list[Outcome]:
        for number in range(len(outcomes) + len(cropped), len(pictures)):
            try:
                if number not in detections:
                    detections[number] = pipeline.detect(pictures[number], choices.detect, checkpoint)
                    if choices.classify.explain:
                        explained.add(len(detections[number].faces))
                cropped[number] = pipeline.crop(detections[number], choices.model, checkpoint)
                detections[number].release_pixels()
            except (ClientDisconnected, Timeout, NotEnoughMemory):
                raise
            except Exception as exception:
                outcomes[number] = error = known_error(exception, request_id)
                # Its traceback holds the picture, whose memory the next one needs.
                error.__traceback__ = error.__context__ = None
                detections.pop(number, None)
        if cropped:
            predictions = pipeline.classify([*cropped.values()], choices.model, choices.classify, checkpoint)
            finish = partial(_finish, request, details=choices.details, overlays=choices.explain == "true")
            for (number, each), predicted in zip(cropped.items(), predictions, strict=True):
                outcomes[number] = finish(each.detected, [predicted], build, queue_ms)
        return [outcomes[number] for number in range(len(pictures))]

    return await _run(request, work)


def count(request: Request, finished: Finished[Result]) -> None:
    """Counts a picture that got its result, and completes the request's record."""
    record, detected = request_record(request.scope), finished.findings.detected
    service_of(request.scope).metrics.picture(finished.record)
    record.picture_format = detected.picture.format
    record.faces = detected.faces_detected
    record.timings_ms = finished.record.timings_ms


def respond(request: Request, finished: Finished[Result], *, shadow: bool = True) -> Response:
    """The response with a result. Counts the picture and completes the request's record.

    With ``shadow``, the shadow model may get the picture after the response, where one is set.
    """
    count(request, finished)
    service = service_of(request.scope)
    later = None
    if shadow and service.shadow is not None:
        later = BackgroundTask(service.shadow.offer, finished.findings.detected, finished.findings.predictions[0])
    headers = result_headers(request.scope) | details_headers(finished.findings.details)
    return json_response(finished.result, later, headers=headers)


def _finish(
    request: Request,
    detected: DetectedPicture,
    predictions: Sequence[PicturePrediction],
    build: Build[Result],
    queue_ms: float,
    *,
    details: DetailsRequest,
    overlays: bool,
) -> Finished[Result]:
    faces = sum(len(prediction.faces) for prediction in predictions)
    memory_of(request.scope).take(faces * (FACE_BYTES + result_bytes(details) + (_OVERLAY_BYTES if overlays else 0)))
    findings = Findings(
        detected,
        predictions,
        threshold=service_of(request.scope).settings.confidence_threshold,
        timings_ms=detected.timings.after(queue_ms),
        request_id=request_record(request.scope).request_id,
        details=details,
    )
    return Finished(build(findings), picture_record(findings), findings)


async def _run(request: Request, work: Callable[[Pipeline, Checkpoint, float], T]) -> T:
    """Runs ``work`` on a worker thread; its last argument is the wait for the worker in milliseconds."""
    submitted = time.perf_counter()

    def job(pipeline: Pipeline, checkpoint: Checkpoint) -> T:
        return work(pipeline, checkpoint, (time.perf_counter() - submitted) * 1000)

    return await service_of(request.scope).pool.run(reservation_of(request.scope), job)
