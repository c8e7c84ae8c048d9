"""The series that Prometheus sees after a known course of events."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

import app
from app.telemetry.metrics import Metrics
from app.telemetry.records import PictureRecord, PredictionRecord, RequestRecord


def series(metrics: Metrics) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
    text = metrics.exposition(CollectorRegistry()).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return series(metrics)[name, frozenset(labels.items())]


def finished(
    route: str, status: int, milliseconds: float, error: str | None = None, method: str = "POST"
) -> RequestRecord:
    return RequestRecord("id", method, route=route, status=status, duration_ms=milliseconds, error=error)


def picture(label: str, confidence: float, *, uncertain: bool = False, warnings: tuple[str, ...] = ()) -> PictureRecord:
    timings = {"queue": 0.2, "decode": 2.0, "inference": 1.0, "total": 3.2}
    return PictureRecord(timings, 1, warnings, (PredictionRecord("default", label, confidence, uncertain),))


def test_requests_are_counted_by_route_method_and_status() -> None:
    metrics = Metrics()
    for record in (
        finished("/predict", 200, 6),
        finished("/predict", 200, 400),
        finished("/predict", 422, 3, "no_face_detected"),
    ):
        metrics.request_started()
        metrics.request_finished(record)
    assert value(metrics, "visage_http_requests_total", route="/predict", method="POST", status="200") == 2
    assert value(metrics, "visage_http_requests_total", route="/predict", method="POST", status="422") == 1
    assert value(metrics, "visage_errors_total", code="no_face_detected") == 1
    assert value(metrics, "visage_http_request_duration_seconds_bucket", route="/predict", le="0.01") == 2
    assert value(metrics, "visage_http_request_duration_seconds_count", route="/predict") == 3
    assert value(metrics, "visage_http_request_duration_seconds_sum", route="/predict") == pytest.approx(0.409)


def test_requests_in_flight_go_up_and_down() -> None:
    metrics = Metrics()
    metrics.request_started()
    metrics.request_started()
    metrics.request_finished(finished("/predict", 200, 1))
    assert value(metrics, "visage_http_requests_in_flight") == 1


def test_an_invented_method_makes_no_series_of_its_own() -> None:
    metrics = Metrics()
    metrics.request_started()
    metrics.request_finished(finished("unmatched", 405, 1, method="X" * 50))
    assert value(metrics, "visage_http_requests_total", route="unmatched", method="other", status="405") == 1


def test_pictures_are_counted_by_label_confidence_and_stage() -> None:
    metrics = Metrics()
    metrics.picture(picture("happy", 0.9))
    metrics.picture(picture("happy", 0.5, uncertain=True, warnings=("blurred",)))
    metrics.picture(picture("sad", 0.7))
    assert value(metrics, "visage_predictions_total", model="default", label="happy") == 2
    assert value(metrics, "visage_predictions_total", model="default", label="sad") == 1
    assert value(metrics, "visage_predictions_uncertain_total", model="default") == 1
    assert value(metrics, "visage_prediction_confidence_sum", model="default") == pytest.approx(2.1)
    assert value(metrics, "visage_prediction_confidence_count", model="default") == 3
    assert value(metrics, "visage_warnings_total", code="blurred") == 1
    assert value(metrics, "visage_faces_per_image_count") == 3
    assert value(metrics, "visage_stage_duration_seconds_count", stage="decode") == 3
    assert value(metrics, "visage_stage_duration_seconds_sum", stage="decode") == pytest.approx(0.006)
    assert ("visage_stage_duration_seconds_count", frozenset({("stage", "total")})) not in series(metrics)


def test_refused_requests_are_counted_by_reason() -> None:
    metrics = Metrics()
    metrics.shed("queue_full")
    metrics.shed("queue_full")
    metrics.shed("draining")
    metrics.rate_limited()
    assert value(metrics, "visage_requests_shed_total", reason="queue_full") == 2
    assert value(metrics, "visage_requests_shed_total", reason="draining") == 1
    assert value(metrics, "visage_requests_rate_limited_total") == 1


def test_predictions_of_the_shadow_model_are_counted_by_agreement() -> None:
    metrics = Metrics()
    metrics.shadow("other", same=3, different=1)
    metrics.shadow_dropped()
    assert value(metrics, "visage_shadow_predictions_total", model="other", agreement="same") == 3
    assert value(metrics, "visage_shadow_predictions_total", model="other", agreement="different") == 1
    assert value(metrics, "visage_shadow_dropped_total") == 1


def test_memory_and_the_version_have_series() -> None:
    metrics = Metrics()
    assert value(metrics, "process_resident_memory_bytes") > 1e6
    assert value(metrics, "visage_build_info", version=app.__version__) == 1


def test_two_services_in_one_process_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.rate_limited()
    assert value(second, "visage_requests_rate_limited_total") == 0
