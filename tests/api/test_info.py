"""``GET /info``: what the service says of itself."""

from __future__ import annotations

import app
from app.vision.quality import THRESHOLDS
from tests.api.conftest import Start
from tests.api.fakes import FakeModel, FakeRegistry


def test_the_service_says_what_it_is_and_how_it_is_set_up(start: Start) -> None:
    registry = FakeRegistry(FakeModel(providers=("cuda", "cpu")), failures={"broken": "Model broken: it lies."})
    limits = {"max_file_size_mb": 3, "max_batch_files": 7, "rate_limit": "9/second"}
    client = start(registry=registry, workers=2, face_detector="onnx", **limits)
    result = client.get("/info").json()
    assert (result["service"], result["version"]) == ("visage", app.__version__)
    assert result["default_model"] == "default"
    assert result["providers"] == ["cuda", "cpu"]
    assert result["failures"] == {"broken": "Model broken: it lies."}
    assert result["workers"] == {"count": 2, "alive": 2, "face_detector": "onnx"}
    assert result["limits"]["formats"] == ["jpeg", "png", "webp", "bmp"]
    assert result["limits"].items() >= limits.items()
    assert result["quality_thresholds"].keys() == THRESHOLDS.keys()


def test_the_notice_says_what_it_must_not_be_used_for(start: Start) -> None:
    notice = start().get("/info").json()["notice"]
    for word in (
        "apparent expression",
        "hiring",
        "policing",
        "medicine",
        "schooling",
        "tell the people",
        "never stored",
    ):
        assert word in notice


def test_no_secret_setting_is_shown(start: Start) -> None:
    client = start(api_keys="phone:0123456789abcdef0123", rate_limit_storage="memory://")
    text = client.get("/info", headers={"X-API-Key": "0123456789abcdef0123"}).text
    assert "0123456789abcdef" not in text
    assert "memory://" not in text
