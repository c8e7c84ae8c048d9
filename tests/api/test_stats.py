"""``GET /stats``: totals of what was answered."""

from __future__ import annotations

import pytest

from app.api.routes.stats import Stats
from tests.api.conftest import PICTURE, Start, upload
from tests.api.fakes import FakeModel, FakeRegistry, Script


def test_a_known_course_of_requests_gives_known_totals(start: Start, script: Script) -> None:
    client = start(registry=FakeRegistry(FakeModel(probabilities=(0.05, 0.0, 0.05, 0.45, 0.05, 0.05, 0.35))))
    client.post("/predict", **upload())
    client.post("/predict", **upload(b"error:invalid_image\n"))
    client.post("/predict/batch", files=[("files", ("a", PICTURE)), ("files", ("b", b"error:image_too_small\n"))])
    script.faces = 2
    client.post("/predict?faces=all", **upload())
    answer = client.get("/stats").json()
    Stats.model_validate(answer)
    assert answer["requests"]["/predict"] == 3
    assert answer["requests"]["/predict/batch"] == 1
    assert answer["errors"] == {"invalid_image": 1, "image_too_small": 1}
    assert (answer["pictures"], answer["faces"]) == (3, 4)
    model = answer["models"]["default"]
    assert (model["pictures"], model["faces"], model["uncertain"]) == (3, 4, 4)
    assert model["uncertain_share"] == 1.0
    assert model["labels"] == {"happy": 4}
    assert model["confidence"]["mean"] == pytest.approx(0.45)
    assert model["confidence"]["counts"] == [0, 0, 0, 0, 4, 0, 0, 0, 0, 0]
    assert sum(model["latency_ms"]["counts"]) == 3


def test_warnings_are_counted(start: Start, script: Script) -> None:
    client = start()
    script.faces = 0
    client.post("/predict?on_no_face=center", **upload())
    assert client.get("/stats").json()["warnings"] == {"face_assumed": 1}


def test_a_service_that_has_answered_nothing_says_so(start: Start) -> None:
    answer = start().get("/stats").json()
    Stats.model_validate(answer)
    assert (answer["pictures"], answer["models"]) == (0, {})


def test_totals_can_be_turned_off(start: Start) -> None:
    response = start(stats=False).get("/stats")
    assert (response.status_code, response.json()["error"]) == (404, "not_found")
