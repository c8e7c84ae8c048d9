"""Prometheus metrics. Every label comes from a closed set: route templates, labels, codes, names of loaded models."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

import app
from app.telemetry.records import PictureNote, RequestRecord

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of every histogram of time."""

STAGES: Final = ("queue", "decode", "detect", "prepare", "inference", "explain")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_FACES = (0, 1, 2, 3, 5, 10, 20, 50)
_TENTHS = tuple(step / 10 for step in range(1, 11))


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is told of a loaded model."""

    name: str
    version: str
    architecture: str
    default: bool
    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is not counted as it happens but asked for at each scrape."""

    ready: bool
    queue_depth: int
    workers: int
    workers_busy: int
    worker_restarts: int
    shared_state_up: bool | None
    """None where there is no Redis to share anything through."""
    models: tuple[ModelFacts, ...]


class Metrics:
    """All series of a process, in a registry of their own so that two apps in one process never mix.

    Safe from any thread.
    """

    def __init__(self) -> None:
        # A second series beside each counter, which says when it began and which Prometheus does not need.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry(auto_describe=True)
        self._registry = registry

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"visage_{name}", meaning, labels, registry=registry)

        def histogram(name: str, meaning: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(f"visage_{name}", meaning, labels, buckets=buckets, registry=registry)

        self._in_flight = Gauge("visage_http_requests_in_flight", "Requests being answered.", registry=registry)
        # The library looks a series up under a lock and makes a string of each label, every time.
        self._requests = cache(counter("http_requests", "Requests answered.", "route", "method", "status").labels)
        durations = histogram(
            "http_request_duration_seconds", "From a request's headers to the end of its answer.", SECONDS, "route"
        )
        self._durations = cache(durations.labels)
        self._errors = cache(counter("errors", "Errors of requests and of a batch's items, by code.", "code").labels)
        self._shed = cache(counter("requests_shed", "Requests turned away or dropped, by reason.", "reason").labels)
        self._rate_limited = counter("requests_rate_limited", "Requests over their client's rate.")
        stages = histogram("stage_duration_seconds", "Time of a picture in each stage.", SECONDS, "stage")
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self._faces = histogram("faces_per_image", "Faces found in a picture.", _FACES)
        self._warnings = counter("warnings", "Pictures with a warning on their quality, by code.", "code")
        self._predictions = counter("predictions", "Faces read, by the likeliest label.", "model", "label")
        self._uncertain = counter("predictions_uncertain", "Faces read with too little confidence.", "model")
        self._confidence = histogram(
            "prediction_confidence", "Confidence in the likeliest label; sum over count is its mean.", _TENTHS, "model"
        )
        self._shadow = counter(
            "shadow_predictions", "Faces that the shadow model read too, by its agreement.", "model", "agreement"
        )
        self._shadow_dropped = counter("shadow_dropped", "Sampled pictures that the shadow model did not read.")
        build = Gauge("visage_build_info", "The version that runs.", ("version",), registry=registry)
        build.labels(app.__version__).set(1)
        self._live = _LiveCollector()
        registry.register(self._live)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)

    def request_started(self) -> None:
        self._in_flight.inc()

    def request_finished(self, record: RequestRecord) -> None:
        self._in_flight.dec()
        method = record.method if record.method in METHODS else "other"
        self._requests(record.route, method, record.status).inc()
        self._durations(record.route).observe(record.duration_ms / 1000)
        if record.error is not None:
            self.error(record.error)

    def error(self, code: str) -> None:
        """Counts an error of the catalogue."""
        self._errors(code).inc()

    def shed(self, reason: str) -> None:
        """Counts a request turned away or dropped. ``reason`` is a word of the code, never of a client."""
        self._shed(reason).inc()

    def rate_limited(self) -> None:
        self._rate_limited.inc()

    def picture(self, note: PictureNote) -> None:
        """Counts a picture that was answered."""
        for stage, milliseconds in note.timings_ms.items():
            if (series := self._stages.get(stage)) is not None:
                series.observe(milliseconds / 1000)
        self._faces.observe(note.faces_detected)
        for code in note.warnings:
            self._warnings.labels(code).inc()
        for reading in note.readings:
            confidence = self._confidence.labels(reading.model)
            for face in reading.faces:
                self._predictions.labels(reading.model, face.label).inc()
                confidence.observe(face.confidence)
                if face.uncertain:
                    self._uncertain.labels(reading.model).inc()

    def shadow(self, model: str, *, same: int, different: int) -> None:
        """Counts the faces of one picture by whether the shadow model agreed."""
        self._shadow.labels(model, "same").inc(same)
        self._shadow.labels(model, "different").inc(different)

    def shadow_dropped(self) -> None:
        self._shadow_dropped.inc()

    def exposition(self, snapshot: Snapshot) -> bytes:
        """All series in Prometheus' text format, with what is known at this moment."""
        self._live.snapshot = snapshot
        return generate_latest(self._registry)


class _LiveCollector(Collector):
    """The series of a snapshot; none before the first."""

    snapshot: Snapshot | None = None

    def collect(self) -> Iterator[Metric]:
        now = self.snapshot
        if now is None:
            return
        yield GaugeMetricFamily("visage_ready", "1 when the service can take a picture.", value=int(now.ready))
        yield GaugeMetricFamily("visage_queue_depth", "Pictures that wait for a worker.", value=now.queue_depth)
        yield GaugeMetricFamily("visage_workers", "Worker threads.", value=now.workers)
        yield GaugeMetricFamily("visage_workers_busy", "Workers that read a picture.", value=now.workers_busy)
        yield CounterMetricFamily(
            "visage_worker_restarts", "Workers that died or hung and were replaced.", value=now.worker_restarts
        )
        if now.shared_state_up is not None:
            yield GaugeMetricFamily(
                "visage_shared_state_up",
                "1 while Redis answers, 0 while each replica counts for itself; absent where no Redis is configured.",
                value=int(now.shared_state_up),
            )
        yield GaugeMetricFamily("visage_threads", "Python threads of the process.", value=threading.active_count())
        models = GaugeMetricFamily(
            "visage_model_info", "A loaded model.", labels=("model", "version", "architecture", "default")
        )
        providers = GaugeMetricFamily(
            "visage_provider_info", "An execution provider that a model really uses.", labels=("model", "provider")
        )
        for model in now.models:
            models.add_metric((model.name, model.version, model.architecture, str(model.default).lower()), 1)
            for provider in model.providers:
                providers.add_metric((model.name, provider), 1)
        yield models
        yield providers
