"""``GET /stats``: totals since the start."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.telemetry.records import PictureRecord, PredictionRecord
from tests.api.conftest import PICTURE, Start, service_of, upload
from tests.api.fakes import FakeModel, FakeRegistry, Script


def stats_of(client: TestClient) -> dict[str, Any]:
    """The result of ``/stats``, which the client compares with the document."""
    result: dict[str, Any] = client.get("/stats").json()
    return result


def test_a_known_course_of_requests_gives_known_totals(start: Start, script: Script) -> None:
    client = start(registry=FakeRegistry(FakeModel(probabilities=(0.05, 0.0, 0.05, 0.45, 0.05, 0.05, 0.35))))
    client.post("/predict", **upload())
    client.post("/predict", **upload(b"error:invalid_image\n"))
    client.post("/predict/batch", files=[("files", ("a", PICTURE)), ("files", ("b", b"error:image_too_small\n"))])
    script.faces = 2
    client.post("/predict?faces=all", **upload())
    result = stats_of(client)
    assert result["requests"]["/predict"] == 3
    assert result["requests"]["/predict/batch"] == 1
    assert result["errors"] == {"invalid_image": 1, "image_too_small": 1}
    assert (result["pictures"], result["faces"]) == (3, 4)
    model = result["models"]["default"]
    assert (model["pictures"], model["faces"], model["uncertain"]) == (3, 4, 4)
    assert model["uncertain_share"] == 1.0
    assert model["labels"] == {"happy": 4}
    assert model["confidence"]["mean"] == pytest.approx(0.45)
    assert model["confidence"]["counts"] == [0, 0, 0, 0, 4, 0, 0, 0, 0, 0]
    assert sum(model["latency_ms"]["counts"]) == 3


def test_each_model_has_its_own_totals(start: Start) -> None:
    client = start()
    metrics = service_of(client).metrics
    happy, sad = PredictionRecord("a", "happy", 0.9, False), PredictionRecord("a", "sad", 0.4, True)
    metrics.picture(PictureRecord({"total": 4.0}, 2, ("blurred",), (happy, sad)))
    metrics.picture(PictureRecord({"total": 40.0}, 2, (), (happy, PredictionRecord("b", "sad", 0.4, True))))
    result = stats_of(client)
    assert (result["pictures"], result["faces"], result["warnings"]) == (2, 4, {"blurred": 1})
    a, b = result["models"]["a"], result["models"]["b"]
    assert (a["pictures"], a["faces"], a["uncertain"], a["uncertain_share"]) == (2, 3, 1, 0.3333)
    assert a["labels"] == {"happy": 2, "sad": 1}
    assert a["confidence"]["mean"] == pytest.approx((0.9 + 0.4 + 0.9) / 3, abs=1e-4)
    assert a["latency_ms"]["mean"] == 22
    assert (b["pictures"], b["faces"], b["uncertain"]) == (1, 1, 1)


@pytest.mark.parametrize(("value", "bin_"), [(0.0, 0), (0.1, 0), (0.1001, 1), (0.9, 8), (0.95, 9), (1.0, 9)])
def test_a_confidence_counts_in_the_first_bin_that_holds_it(start: Start, value: float, bin_: int) -> None:
    client = start()
    record = PictureRecord({"total": 4.0}, 1, (), (PredictionRecord("a", "happy", value, False),))
    service_of(client).metrics.picture(record)
    confidence = stats_of(client)["models"]["a"]["confidence"]
    assert confidence["bounds"] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert confidence["counts"] == [int(number == bin_) for number in range(10)]


@pytest.mark.parametrize(("value", "bin_"), [(0.4, 0), (1.0, 0), (5.0, 2), (5.01, 3), (30_000.0, 13), (31_000.0, 14)])
def test_a_time_counts_in_the_first_bin_that_holds_it(start: Start, value: float, bin_: int) -> None:
    client = start()
    record = PictureRecord({"total": value}, 1, (), (PredictionRecord("a", "happy", 0.9, False),))
    service_of(client).metrics.picture(record)
    latency = stats_of(client)["models"]["a"]["latency_ms"]
    assert latency["bounds"] == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000]
    assert latency["counts"] == [int(number == bin_) for number in range(15)]


def test_warnings_are_counted(start: Start, script: Script) -> None:
    client = start()
    script.faces = 0
    client.post("/predict?on_no_face=center", **upload())
    assert client.get("/stats").json()["warnings"] == {"face_assumed": 1}


def test_a_service_without_requests_has_empty_totals(start: Start) -> None:
    result = stats_of(start())
    assert (result["pictures"], result["models"]) == (0, {})


def test_totals_can_be_turned_off(start: Start) -> None:
    response = start(stats=False).get("/stats")
    assert (response.status_code, response.json()["error"]) == (404, "not_found")
