"""Writes the folder that the engine in the browser loads: the model files, and engine.json, which names them.

    python scripts/export_edge_models.py FOLDER [--model NAME ...] [--details]

The files are those that the service serves; each is named after its hash, so that caches may keep it for ever.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app import __version__  # noqa: E402
from app.config import Settings  # noqa: E402
from app.expression.description import FITTING_UNITS  # noqa: E402
from app.inference.manifest import load_manifest  # noqa: E402

FORMAT = 1
SETTINGS = ("confidence_threshold", "detection_threshold", "max_faces", "max_image_pixels")
MANIFEST_FIELDS = {"name", "version", "license", "labels", "input", "face", "output", "outputs", "explain"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write; files of an earlier run there are removed")
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="the service's models")
    parser.add_argument("--model", nargs="+", default=["default"], metavar="NAME", help="the first is the default")
    parser.add_argument("--details", action="store_true", help="add the networks of mesh, blendshapes and action units")
    arguments = parser.parse_args()
    export(arguments.folder, arguments.models_dir, arguments.model, details=arguments.details)


def export(folder: Path, models_dir: Path, names: list[str], *, details: bool) -> dict[str, Any]:
    """Writes the folder, and returns what is in engine.json. That comes last, so that it never names a file that is not
    there."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (*folder.glob("*.onnx"), folder / "engine.json"):
        stale.unlink(missing_ok=True)
    detector = models_dir / "face_detector"
    contents: dict[str, Any] = {
        "format": FORMAT,
        "version": __version__,
        "settings": {name: Settings.model_fields[name].default for name in SETTINGS},
        "detector": {
            "near": copied(detector / "face_detection_short_range.onnx", folder),
            "far": copied(detector / "yunet.onnx", folder),
        },
        "models": [model(models_dir / name, folder) for name in names],
    }
    if details:
        contents["details"] = detail_files(models_dir / "face_mesh", folder)
    text = json.dumps(contents, ensure_ascii=False, separators=(",", ":"))
    (folder / "engine.json").write_text(text + "\n", encoding="utf-8")
    files = [*folder.iterdir()]
    print(f"{folder}: {len(files)} files, {sum(file.stat().st_size for file in files):,} bytes")
    return contents


def model(source: Path, folder: Path) -> dict[str, Any]:
    """A model's file, and what of its manifest a prediction needs."""
    manifest = load_manifest(source)
    file = copied(source / manifest.file, folder, name=manifest.name)
    if file["sha256"] != manifest.sha256:
        raise SystemExit(f"{source / manifest.file} is not the file that its manifest describes.")
    return {"file": file, "manifest": manifest.model_dump(mode="json", include=MANIFEST_FIELDS)}


def detail_files(source: Path, folder: Path) -> dict[str, Any]:
    """The networks of the face mesh, and the tables that give its numbers a meaning."""
    expression = ROOT / "app" / "expression"
    return {
        "mesh": copied(source / "face_mesh.onnx", folder),
        "blendshapes": copied(source / "blendshapes.onnx", folder),
        "action_units": json.loads((expression / "action_units.json").read_bytes()),
        "fitting_units": {label: sorted(units) for label, units in FITTING_UNITS.items()},
        "canonical_face": json.loads((expression / "canonical_face.json").read_bytes()),
        "descriptions": {
            path.stem: json.loads(path.read_bytes()) for path in sorted((expression / "descriptions").glob("*.json"))
        },
    }


def copied(source: Path, folder: Path, name: str | None = None) -> dict[str, Any]:
    """Copies a file under a name with the start of its hash, and describes it."""
    data = source.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    target = folder / f"{name or source.stem}-{digest[:12]}.onnx"
    shutil.copyfile(source, target)
    return {"path": target.name, "sha256": digest, "bytes": len(data)}


if __name__ == "__main__":
    main()
