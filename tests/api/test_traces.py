"""Traces of real requests, from the header that came with them to what an exporter is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from tests.api.conftest import until, upload
from tests.api.fakes import Script, fake_factories

pytest.importorskip("opentelemetry.sdk", reason="the extra visage[otel] is not installed")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
ALLOWED = {
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "visage.request_id",
    "visage.faces",
    "error.type",
}


@pytest.fixture
def spans_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[TestClient], object]], list[Any]]:
    """All spans that a service exports while something is done with it, but for those of its probes."""
    from opentelemetry.exporter.otlp.proto.http import trace_exporter
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    def spans(do: Callable[[TestClient], object]) -> list[Any]:
        exporter = InMemorySpanExporter()
        monkeypatch.setattr(trace_exporter, "OTLPSpanExporter", lambda: exporter)
        app = create_app(Settings(otel_enabled=True, rate_limit="off", workers=1), fake_factories(Script()))
        with TestClient(app, raise_server_exceptions=False) as client:
            until(lambda: client.get("/health/ready").status_code == 200)
            do(client)
        return [span for span in exporter.get_finished_spans() if "/health" not in span.name]

    return spans


def test_a_prediction_is_a_span_with_one_below_it_a_stage_in_the_caller_s_trace(
    spans_of: Callable[[Callable[[TestClient], object]], list[Any]],
) -> None:
    header = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    spans = spans_of(lambda client: client.post("/predict", **upload(), headers=header))
    request, *stages = sorted(spans, key=lambda span: span.name != "POST /predict")
    assert {span.name for span in stages} == {"queue", "decode", "detect", "prepare", "inference"}
    assert all(span.parent.span_id == request.context.span_id for span in stages)
    assert f"{request.parent.span_id:016x}" == PARENT
    assert {f"{span.context.trace_id:032x}" for span in spans} == {TRACE}
    assert request.attributes["http.response.status_code"] == 200


def test_a_span_says_no_more_than_a_log_line(
    spans_of: Callable[[Callable[[TestClient], object]], list[Any]],
) -> None:
    def do(client: TestClient) -> None:
        client.post("/predict?canary=1", **upload())
        client.post("/predict", **upload(name="canary.jpg"), headers={"X-Forwarded-For": "203.0.113.9"})
        client.post("/predict", **upload(b"error:invalid_image\n"))
        client.get("/canary")

    spans = spans_of(do)
    assert set().union(*(span.attributes for span in spans)) <= ALLOWED
    text = str([(span.name, dict(span.attributes), span.events) for span in spans])
    assert "canary" not in text
    assert "203.0.113.9" not in text
    assert "happy" not in text
    assert [span.attributes.get("error.type") for span in spans if span.name == "POST /predict"] == [
        "invalid_request",
        None,
        "invalid_image",
    ]
