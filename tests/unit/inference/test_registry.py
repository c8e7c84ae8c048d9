"""Which models are served, and what happens when some cannot."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.config import BadSettings, Settings
from app.errors import ModelNotFound, NotReady
from app.inference.batcher import Batcher
from app.inference.classifier import Classifier, load_classifier
from app.inference.manifest import BadModel
from app.inference.registry import Registry, load_registry
from app.inference.session import SessionSpec
from tests.models import make_brightness_model, make_model

BRIGHT = np.full((48, 48, 3), 220, np.uint8)


def _settings(folder: Path, **values: Any) -> Settings:
    return Settings(models_dir=folder, execution_providers=("cpu",), **values)


def _label(model: Classifier) -> str:
    probabilities = model.infer(model.prepare([BRIGHT])).probabilities[0]
    return model.manifest.labels[int(probabilities.argmax())]


def test_every_folder_with_a_manifest_is_a_model(tmp_path: Path) -> None:
    make_brightness_model(tmp_path / "default")
    make_model(tmp_path / "second")
    (tmp_path / "face_detector").mkdir()
    (tmp_path / "face_detector" / "detector.onnx").write_bytes(b"x")
    (tmp_path / "README.md").write_text("models")

    registry = load_registry(_settings(tmp_path))

    assert registry.ready
    assert registry.names == ("default", "second")
    assert registry.failures == {}
    assert _label(registry.get()) == "happy"
    assert registry.get("second").manifest.name == "second"
    assert registry.get("second").providers == ("cpu",)


def test_the_default_is_a_setting(tmp_path: Path) -> None:
    make_model(tmp_path / "default")
    make_brightness_model(tmp_path / "second")

    registry = load_registry(_settings(tmp_path, default_model="second"))

    assert registry.default_name == "second"
    assert registry.get().manifest.name == "second"
    assert registry.names == ("second", "default")


@pytest.mark.parametrize("name", ["nobody", "../default", "face_detector", "DEFAULT"])
def test_an_unknown_name_is_not_found(tmp_path: Path, name: str) -> None:
    make_model(tmp_path / "default")

    with pytest.raises(ModelNotFound):
        load_registry(_settings(tmp_path)).get(name)


def test_one_bad_model_does_not_stop_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_brightness_model(tmp_path / "default")
    make_model(tmp_path / "bad", sha256="0" * 64)

    registry = load_registry(_settings(tmp_path))

    assert registry.ready
    assert registry.names == ("default",)
    assert registry.failures["bad"].startswith("Model bad: model.onnx has SHA-256")
    assert caplog.messages == [registry.failures["bad"]]
    with pytest.raises(ModelNotFound):
        registry.get("bad")


def test_a_bad_default_is_not_ready(tmp_path: Path) -> None:
    make_model(tmp_path / "default", sha256="0" * 64)
    make_model(tmp_path / "second")

    registry = load_registry(_settings(tmp_path))

    assert not registry.ready
    assert list(registry.failures) == ["default"]
    with pytest.raises(NotReady):
        registry.get()
    with pytest.raises(NotReady):
        registry.get("default")
    assert registry.get("second").manifest.name == "second"


@pytest.mark.parametrize("kind", ["an empty folder", "no manifest"])
def test_a_missing_default_is_not_ready(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    if kind == "no manifest":
        (make_model(folder / "default") / "manifest.json").unlink()

    registry = load_registry(_settings(folder))

    assert not registry.ready
    assert registry.failures == {"default": "Model default: there is no manifest.json."}


def test_a_forbidden_fallback_stops_the_start(tmp_path: Path) -> None:
    make_model(tmp_path / "default")
    settings = Settings(models_dir=tmp_path, execution_providers=("tensorrt", "cpu"), strict_providers=True)

    with pytest.raises(BadSettings, match=r"^STRICT_PROVIDERS: tensorrt was asked for, .*\.$"):
        load_registry(settings)


def test_a_reload_swaps_what_changed(tmp_path: Path) -> None:
    make_brightness_model(tmp_path / "default")
    make_model(tmp_path / "goes")
    registry = load_registry(_settings(tmp_path))
    before = registry.get()
    make_model(tmp_path / "default", version="2.0")
    make_model(tmp_path / "comes")
    (tmp_path / "goes" / "manifest.json").unlink()

    registry.reload()

    assert registry.names == ("default", "comes")
    assert registry.get().manifest.version == "2.0"
    assert before.manifest.version == "1.0"
    assert _label(before) == "happy"


def test_a_reload_to_a_bad_default_changes_nothing(tmp_path: Path) -> None:
    make_brightness_model(tmp_path / "default")
    registry = load_registry(_settings(tmp_path))
    (tmp_path / "default" / "model.onnx").write_bytes(b"half a model")
    make_model(tmp_path / "second")

    with pytest.raises(BadModel, match="Model default: "):
        registry.reload()

    assert registry.ready
    assert registry.names == ("default",)
    assert _label(registry.get()) == "happy"


def test_a_reload_mends_a_bad_default(tmp_path: Path) -> None:
    registry = load_registry(_settings(tmp_path))
    assert not registry.ready
    make_brightness_model(tmp_path / "default")

    registry.reload()

    assert registry.ready
    assert _label(registry.get()) == "happy"


def test_no_request_fails_while_models_are_reloaded(tmp_path: Path) -> None:
    for name in ("default", "a", "b"):
        make_brightness_model(tmp_path / name)
    registry = load_registry(_settings(tmp_path))
    done = threading.Event()
    failures: list[BaseException] = []

    def ask() -> None:
        while not done.is_set():
            for name in registry.names:
                try:
                    assert _label(registry.get(name)) == "happy"
                except BaseException as error:
                    failures.append(error)
                    return

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        registry.reload()
    done.set()
    for thread in threads:
        thread.join()

    assert failures == []


def test_closing_ends_the_batchers(tmp_path: Path) -> None:
    make_brightness_model(tmp_path / "gpu")
    before = threading.active_count()

    def load(name: str) -> Classifier:
        model = load_classifier(tmp_path / name, SessionSpec(("cpu",)))
        return Classifier(model.manifest, Batcher(model.runner), model.class_weights)

    registry = Registry("gpu", lambda: ["gpu"], load)
    assert threading.active_count() == before + 1
    registry.reload()
    assert threading.active_count() == before + 1
    held = registry.get()

    registry.close()

    assert threading.active_count() == before
    assert _label(held) == "happy"
