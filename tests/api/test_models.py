"""``GET /models`` and ``POST /models/reload``."""

from __future__ import annotations

import base64
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import Overloaded
from app.inference.further import FurtherValue
from app.inference.manifest import BadModel, MultilabelSpec, RegressionSpec
from tests.api.conftest import PICTURE, Start, upload
from tests.api.fakes import LABELS, PATIENCE, FakeModel, FakeRegistry, manifest

KEY = "0123456789abcdef0123"


def test_models_are_listed_with_their_facts_and_cards(start: Start, tmp_path: Path) -> None:
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "CARD.md").write_text("# A card", "utf-8")
    other = manifest("other").model_copy(update={"explain": None})
    registry = FakeRegistry(FakeModel(), FakeModel(other), failures={"broken": "Model broken: it lies."})
    result = start(registry=registry, models_dir=tmp_path).get("/models").json()
    first, second = result["models"]
    assert first["card"] == "# A card"
    assert second["card"] is None
    assert {name: first[name] for name in ("name", "version", "default", "license", "sha256")} == {
        "name": "default",
        "version": "1.2.3",
        "default": True,
        "license": "MIT",
        "sha256": "0" * 64,
    }
    assert first["labels"] == list(LABELS)
    assert first["metrics"] == {"accuracy": 0.5}
    assert first["providers"] == ["cpu"]
    assert first["explains_by"] == "contrast"
    assert first["explain_methods"] == ["contrast", "cam", "occlusion"]
    assert (second["explains_by"], second["explain_methods"]) == ("occlusion", ["occlusion"])
    assert second["default"] is False
    assert result["failures"] == {"broken": "Model broken: it lies."}


def test_a_card_that_leads_out_of_the_folder_is_not_shown(start: Start, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret", "utf-8")
    folder = tmp_path / "models" / "default"
    folder.mkdir(parents=True)
    (folder / "CARD.md").symlink_to(secret)
    result = start(models_dir=tmp_path / "models").get("/models").json()
    assert result["models"][0]["card"] is None


def test_models_are_told_while_a_reload_removes_one(start: Start) -> None:
    class Reloading(FakeRegistry):
        """Loses a model after it has told its names."""

        @property
        def names(self) -> tuple[str, ...]:
            return (*super().names, "removed")

    client = start(registry=Reloading(FakeModel()))
    assert [client.get(path).status_code for path in ("/models", "/info", "/labels", "/metrics")] == [200] * 4
    assert client.post("/predict/compare", **upload()).status_code == 200


def test_a_reload_takes_up_what_is_on_disk(start: Start) -> None:
    registry = FakeRegistry(FakeModel())
    client = start(registry=registry, api_keys=f"ops:{KEY}:admin")
    response = client.post("/models/reload", headers={"X-API-Key": KEY})
    assert response.status_code == 200
    assert response.json()["models"] == ["default"]
    assert registry.reloads == 1


def test_a_reload_needs_a_key(start: Start) -> None:
    registry = FakeRegistry(FakeModel())
    client = start(registry=registry, api_keys=f"ops:{KEY}:admin")
    assert client.post("/models/reload").status_code == 401
    assert client.post("/models/reload", headers={"X-API-Key": "wrong" * 5}).status_code == 401
    assert registry.reloads == 0


def test_a_reload_needs_a_key_that_is_marked_admin(start: Start) -> None:
    registry = FakeRegistry(FakeModel())
    client = start(registry=registry, api_keys=f"phone:{KEY}")
    response = client.post("/models/reload", headers={"X-API-Key": KEY})
    assert (response.status_code, response.json()["error"]) == (403, "forbidden")
    assert registry.reloads == 0


def test_models_are_listed_during_a_reload_and_another_reload_is_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, loaded, running = threading.Event(), threading.Event(), threading.Lock()

    def reload(self: FakeRegistry) -> None:
        if not running.acquire(blocking=False):
            raise Overloaded
        loading.set()
        assert loaded.wait(PATIENCE)

    monkeypatch.setattr(FakeRegistry, "reload", reload)
    client = start(api_keys=f"ops:{KEY}:admin")
    headers = {"X-API-Key": KEY}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/models/reload", headers=headers)
        assert loading.wait(PATIENCE)
        for _ in range(40):
            refused = client.post("/models/reload", headers=headers)
            assert (refused.status_code, refused.json()["error"]) == (503, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/models", headers=headers).status_code == 200
        loaded.set()
        assert first.result().status_code == 200


@pytest.mark.parametrize("kind", ["a link to itself", "a folder", "a pipe"])
def test_a_card_that_is_no_file_is_not_shown(start: Start, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "default"
    folder.mkdir()
    card = folder / "CARD.md"
    match kind:
        case "a link to itself":
            card.symlink_to(card)
        case "a folder":
            card.mkdir()
        case _:
            os.mkfifo(card)
    response = start(models_dir=tmp_path).get("/models")
    assert response.status_code == 200
    assert response.json()["models"][0]["card"] is None


def test_an_open_service_has_no_reload(start: Start) -> None:
    registry = FakeRegistry(FakeModel())
    response = start(registry=registry).post("/models/reload")
    assert (response.status_code, response.json()["error"]) == (404, "not_found")
    assert "API_KEYS" in response.json()["message"]
    assert registry.reloads == 0


def test_a_reload_that_would_break_the_service_changes_nothing_and_says_why(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: FakeRegistry) -> None:
        raise BadModel("Model default: its hash is wrong.")

    monkeypatch.setattr(FakeRegistry, "reload", refuse)
    client = start(api_keys=f"ops:{KEY}:admin")
    response = client.post("/models/reload", headers={"Authorization": f"Bearer {KEY}"})
    assert (response.status_code, response.json()["error"]) == (409, "model_rejected")
    assert "its hash is wrong" in response.json()["message"]
    assert client.get("/models", headers={"X-API-Key": KEY}).status_code == 200


def test_the_page_and_info_tell_the_same_facts(start: Start) -> None:
    client = start()
    (listed,) = client.get("/models").json()["models"]
    (shown,) = client.get("/info").json()["models"]
    assert {name: listed[name] for name in shown} == shown


def test_what_a_model_gives_beside_its_labels_is_listed_and_given(start: Start) -> None:
    outputs = (
        RegressionSpec(kind="regression", tensor="affect", names=("valence",), range=(-1, 1)),
        MultilabelSpec(kind="multilabel", tensor="units", names=("AU12",), values="logits", thresholds=(0.4,)),
    )
    further = (FurtherValue("valence", 0.61234), FurtherValue("AU12", 0.93, True))
    rich = FakeModel(manifest("rich").model_copy(update={"outputs": outputs}), further=further)
    client = start(registry=FakeRegistry(FakeModel(), rich))
    listed = {model["name"]: model["outputs"] for model in client.get("/models").json()["models"]}
    assert listed == {
        "default": [],
        "rich": [
            {"kind": "regression", "names": ["valence"], "range": [-1.0, 1.0]},
            {"kind": "multilabel", "names": ["AU12"], "thresholds": [0.4]},
        ],
    }
    given = {"valence": {"value": 0.6123}, "AU12": {"value": 0.93, "active": True}}
    assert client.post("/predict?model=rich", **upload()).json()["outputs"] == given
    assert "outputs" not in client.post("/predict", **upload()).json()
    compared = client.post("/predict/compare", **upload()).json()["models"]
    assert [model.get("outputs") for model in compared] == [None, given]
    body = {"image": base64.b64encode(PICTURE).decode()}
    assert client.post("/analyze/facial?model=rich", json=body).json()["outputs"] == given
