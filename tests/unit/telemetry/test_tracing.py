"""Spans of a request and of its stages, seen through OpenTelemetry's in-memory exporter."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from typing import Any

import pytest

from app.config import BadSettings, Settings
from app.telemetry import tracing
from app.telemetry.records import RequestRecord
from app.telemetry.tracing import OpenTelemetryTracer, make_tracer

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"

needs_otel = pytest.mark.skipif(
    importlib.util.find_spec("opentelemetry") is None or importlib.util.find_spec("opentelemetry.sdk") is None,
    reason="the extra visage[otel] is not installed",
)


def spans_of(record: RequestRecord) -> dict[str, Any]:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    tracer = make_tracer(Settings(otel_enabled=True), exporter)
    tracer.request_finished(record)
    tracer.close()
    return {span.name: span for span in exporter.get_finished_spans()}


def read_record(**changes: Any) -> RequestRecord:
    fields: dict[str, Any] = {
        "route": "/predict",
        "status": 200,
        "faces": 1,
        "timings_ms": {"queue": 1.0, "decode": 2.0, "inference": 3.0, "total": 6.0},
        "started_ns": 1_000_000_000,
        "duration_ms": 10.0,
    }
    return RequestRecord("id", "POST", **{**fields, **changes})


def test_traces_are_off_by_default() -> None:
    assert not isinstance(make_tracer(Settings()), OpenTelemetryTracer)


def test_traces_without_the_extra_stop_the_start_with_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(BadSettings, match=r"OTEL_ENABLED: .* visage\[otel\]"):
        make_tracer(Settings(otel_enabled=True))


@needs_otel
def test_a_request_is_a_span_with_one_span_a_stage() -> None:
    spans = spans_of(read_record())
    request = spans["POST /predict"]
    assert set(spans) == {"POST /predict", "queue", "decode", "inference"}
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["visage.faces"] == 1
    assert request.end_time - request.start_time == 10_000_000
    for stage, milliseconds in {"queue": 1, "decode": 2, "inference": 3}.items():
        span = spans[stage]
        assert span.parent.span_id == request.context.span_id
        assert span.end_time - span.start_time == milliseconds * 1_000_000
    assert spans["queue"].end_time == spans["decode"].start_time
    assert spans["inference"].end_time == request.end_time


@needs_otel
def test_a_collector_that_does_not_respond_does_not_hold_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.sdk.trace.export import SpanExportResult
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    over = threading.Event()

    class Hangs(InMemorySpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            over.wait(10)
            return super().export(spans)

    monkeypatch.setattr(tracing, "_LAST_SECONDS", 0.1)
    tracer = make_tracer(Settings(otel_enabled=True), Hangs())
    tracer.request_finished(read_record())
    started = time.monotonic()
    tracer.close()
    took = time.monotonic() - started
    over.set()
    assert took < 5


@needs_otel
def test_a_trace_that_began_elsewhere_goes_on_here() -> None:
    span = spans_of(read_record(traceparent=f"00-{TRACE}-{PARENT}-01"))["POST /predict"]
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT


@needs_otel
def test_a_broken_trace_header_begins_a_trace_of_its_own() -> None:
    span = spans_of(read_record(traceparent="nonsense"))["POST /predict"]
    assert span.parent is None


@needs_otel
def test_an_error_is_told_by_its_code() -> None:
    span = spans_of(read_record(status=503, error="timeout", timings_ms={}))["POST /predict"]
    assert span.attributes["error.type"] == "timeout"
    assert not span.status.is_ok
