"""Traces: one span a request and one a stage, through OpenTelemetry, an extra that is off by default.

Spans are made when a request is over, from the times that were taken anyway, so a trace costs the road nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from app.config import BadSettings, Settings
from app.telemetry.records import RequestRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter


class Tracer(Protocol):
    """What the edge knows of tracing."""

    def request_finished(self, record: RequestRecord) -> None: ...

    def close(self) -> None: ...


class NoTracer:
    """Traces nothing."""

    def request_finished(self, record: RequestRecord) -> None:
        pass

    def close(self) -> None:
        pass


def make_tracer(settings: Settings, exporter: SpanExporter | None = None) -> Tracer:
    """The tracer that the settings ask for; ``OTEL_EXPORTER_OTLP_ENDPOINT`` says where spans go."""
    if not settings.otel_enabled:
        return NoTracer()
    try:
        from app.telemetry.otel import OpenTelemetry  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise BadSettings("OTEL_ENABLED: tracing needs the extra visage[otel], which is not installed.") from None
    return OpenTelemetry(exporter)
