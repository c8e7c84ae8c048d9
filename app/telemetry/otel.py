"""Spans through the OpenTelemetry SDK. Imported only where the extra ``otel`` is installed and traces are on."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import app
from app.telemetry.metrics import STAGES
from app.telemetry.records import RequestRecord


class OpenTelemetry:
    """Spans through the OpenTelemetry SDK, exported in batches by a thread of its own."""

    def __init__(self, exporter: SpanExporter | None) -> None:
        resource = Resource.create({"service.name": "visage", "service.version": app.__version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("visage", app.__version__)
        self._propagator = TraceContextTextMapPropagator()

    def request_finished(self, record: RequestRecord) -> None:
        parent = self._propagator.extract({"traceparent": record.traceparent, "tracestate": record.tracestate})
        span = self._tracer.start_span(
            f"{record.method} {record.route}",
            context=parent,
            kind=SpanKind.SERVER,
            start_time=record.started_ns,
            attributes={
                "http.request.method": record.method,
                "http.route": record.route,
                "http.response.status_code": record.status,
                "visage.request_id": record.request_id,
            },
        )
        if record.faces is not None:
            span.set_attribute("visage.faces", record.faces)
        if record.error is not None:
            span.set_attribute("error.type", record.error)
        if record.status >= 500:
            span.set_status(StatusCode.ERROR)
        end = record.started_ns + _nanoseconds(record.duration_ms)
        self._stages(record, end, set_span_in_context(span))
        span.end(end)

    def _stages(self, record: RequestRecord, end: int, context: Context) -> None:
        # The stages follow one another, and the answer goes out right after the last.
        stages = [(name, record.timings_ms[name]) for name in STAGES if name in record.timings_ms]
        at = max(end - _nanoseconds(sum(milliseconds for _, milliseconds in stages)), record.started_ns)
        for name, milliseconds in stages:
            span = self._tracer.start_span(name, context=context, start_time=at)
            at += _nanoseconds(milliseconds)
            span.end(at)

    def close(self) -> None:
        self._provider.shutdown()


def _nanoseconds(milliseconds: float) -> int:
    return round(milliseconds * 1e6)
