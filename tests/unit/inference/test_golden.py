from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.inference import golden
from app.inference.classifier import load_classifier
from app.inference.manifest import BadModel
from app.inference.session import SessionSpec

MODELS = Path("models")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS / "default", tmp_path / "default"))


def change(folder: Path, **values: Any) -> None:
    path = folder / golden.FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("name", ["default", "accurate"])
def test_a_shipped_model_gives_what_its_golden_vectors_say(name: str) -> None:
    model = load_classifier(MODELS / name, SessionSpec())
    vectors = golden.read(MODELS / name, model.manifest)
    assert len(vectors) == 12
    spec = model.manifest.input
    for vector in vectors:
        prepared = model.prepare([vector.crop(spec.height, spec.width)])
        assert golden.deviation(vector, model.manifest, model.runner, prepared) < golden.TOLERANCE, vector.name


def test_a_model_that_gives_something_else_is_refused(folder: Path) -> None:
    vectors = json.loads((folder / golden.FILE).read_text())["vectors"]
    vectors[0]["probabilities"] = vectors[0]["probabilities"][1:] + vectors[0]["probabilities"][:1]
    change(folder, vectors=vectors)
    with pytest.raises(BadModel, match=r"Collins.* a probability is off by"):
        load_classifier(folder, SessionSpec())


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"sha256": "0" * 64}, "belongs to another file"),
        ({"vectors": [{"name": "x"}]}, "not the form of golden vectors"),
        ({"vectors": 3}, "not the form of golden vectors"),
        ({"vectors": [{"name": "x", "pixels": 1, "logits": [], "probabilities": []}]}, "cannot be used"),
    ],
)
def test_vectors_that_do_not_fit_the_model_are_named(folder: Path, values: dict[str, Any], reason: str) -> None:
    change(folder, **values)
    with pytest.raises(BadModel, match=reason):
        load_classifier(folder, SessionSpec())


def test_a_model_without_golden_vectors_is_loaded(folder: Path) -> None:
    (folder / golden.FILE).unlink()
    assert load_classifier(folder, SessionSpec()).manifest.name == "default"
