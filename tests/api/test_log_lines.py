"""One line a request, and nothing in it about anyone."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.telemetry.logs import write_logs
from app.telemetry.metrics import Metrics
from tests.api.conftest import PICTURE, upload
from tests.api.fakes import Script


def lines(client: TestClient, course: Callable[[], object]) -> list[dict[str, Any]]:
    """What the service writes meanwhile, without what the test's own client writes."""
    out = io.BytesIO()
    with write_logs("debug", "json", out):
        course()
    logged = [json.loads(line) for line in out.getvalue().splitlines()]
    return [line for line in logged if not line.get("logger", "").startswith(("httpx", "httpcore", "asyncio"))]


def test_a_prediction_is_one_line_with_its_stages(client: TestClient) -> None:
    (line,) = lines(client, lambda: client.post("/predict", headers={"X-Request-ID": "my-request-1"}, **upload()))
    assert line["request_id"] == "my-request-1"
    assert (line["method"], line["route"], line["status"]) == ("POST", "/predict", 200)
    assert (line["format"], line["faces"], line["model"], line["size"]) == ("jpeg", 1, "default", "<=64KB")
    assert line["stages_ms"]["decode"] == 2.0
    assert line["stages_ms"].keys() >= {"queue", "detect", "prepare", "inference", "total"}
    assert line["ms"] > 0


def test_an_error_is_told_by_its_code(client: TestClient, script: Script) -> None:
    script.faces = 0
    (line,) = lines(client, lambda: client.post("/predict", **upload()))
    assert (line["status"], line["error"]) == (422, "no_face_detected")
    assert line["size"] == "<=64KB"


def test_a_batch_is_one_line_with_the_sum_of_its_stages(client: TestClient) -> None:
    files = [("files", (f"{i}.jpg", PICTURE)) for i in range(3)]
    (line,) = lines(client, lambda: client.post("/predict/batch", files=files))
    assert (line["route"], line["items"], line["faces"]) == ("/predict/batch", 3, 3)
    assert line["stages_ms"]["decode"] == 6.0


def test_a_bug_is_told_by_its_kind_and_place_but_not_by_its_message(client: TestClient, script: Script) -> None:
    script.fails = ValueError("canary: bytes of a picture")
    logged = lines(client, lambda: client.post("/predict", **upload()))
    assert "canary" not in json.dumps(logged)
    message, line = logged
    assert "ValueError" in message["message"]
    assert "fakes.py" in message["message"]
    assert (line["level"], line["status"], line["error"]) == ("error", 500, "internal_error")
    assert line["request_id"] in message["message"]


def test_metrics_that_fail_cost_neither_the_response_nor_the_line(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(Metrics, "request_finished", fail)
    responses = []
    message, line = lines(client, lambda: responses.append(client.post("/predict", **upload())))
    assert responses[0].status_code == line["status"] == 200
    assert "RuntimeError" in message["message"]
    assert "canary" not in json.dumps([message, line])


def test_nothing_that_a_client_sends_is_written(client: TestClient, script: Script) -> None:
    headers = {"X-Forwarded-For": "203.0.113.77", "Referer": "https://canary.example", "Cookie": "canary=1"}

    def course() -> None:
        client.post("/predict?model=canary", headers=headers, **upload(name="canary.jpg"))
        client.post("/predict", headers=headers, **upload(b"canary bytes", name="canary.jpg"))
        client.post("/predict/batch", headers=headers, files=[("files", ("canary.jpg", b""))])
        client.post("/analyze/facial", headers=headers, json={"image": "canary!", "more": "canary"})
        client.get("/canary/path?canary=1", headers=headers)
        client.post("/predict", headers={**headers, "X-Request-ID": "canary\x07"}, **upload())
        client.post(
            "/predict", headers={"Content-Type": "multipart/form-data; boundary=canary"}, content=b"--canary\r\nb\x01"
        )

    logged = lines(client, course)
    assert len(logged) == 7
    # Digits of a time may be those of a probability by chance.
    times = {"time", "ms", "stages_ms"}
    text = json.dumps([{key: value for key, value in line.items() if key not in times} for line in logged])
    for secret in ("canary", "203.0.113", "testclient", "happy", "0.92"):
        assert secret not in text, secret
