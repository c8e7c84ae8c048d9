"""Which models are served, and what happens when some cannot."""

from __future__ import annotations

import gc
import os
import shutil
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from app.config import BadSettings, Settings
from app.errors import ModelNotFound, NotReady, Overloaded
from app.inference.batcher import Batcher
from app.inference.classifier import Classifier, load_classifier
from app.inference.manifest import BadModel, read_within
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

    with pytest.raises(ModelNotFound, match=r"There is no model of this name\. There is: default\."):
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


def _replace(what: str) -> Callable[[Path], None]:
    """Puts something else in the place of a model's file or of its folder."""

    def apply(folder: Path) -> None:
        name, _, kind = what.partition(": ")
        path = folder if name == "folder" else folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        match kind:
            case "link to itself":
                path.symlink_to(path)
            case "folder":
                path.mkdir()
            case "pipe":
                os.mkfifo(path)
            case "device":
                path.symlink_to("/dev/zero")
            case "2 GB":
                with path.open("wb") as file:
                    file.truncate(2**31)

    return apply


@pytest.mark.parametrize(
    "what",
    [
        *(
            f"{name}: {kind}"
            for name in ("model.onnx", "manifest.json")
            for kind in ("link to itself", "folder", "pipe", "device", "2 GB")
        ),
        "folder: link to itself",
    ],
)
def test_a_bad_extra_model_harms_only_itself(tmp_path: Path, what: str) -> None:
    make_brightness_model(tmp_path / "default")
    _replace(what)(make_model(tmp_path / "bad"))

    registry = load_registry(_settings(tmp_path))

    assert registry.names == ("default",)
    assert registry.failures.keys() == {"bad"}
    assert registry.failures["bad"].startswith("Model bad: ")
    assert ". " not in registry.failures["bad"]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_model(tmp_path / "big")
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(BadModel, match=r"^Model big: manifest\.json has more than 100 bytes\.$"):
        read_within(folder, "manifest.json", at_most=100)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["", "model.onnx", "manifest.json"])
def test_a_file_that_may_not_be_read_harms_only_its_model(tmp_path: Path, name: str) -> None:
    make_brightness_model(tmp_path / "default")
    locked = make_model(tmp_path / "bad") / name
    locked.chmod(0)

    registry = load_registry(_settings(tmp_path))
    locked.chmod(0o700)

    assert registry.names == ("default",)
    assert "(Permission denied)" in registry.failures["bad"]


@pytest.mark.parametrize("name", ["caf\udce9", "two\nlines"])
def test_a_folder_whose_name_is_no_text_is_named_in_text(tmp_path: Path, name: str) -> None:
    make_brightness_model(tmp_path / "default")
    make_model(tmp_path / "other").rename(tmp_path / name)

    registry = load_registry(_settings(tmp_path))

    assert registry.names == ("default",)
    (failure,) = registry.failures.items()
    assert orjson.dumps(dict([failure]))
    assert "\n" not in failure[1]


def test_an_error_that_nobody_expects_harms_only_its_model(tmp_path: Path) -> None:
    make_brightness_model(tmp_path / "default")

    def load(name: str) -> Classifier:
        if name == "bad":
            raise MemoryError
        return load_classifier(tmp_path / name, SessionSpec(("cpu",)))

    registry = Registry("default", lambda: ["default", "bad"], load)

    assert registry.names == ("default",)
    assert registry.failures == {"bad": "Model bad: it cannot be loaded (MemoryError)."}


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


def test_a_reload_during_another_is_refused_at_once(tmp_path: Path) -> None:
    make_brightness_model(tmp_path / "default")
    loading, loaded = threading.Event(), threading.Event()
    model = load_classifier(tmp_path / "default", SessionSpec(("cpu",)))
    loaded.set()

    def load(name: str) -> Classifier:
        loading.set()
        assert loaded.wait(20)
        return model

    registry = Registry("default", lambda: ["default"], load)
    loading.clear()
    loaded.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(registry.reload)
        assert loading.wait(20)
        with pytest.raises(Overloaded) as refusal:
            registry.reload()
        assert refusal.value.retry_after >= 1
        loaded.set()
        first.result()
    registry.reload()


def test_a_reload_frees_what_it_replaces(tmp_path: Path) -> None:
    make_brightness_model(tmp_path / "default")
    registry = load_registry(_settings(tmp_path))
    replaced = weakref.ref(registry.get())
    gc.disable()
    try:
        registry.reload()
        assert replaced() is None
    finally:
        gc.enable()


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
