"""``POST /predict/compare``: one detection, several predictions."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import Start, upload
from tests.api.fakes import FakeModel, FakeRegistry, Script, manifest

HAPPY = FakeModel()
SAD = FakeModel(manifest("gloomy"), probabilities=(0.0, 0.0, 0.0, 0.4, 0.5, 0.1, 0.0))
SMALL = FakeModel(manifest("small", labels=("happy", "bored")), probabilities=(0.8, 0.2))


@pytest.fixture
def client(start: Start) -> TestClient:
    return start(registry=FakeRegistry(HAPPY, SAD, SMALL))


def compare(client: TestClient, query: str = "") -> dict[str, Any]:
    response = client.post(f"/predict/compare{query}", **upload())
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def test_models_that_disagree(client: TestClient, script: Script) -> None:
    result = compare(client, "?models=default,gloomy")
    assert result["agree"] is False
    assert result["by_emotion"] == {"happy": ["default"], "sad": ["gloomy"]}
    assert [entry["model"]["name"] for entry in result["models"]] == ["default", "gloomy"]
    assert [entry["is_uncertain"] for entry in result["models"]] == [False, True]
    assert result["largest_difference"]["happy"] == 0.52
    assert result["largest_difference"]["disgust"] == 0.0
    assert script.started == 1
    assert script.finished == 2


def test_models_that_agree_though_their_labels_differ(client: TestClient) -> None:
    result = compare(client, "?models=small,default")
    assert result["agree"] is True
    assert result["by_emotion"] == {"happy": ["small", "default"]}
    assert result["models"][0]["probabilities"] == {"happy": 0.8, "bored": 0.2}
    assert result["largest_difference"]["bored"] == 0.0


def test_models_that_agree_though_they_name_their_labels_differently(start: Start) -> None:
    other = FakeModel(manifest("other", labels=("Happiness", "Neutral")), probabilities=(0.7, 0.3))
    result = compare(start(registry=FakeRegistry(HAPPY, other)))
    assert result["agree"] is True
    assert result["by_emotion"] == {"happy": ["default", "other"]}
    assert "Happiness" not in result["largest_difference"]
    assert result["largest_difference"]["happy"] > 0


def test_all_models_where_none_is_named(client: TestClient) -> None:
    assert [entry["model"]["name"] for entry in compare(client)["models"]] == ["default", "gloomy", "small"]


def test_without_a_model_it_is_not_ready(start: Start) -> None:
    response = start(wait=False, registry=FakeRegistry(failures={"default": "It is gone."})).post(
        "/predict/compare", **upload()
    )
    assert (response.status_code, response.json()["error"]) == (503, "not_ready")


def test_a_model_that_is_named_twice_predicts_once(client: TestClient) -> None:
    assert len(compare(client, "?models=gloomy,%20gloomy,")["models"]) == 1


def test_the_largest_of_several_faces(client: TestClient, script: Script) -> None:
    script.faces = 2
    assert compare(client, "?faces=largest")["faces_detected"] == 2
    response = client.post("/predict/compare", **upload())
    assert (response.status_code, response.json()["error"]) == (422, "multiple_faces")


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("?models=default,nowhere", 404, "model_not_found"),
        ("?models=,", 422, "invalid_request"),
        ("?faces=all", 422, "invalid_request"),
    ],
)
def test_a_wrong_query_is_one_error(client: TestClient, query: str, status: int, error: str) -> None:
    response = client.post(f"/predict/compare{query}", **upload())
    assert (response.status_code, response.json()["error"]) == (status, error)


def test_each_model_counts_what_it_read(client: TestClient) -> None:
    compare(client, "?models=default,gloomy")
    stats = client.get("/stats").json()
    assert stats["pictures"] == 1
    assert stats["models"]["default"]["labels"] == {"happy": 1}
    assert stats["models"]["gloomy"]["labels"] == {"sad": 1}
