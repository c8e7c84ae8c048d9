"""Traces through OpenTelemetry, an extra that is off by default: one span a request, one below it a stage.

Spans are made after the response, from times that are measured anyway.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import app
from app.config import BadSettings, Settings
from app.telemetry.metrics import STAGES
from app.telemetry.records import RequestRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter


_LAST_SECONDS: Final = 2.0
"""For spans that wait when the service ends."""


class Tracer:
    """Traces nothing."""

    def request_finished(self, record: RequestRecord) -> None:
        """Makes the spans of a request."""

    def close(self) -> None:
        """Exports what waits."""


def make_tracer(settings: Settings, exporter: SpanExporter | None = None) -> Tracer:
    """The tracer that the settings ask for. ``OTEL_EXPORTER_OTLP_ENDPOINT`` says where spans go."""
    if not settings.otel_enabled:
        return Tracer()
    try:
        return OpenTelemetryTracer(exporter)
    except ImportError:
        raise BadSettings("OTEL_ENABLED: tracing needs the extra visage[otel], which is not installed.") from None


class OpenTelemetryTracer(Tracer):
    """Exports spans in batches, by a thread of the OpenTelemetry SDK."""

    def __init__(self, exporter: SpanExporter | None) -> None:
        # OpenTelemetry is imported only where tracing is on.
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        resource = Resource.create({"service.name": "visage", "service.version": app.__version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("visage", app.__version__)
        self._propagator = TraceContextTextMapPropagator()
        self._api = trace

    def request_finished(self, record: RequestRecord) -> None:
        attributes: dict[str, str | int] = {
            "http.request.method": record.method,
            "http.route": record.route,
            "http.response.status_code": record.status,
            "visage.request_id": record.request_id,
        }
        optional = {"visage.faces": record.faces, "error.type": record.error}
        attributes.update((name, value) for name, value in optional.items() if value is not None)
        request = self._tracer.start_span(
            f"{record.method} {record.route}",
            context=self._propagator.extract({"traceparent": record.traceparent, "tracestate": record.tracestate}),
            kind=self._api.SpanKind.SERVER,
            start_time=record.started_ns,
            attributes=attributes,
        )
        if record.status >= 500:
            request.set_status(self._api.StatusCode.ERROR)
        end = record.started_ns + _nanoseconds(record.duration_ms)
        # The stages follow one another, and the response is sent right after the last.
        stages = {name: _nanoseconds(record.timings_ms[name]) for name in STAGES if name in record.timings_ms}
        start = max(end - sum(stages.values()), record.started_ns)
        for name, duration in stages.items():
            stage = self._tracer.start_span(name, self._api.set_span_in_context(request), start_time=start)
            start += duration
            stage.end(start)
        request.end(end)

    def close(self) -> None:
        # A collector that does not respond would hold the process for half a minute.
        sender = threading.Thread(target=self._provider.shutdown, daemon=True)
        sender.start()
        sender.join(_LAST_SECONDS)


def _nanoseconds(milliseconds: float) -> int:
    return round(milliseconds * 1e6)
