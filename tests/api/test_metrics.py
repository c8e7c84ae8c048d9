"""``GET /metrics``: scraped and parsed, after a known course of requests."""

from __future__ import annotations

import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from app.service import Phase
from app.system import memory_limit
from app.telemetry.metrics import Metrics
from tests.api.conftest import PICTURE, Start, service_of, until, upload
from tests.api.fakes import FakeModel, FakeRegistry, Script, manifest


class Scrape:
    """The series of one scrape."""

    def __init__(self, client: TestClient) -> None:
        response = client.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        self.samples = [sample for family in text_string_to_metric_families(response.text) for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum over the series that have these labels."""
        found = [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]
        return sum(found)

    def labels(self, label: str) -> set[str]:
        return {sample.labels[label] for sample in self.samples if label in sample.labels}


def test_a_known_course_of_requests_gives_known_numbers(start: Start, script: Script) -> None:
    client = start(workers=2)
    client.post("/predict", **upload())
    client.post("/predict", **upload())
    client.post("/predict", **upload(b"error:invalid_image\n"))
    client.post("/predict/batch", files=[("files", ("a", PICTURE)), ("files", ("b", b""))])
    script.faces = 3
    client.post("/predict?faces=all", **upload())
    scrape = Scrape(client)
    assert scrape.value("visage_http_requests_total", route="/predict", method="POST", status="200") == 3
    assert scrape.value("visage_http_requests_total", route="/predict", status="400") == 1
    assert scrape.value("visage_http_requests_total", route="/predict/batch", status="200") == 1
    assert scrape.value("visage_errors_total", code="invalid_image") == 1
    assert scrape.value("visage_errors_total", code="empty_file") == 1
    assert scrape.value("visage_predictions_total", model="default", label="happy") == 6
    assert scrape.value("visage_predictions_uncertain_total") == 0
    assert scrape.value("visage_prediction_confidence_count", model="default") == 6
    assert scrape.value("visage_faces_per_image_sum") == 6
    assert scrape.value("visage_faces_per_image_count") == 4
    for stage in ("queue", "decode", "detect", "prepare", "inference"):
        assert scrape.value("visage_stage_duration_seconds_count", stage=stage) == 4
    assert scrape.value("visage_ready") == 1
    assert scrape.value("visage_workers") == 2
    assert scrape.value("visage_http_requests_in_flight") == 1
    assert scrape.value("visage_model_info", model="default", version="1.2.3", architecture="none", default="true") == 1


def test_labels_come_from_the_service_and_never_from_a_request(start: Start) -> None:
    client = start(registry=FakeRegistry(FakeModel(), FakeModel(manifest("other"))))
    client.post("/predict?model=canary-model", **upload())
    client.post("/predict?model=other", **upload())
    client.get("/canary-path")
    client.get("/web/canary-file.js")
    client.request("CANARY", "/predict")
    text = client.get("/metrics").text
    assert "canary" not in text.lower()
    scrape = Scrape(client)
    assert scrape.value("visage_http_requests_total", route="unmatched", status="404") == 1
    assert scrape.value("visage_predictions_total", model="other") == 1
    assert scrape.labels("method") <= {"GET", "POST", "other"}


def test_rate_limits_and_shed_requests_are_counted(start: Start) -> None:
    client = start(rate_limit="1/minute")
    client.post("/predict", **upload())
    client.post("/predict", **upload())
    service_of(client).phase = Phase.DRAINING
    for _ in range(3):
        client.post("/predict", **upload())
    scrape = Scrape(client)
    assert scrape.value("visage_requests_rate_limited_total") == 1
    assert scrape.value("visage_http_requests_total", status="429") == 1
    assert scrape.value("visage_requests_shed_total", reason="draining") == 3
    assert scrape.value("visage_http_requests_total", status="503") == 3
    assert scrape.value("visage_predictions_total") == 1
    assert scrape.value("visage_ready") == 0


def test_requests_that_are_refused_before_they_are_routed_count_for_their_route(start: Start) -> None:
    client = start(api_keys=("web:web-key-0123456789",))
    for path in ("/info", "/predict/batch", "/nothing"):
        assert client.post(path).status_code == 401
    metrics = client.get("/metrics", headers={"X-API-Key": "web-key-0123456789"}).text
    for route in ("/info", "/predict/batch", "unmatched"):
        assert f'visage_http_requests_total{{method="POST",route="{route}",status="401"}} 1.0' in metrics


def test_uncertain_predictions_and_warnings_are_counted(start: Start, script: Script) -> None:
    client = start(confidence_threshold=0.95)
    client.post("/predict", **upload())
    script.faces = 0
    client.post("/predict?on_no_face=center", **upload())
    scrape = Scrape(client)
    assert scrape.value("visage_predictions_uncertain_total", model="default") == 2
    assert scrape.value("visage_prediction_confidence_sum", model="default") == pytest.approx(2 * 0.92)
    assert scrape.value("visage_warnings_total", code="face_assumed") == 1


def test_the_queue_and_the_workers_have_series(start: Start, script: Script) -> None:
    script.gate = threading.Event()
    client = start()
    with ThreadPoolExecutor(2) as clients:
        responses = [clients.submit(client.post, "/predict", **upload()) for _ in range(2)]
        script.wait_until_entered()
        until(lambda: Scrape(client).value("visage_queue_depth") == 1)
        scrape = Scrape(client)
        assert scrape.value("visage_workers_busy") == 1
        assert scrape.value("visage_http_requests_in_flight") == 3
        script.gate.set()
        assert [response.result().status_code for response in responses] == [200, 200]
    scrape = Scrape(client)
    assert scrape.value("visage_queue_depth") == 0
    assert scrape.value("visage_http_requests_in_flight") == 1
    assert scrape.value("process_resident_memory_bytes") > 1e6
    assert scrape.value("visage_threads") > 1
    assert scrape.value("visage_memory_limit_bytes") == memory_limit()
    assert scrape.value("visage_worker_restarts_total") == 0
    assert scrape.value("visage_provider_info", model="default") == 1


def test_the_state_of_redis_has_a_series_only_where_it_is_configured(start: Start) -> None:
    name = "visage_shared_state_up"
    assert name not in {sample.name for sample in Scrape(start()).samples}
    client = start(rate_limit="10/minute", rate_limit_storage="redis://127.0.0.1:1/0")
    assert Scrape(client).value(name) == 1
    assert client.post("/predict", **upload()).status_code == 200
    scrape = Scrape(client)
    assert name in {sample.name for sample in scrape.samples}
    assert scrape.value(name) == 0


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_names_and_text_are_as_prometheus_wants_them(start: Start) -> None:
    client = start(rate_limit="10/minute", rate_limit_storage="redis://127.0.0.1:1/0")
    client.post("/predict", **upload())
    text = client.get("/metrics").content
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_service_that_starts_can_be_scraped(start: Start, script: Script) -> None:
    script.build_gate = threading.Event()
    try:
        assert Scrape(start(wait=False)).value("visage_ready") == 0
    finally:
        script.build_gate.set()


def test_a_request_whose_start_cannot_be_counted_gets_an_error_like_others(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Metrics) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Metrics, "request_started", fails)
    response = client.post("/predict", **upload())
    assert (response.status_code, response.json()["error"]) == (500, "internal_error")
