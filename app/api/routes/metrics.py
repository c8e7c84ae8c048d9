"""What the service has counted: ``GET /metrics`` for Prometheus, ``GET /stats`` as JSON."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Response
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric, Sample
from prometheus_client.registry import Collector
from pydantic import Field
from typing_extensions import TypedDict

from app.api.dependencies import NoParameters, TheService
from app.api.openapi import ADMISSION, documented, errors
from app.api.results import json_response
from app.errors import InternalError, InvalidRequest, NotFound
from app.memory_budget import process_memory
from app.service import Service
from app.telemetry.metrics import CONFIDENCE, CONTENT_TYPE, LATENCY_MS

router = APIRouter(tags=["Operation"])

Samples = Mapping[str, Sequence[Sample]]


class Histogram(TypedDict):
    """Counts by bins: each value counts in the first bin whose bound it does not exceed, or in the last."""

    mean: float | None
    bounds: list[float]
    counts: Annotated[list[int], Field(description="One more than there are bounds: the last bin is open.")]


class ModelStats(TypedDict):
    """The predictions of one model."""

    pictures: int
    faces: int
    labels: Annotated[dict[str, int], Field(description="Faces by their likeliest label.")]
    uncertain: int
    uncertain_share: float | None
    confidence: Histogram
    latency_ms: Annotated[Histogram, Field(description="Milliseconds a picture, the wait for a worker included.")]


class Stats(TypedDict):
    """Totals of this process since its start. Aggregates only, nothing about anyone."""

    success: Literal[True]
    uptime_seconds: float
    requests: Annotated[dict[str, int], Field(description="Requests by route.")]
    errors: Annotated[dict[str, int], Field(description="Errors of requests and of items of a batch, by code.")]
    warnings: Annotated[dict[str, int], Field(description="Pictures with a warning on their quality, by code.")]
    pictures: Annotated[int, Field(description="Pictures that got a result.")]
    faces: Annotated[int, Field(description="Faces found in them.")]
    models: dict[str, ModelStats]


_EXAMPLE: Final[Stats] = {
    "success": True,
    "uptime_seconds": 3600.0,
    "requests": {"/predict": 2},
    "errors": {"no_face_detected": 1},
    "warnings": {"blurred": 1},
    "pictures": 1,
    "faces": 1,
    "models": {
        "default": {
            "pictures": 1,
            "faces": 1,
            "labels": {"happy": 1},
            "uncertain": 0,
            "uncertain_share": 0.0,
            "confidence": {"mean": 0.92, "bounds": [*CONFIDENCE[:-1]], "counts": [*[0] * 9, 1]},
            "latency_ms": {"mean": 5.9, "bounds": [*LATENCY_MS], "counts": [0, 0, 0, 1, *[0] * 11]},
        }
    },
}


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "All series in Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": "visage_ready 1.0\n"}},
        },
        **errors(InternalError),
    },
)
async def metrics(service: TheService) -> Response:
    """Requests, stages, predictions, load and resources. Nothing in them identifies a person."""
    return Response(service.metrics.exposition(ServiceState(service)), media_type=CONTENT_TYPE)


@router.get(
    "/stats",
    operation_id="stats",
    summary="Totals since the start",
    response_model=Stats,
    responses=documented(_EXAMPLE, InvalidRequest, NotFound, *ADMISSION),
    dependencies=[NoParameters],
)
async def stats(service: TheService) -> Response:
    """Pictures and predictions, by model. Every process counts for itself, and forgets when it ends.

    With `STATS=false` this is `not_found`.
    """
    if not service.settings.stats:
        raise NotFound
    return json_response(_stats(service.metrics.samples(), service.uptime_seconds))


class ServiceState(Collector):
    """The series of the workers, the queue and the models, which are read at each scrape."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        service, pool = self._service, self._service.pool
        yield Gauge("visage_ready", "1 when the service can take requests.", int(service.ready))
        yield Gauge("visage_queue_depth", "Jobs that wait for a worker.", pool.waiting)
        yield Gauge("visage_workers", "Worker threads.", pool.live)
        yield Gauge("visage_workers_busy", "Workers at work.", pool.busy)
        yield Counter("visage_worker_restarts", "Workers that died or hung and were replaced.", pool.restarts)
        yield Gauge("visage_stream_open", "Streams that are open.", len(service.streams))
        yield Gauge("visage_threads", "Python threads of the process.", threading.active_count())
        yield Gauge("visage_memory_limit_bytes", "Memory that the process may take.", process_memory().limit)
        if (backend := service.limiter.backend) not in {"off", "memory"}:
            meaning = "1 while Redis responds, 0 while each replica counts for itself; absent without Redis."
            yield Gauge("visage_shared_state_up", meaning, int(backend == "redis"))
        if (registry := service.registry_or_none) is None:
            return
        labels = ("model", "version", "architecture", "default")
        models = Gauge("visage_model_info", "A loaded model.", labels=labels)
        providers = Gauge("visage_provider_info", "An execution provider of a model.", labels=("model", "provider"))
        for model in registry.classifiers:
            name = model.manifest.name
            default = str(name == registry.default_name).lower()
            models.add_metric((name, model.manifest.version, model.manifest.architecture, default), 1)
            for provider in model.providers:
                providers.add_metric((name, provider), 1)
        yield models
        yield providers


def _stats(samples: Samples, uptime_seconds: float) -> Stats:
    models = [sample.labels["model"] for sample in samples.get("visage_picture_duration_seconds_count", ())]
    return {
        "success": True,
        "uptime_seconds": round(uptime_seconds, 1),
        "requests": _sums(samples, "visage_http_requests_total", "route"),
        "errors": _sums(samples, "visage_errors_total", "code"),
        "warnings": _sums(samples, "visage_warnings_total", "code"),
        "pictures": _sum(samples, "visage_faces_per_image_count"),
        "faces": _sum(samples, "visage_faces_per_image_sum"),
        "models": {model: _model(_only(samples, model)) for model in models},
    }


def _model(samples: Samples) -> ModelStats:
    faces, uncertain = _sum(samples, "visage_predictions_total"), _sum(samples, "visage_predictions_uncertain_total")
    return {
        "pictures": _sum(samples, "visage_picture_duration_seconds_count"),
        "faces": faces,
        "labels": _sums(samples, "visage_predictions_total", "label"),
        "uncertain": uncertain,
        "uncertain_share": round(uncertain / faces, 4) if faces else None,
        # No confidence exceeds 1, so the bin below 1 and the open one are the same.
        "confidence": _histogram(samples, "visage_prediction_confidence", CONFIDENCE[:-1], 4),
        "latency_ms": _histogram(samples, "visage_picture_duration_seconds", LATENCY_MS, 2, unit=1000),
    }


def _only(samples: Samples, model: str) -> Samples:
    return {name: [one for one in each if one.labels.get("model") == model] for name, each in samples.items()}


def _histogram(samples: Samples, name: str, bounds: Sequence[float], digits: int, unit: int = 1) -> Histogram:
    """What Prometheus counts up to each bound, as a count for each bin. ``unit`` converts its seconds."""
    up_to = [int(sample.value) for sample in samples[f"{name}_bucket"]]
    total = up_to[-1]
    return {
        "mean": round(samples[f"{name}_sum"][0].value * unit / total, digits) if total else None,
        "bounds": [*bounds],
        "counts": [upper - lower for lower, upper in pairwise([0, *up_to[: len(bounds)], total])],
    }


def _sum(samples: Samples, name: str) -> int:
    return sum(int(sample.value) for sample in samples.get(name, ()))


def _sums(samples: Samples, name: str, label: str) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for sample in samples.get(name, ()):
        sums[sample.labels[label]] += int(sample.value)
    return sums
