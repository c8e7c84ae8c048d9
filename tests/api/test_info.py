"""``GET /info``: what the service says of itself."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

import app
from app.vision.quality import THRESHOLDS
from tests.api.conftest import Start, upload
from tests.api.fakes import LABELS, FakeModel, FakeRegistry, manifest


def test_the_service_says_what_it_is_and_how_it_is_set_up(start: Start) -> None:
    registry = FakeRegistry(FakeModel(providers=("cuda", "cpu")), failures={"broken": "Model broken: it lies."})
    limits = {"max_file_size_mb": 3, "max_batch_files": 7, "rate_limit": "9/second"}
    client = start(registry=registry, workers=2, **limits)
    result = client.get("/info").json()
    assert (result["service"], result["version"]) == ("visage", app.__version__)
    assert result["default_model"] == "default"
    assert result["providers"] == ["cuda", "cpu"]
    assert result["failures"] == {"broken": "Model broken: it lies."}
    assert result["workers"] == {"count": 2, "alive": 2, "face_detector": "blazeface+yunet"}
    assert result["limits"]["formats"] == ["jpeg", "png", "webp", "bmp"]
    assert result["limits"].items() >= limits.items()
    assert result["quality_thresholds"].keys() == THRESHOLDS.keys()


def test_the_notice_can_be_read_by_a_program(start: Start) -> None:
    notice = start().get("/info").json()["notice"]
    assert "apparent expression" in notice["purpose"]
    for word in ("hiring", "policing", "medicine", "schooling", "at work"):
        assert any(word in use for use in notice["ruled_out"])
    assert [(law["article"], law["date"]) for law in notice["laws"]] == [
        ("Article 5(1)(f)", "2025-02-02"),
        ("Article 50(3)", "2026-08-02"),
    ]
    assert notice["texts"].keys() == {"en", "de", "fr", "es"}


@pytest.mark.parametrize(("threshold", "sure"), [(0.6, 0.8), (0.3, 0.65), (0.0, 0.5), (1.0, 1.0)])
def test_the_levels_follow_the_threshold(start: Start, threshold: float, sure: float) -> None:
    client = start(confidence_threshold=threshold)
    levels = client.get("/info").json()["levels"]
    assert [(level["name"], level["from"]) for level in levels] == [
        ("uncertain", 0.0),
        ("fair", threshold),
        ("sure", sure),
    ]
    assert client.get("/labels").json()["levels"] == {level["name"]: level["from"] for level in levels}


def test_every_label_is_listed_once_with_how_it_is_shown(start: Start) -> None:
    models = FakeModel(), FakeModel(manifest("other", ("happiness", "happy", "bored")))
    client = start(registry=FakeRegistry(*models))
    labels = client.get("/info").json()["labels"]
    assert [label["name"] for label in labels] == [*LABELS, "happiness", "bored"]
    assert client.get("/labels").json()["labels"] == [label["name"] for label in labels]
    by_name = {label["name"]: label for label in labels}
    assert by_name["happiness"]["emoji"] == by_name["happy"]["emoji"] == "😄"
    assert len({label["color"] for label in labels}) == len(labels) - 1


def test_the_facts_for_clients_are_few_bytes(client: TestClient) -> None:
    assert len(client.get("/labels").content) < 500


def test_colors_can_be_read_on_light_and_on_dark(client: TestClient) -> None:
    result = client.get("/info").json()
    for shown in [*result["labels"], *result["levels"]]:
        assert _contrast(shown["color"], "#ffffff") >= 4.5
        assert _contrast(shown["color"], "#1b2023") >= 3


def _contrast(color: str, background: str) -> float:
    """The contrast of two colours as WCAG defines it."""
    darker, lighter = sorted(_luminance(each) + 0.05 for each in (color, background))
    return lighter / darker


def _luminance(color: str) -> float:
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_no_secret_setting_is_shown(start: Start) -> None:
    client = start(api_keys="phone:0123456789abcdef0123", rate_limit_storage="memory://")
    text = client.get("/info", headers={"X-API-Key": "0123456789abcdef0123"}).text
    assert "0123456789abcdef" not in text
    assert "memory://" not in text


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
@pytest.mark.parametrize(("root_path", "link"), [("", "</info>"), ("/visage", "</visage/info>")])
def test_results_link_to_the_notice(start: Start, accept: str, root_path: str, link: str) -> None:
    client = start(root_path=root_path)
    for path, body in (
        ("/predict", upload()),
        ("/predict/compare", upload()),
        ("/predict/batch", {"files": {"files": upload()["files"]["file"]}}),
        ("/analyze/facial", {"json": {"image": "AAAA"}}),
    ):
        response = client.post(path, headers={"Accept": accept}, **body)
        assert response.status_code == 200
        assert response.headers["link"] == f'{link}; rel="terms-of-service"'
