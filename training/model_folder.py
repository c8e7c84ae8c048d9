"""Writes the folder of a model: the ONNX file and its manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

from app.inference.manifest import MANIFEST_FILE, Manifest, load_manifest

MODEL_FILE: Final = "model.onnx"


def publish(folder: Path, model: bytes, manifest: Manifest) -> None:
    """Writes both files; the manifest gets the hash of the model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / manifest.file).write_bytes(model)
    _write(folder, manifest.model_copy(update={"sha256": hashlib.sha256(model).hexdigest()}))


def amend(folder: Path, **changes: Any) -> Manifest:
    """Changes fields of the manifest in a folder and returns it; the model is not touched."""
    manifest = load_manifest(folder).model_copy(update=changes)
    _write(folder, manifest)
    return manifest


def _write(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2, exclude_none=True) + "\n")
