"""Prometheus metrics. Every label comes from a closed set: route templates, labels, codes, names of loaded models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import Sample
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

import app
from app.telemetry.records import PictureRecord, RequestRecord

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

STAGES: Final = ("queue", "decode", "detect", "mesh", "prepare", "inference", "explain")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the bins of the time of a request and of a stage."""

LATENCY_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000)
"""Upper bounds of the bins of the time of a picture, in milliseconds."""

CONFIDENCE: Final = tuple(step / 10 for step in range(1, 11))
"""Upper bounds of the bins of confidence."""

_COUNTERS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "http_requests": ("Requests with a response.", ("route", "method", "status")),
    "errors": ("Errors of requests and of a batch's items, by code.", ("code",)),
    "requests_shed": ("Requests refused or dropped, by reason.", ("reason",)),
    "requests_rate_limited": ("Requests over their client's rate.", ()),
    "warnings": ("Pictures with a warning on their quality, by code.", ("code",)),
    "predictions": ("Predictions, by the likeliest label.", ("model", "label")),
    "predictions_uncertain": ("Predictions with too little confidence.", ("model",)),
    "shadow_predictions": ("Predictions of the shadow model, by its agreement.", ("model", "agreement")),
    "stream_frames_read": ("Frames of streams that were read.", ()),
    "stream_frames_failed": ("Frames of streams that ended in an error.", ()),
    "stream_frames_skipped": ("Frames of streams that were passed over, by reason.", ("reason",)),
    "stream_closes": ("Streams that were closed, by the code of the close.", ("code",)),
    "shadow_dropped": ("Sampled pictures without a prediction of the shadow model.", ()),
}
STREAM_SECONDS: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the bins of the time of a stream."""

_HISTOGRAMS: Final[Mapping[str, tuple[str, tuple[str, ...], Sequence[float]]]] = {
    "http_request_duration_seconds": ("From a request's headers to the end of its response.", ("route",), SECONDS),
    "stage_duration_seconds": ("Time of a picture in each stage.", ("stage",), SECONDS),
    "picture_duration_seconds": (
        "Time of a picture, the wait for a worker included.",
        ("model",),
        [milliseconds / 1000 for milliseconds in LATENCY_MS],
    ),
    "stream_seconds": ("From the opening of a stream to its end.", (), STREAM_SECONDS),
    "faces_per_image": ("Faces found in a picture.", (), (0, 1, 2, 3, 5, 10, 20, 50)),
    "prediction_confidence": ("Confidence in the likeliest label.", ("model",), CONFIDENCE),
}

M = TypeVar("M", Counter, Histogram)


class Metrics:
    """All series of a process, in a registry of their own so that two apps in one process never mix.

    Safe from any thread.
    """

    def __init__(self) -> None:
        # Prometheus has no use for the time at which each counter began.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry(auto_describe=True)
        self._in_flight = Gauge("visage_http_requests_in_flight", "Requests in progress.", registry=registry)
        counters = {
            name: Counter(f"visage_{name}", meaning, labels, registry=registry)
            for name, (meaning, labels) in _COUNTERS.items()
        }
        histograms = {
            name: Histogram(f"visage_{name}", meaning, labels, buckets=buckets, registry=registry)
            for name, (meaning, labels, buckets) in _HISTOGRAMS.items()
        }
        self._counter, self._histogram = _series_of(counters), _series_of(histograms)
        for stage in STAGES:
            self._histogram("stage_duration_seconds", stage)
        build = Gauge("visage_build_info", "The running version.", ("version",), registry=registry)
        build.labels(app.__version__).set(1)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)

    def request_started(self) -> None:
        self._in_flight.inc()

    def request_finished(self, record: RequestRecord) -> None:
        self._in_flight.dec()
        method = record.method if record.method in METHODS else "other"
        self._counter("http_requests", record.route, method, record.status).inc()
        self._histogram("http_request_duration_seconds", record.route).observe(record.duration_ms / 1000)
        if record.error is not None:
            self.error(record.error)

    def error(self, code: str) -> None:
        """Counts an error of the catalogue."""
        self._counter("errors", code).inc()

    def shed(self, reason: str) -> None:
        """Counts a request that was refused or dropped. ``reason`` comes from the code, never from a client."""
        self._counter("requests_shed", reason).inc()

    def rate_limited(self) -> None:
        self._counter("requests_rate_limited").inc()

    def picture(self, record: PictureRecord) -> None:
        """Counts a picture that got a result, and its predictions."""
        for stage, milliseconds in record.timings_ms.items():
            if stage in STAGES:
                self._histogram("stage_duration_seconds", stage).observe(milliseconds / 1000)
        self._histogram("faces_per_image").observe(record.faces_detected)
        for code in record.warnings:
            self._counter("warnings", code).inc()
        for model in {prediction.model for prediction in record.predictions}:
            self._histogram("picture_duration_seconds", model).observe(record.timings_ms["total"] / 1000)
        for prediction in record.predictions:
            self._counter("predictions", prediction.model, prediction.label).inc()
            self._histogram("prediction_confidence", prediction.model).observe(prediction.confidence)
            if prediction.uncertain:
                self._counter("predictions_uncertain", prediction.model).inc()

    def stream_opening(self, status: int) -> None:
        """Counts a request for a stream: 101 if it was opened, else the status of the error."""
        self._counter("http_requests", "/stream", "GET", status).inc()

    def stream_frame_read(self, record: PictureRecord) -> None:
        self._counter("stream_frames_read").inc()
        self.picture(record)

    def stream_frame_failed(self, code: str) -> None:
        self._counter("stream_frames_failed").inc()
        self.error(code)

    def stream_frame_skipped(self, reason: str) -> None:
        self._counter("stream_frames_skipped", reason).inc()

    def stream_closed(self, code: int, seconds: float) -> None:
        """Counts the end of a stream. The code is 1006 when the connection was lost."""
        self._counter("stream_closes", code).inc()
        self._histogram("stream_seconds").observe(seconds)

    def shadow(self, model: str, *, same: int, different: int) -> None:
        """Counts the faces of one picture by whether the shadow model agreed."""
        self._counter("shadow_predictions", model, "same").inc(same)
        self._counter("shadow_predictions", model, "different").inc(different)

    def shadow_dropped(self) -> None:
        self._counter("shadow_dropped").inc()

    def samples(self) -> Mapping[str, Sequence[Sample]]:
        """What has been counted so far, by the name of the series."""
        found = defaultdict(list)
        for metric in self._registry.collect():
            for sample in metric.samples:
                found[sample.name].append(sample)
        return found

    def exposition(self, state: Collector) -> bytes:
        """All series in Prometheus' text format, with those of ``state``, which are read at this moment."""
        return generate_latest(self._registry) + generate_latest(state)


def _series_of(metrics: Mapping[str, M]) -> Callable[..., M]:
    """Finds a series by the name of its metric and its labels. The library itself takes a lock for every lookup."""
    return cache(lambda name, *labels: metrics[name].labels(*labels) if labels else metrics[name])
