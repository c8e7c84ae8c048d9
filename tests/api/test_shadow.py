"""The shadow model: it gets a share of the pictures, and only its agreement is counted."""

from __future__ import annotations

import threading

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import Start, service_of, until, upload
from tests.api.fakes import FakeModel, FakeRegistry, Script, manifest
from tests.api.test_metrics import Scrape

SAD = (0.0, 0.0, 0.0, 0.4, 0.5, 0.1, 0.0)


def shadowed(start: Start, share: float = 1.0, workers: int = 2) -> TestClient:
    registry = FakeRegistry(FakeModel(), FakeModel(manifest("second"), probabilities=SAD))
    return start(registry=registry, shadow_model="second", shadow_share=share, workers=workers)


def test_agreement_is_counted_and_nothing_else(start: Start, script: Script) -> None:
    client = shadowed(start)
    script.faces = 2
    response = client.post("/predict?faces=all", **upload())
    assert response.json()["model"]["name"] == "default"
    assert "second" not in response.text
    until(lambda: Scrape(client).value("visage_shadow_predictions_total", agreement="different") == 2)
    scrape = Scrape(client)
    assert scrape.value("visage_shadow_predictions_total", agreement="same") == 0
    assert scrape.value("visage_predictions_total", model="second") == 0
    assert client.get("/stats").json()["models"].keys() == {"default"}


def test_a_share_of_zero_compares_nothing(start: Start, script: Script) -> None:
    client = shadowed(start, share=0.0)
    client.post("/predict", **upload())
    client.post("/predict", **upload())
    assert Scrape(client).value("visage_shadow_predictions_total") == 0
    assert script.finished == 2


def test_the_shadow_model_skips_its_own_predictions(start: Start, script: Script) -> None:
    client = shadowed(start)
    client.post("/predict?model=second", **upload())
    client.post("/predict?model=second", **upload())
    assert script.finished == 2
    assert Scrape(client).value("visage_shadow_dropped_total") == 0


def test_requests_go_before_the_shadow_model(start: Start, script: Script) -> None:
    client = shadowed(start, workers=1)
    pool = service_of(client).pool
    first = client.post("/predict", **upload())
    until(lambda: Scrape(client).value("visage_shadow_predictions_total") == 1)
    script.gate = threading.Event()
    waiting = threading.Thread(target=lambda: client.post("/predict", **upload()))
    waiting.start()
    try:
        script.wait_until_entered()
        until(lambda: pool.busy == 1)
        # The pool is at work: what is offered in the meantime is dropped.
        client.portal.call(_offer, client)  # type: ignore[union-attr]
        assert Scrape(client).value("visage_shadow_dropped_total") == 1
    finally:
        script.gate.set()
        waiting.join()
    assert first.status_code == 200


def test_a_shadow_model_that_does_not_exist_is_named_in_the_log(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    client = start(shadow_model="nowhere", shadow_share=1.0)
    assert "SHADOW_MODEL: there is no model nowhere" in caplog.text
    assert client.post("/predict", **upload()).status_code == 200


def test_a_shadow_model_that_fails_changes_no_response(start: Start, script: Script) -> None:
    client = start(shadow_model="nowhere", shadow_share=1.0, workers=2)
    assert client.post("/predict", **upload()).status_code == 200
    until(lambda: Scrape(client).value("visage_shadow_dropped_total") == 1)
    assert client.post("/predict", **upload()).status_code == 200


async def _offer(client: TestClient) -> None:
    from app.pipeline import DetectedPicture, PicturePrediction

    service = service_of(client)
    assert service.shadow is not None
    prediction = PicturePrediction(service.registry.get(), (), 0.0)
    detected: DetectedPicture = None  # type: ignore[assignment]
    await service.shadow.offer(detected, prediction)
