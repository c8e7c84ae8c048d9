"""Writes golden vectors beside a shipped model: ten made-up faces and two portraits in the public domain."""

from __future__ import annotations

import argparse
import base64
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference import golden
from app.inference.calibration import calibrate
from app.inference.golden import Vector
from app.inference.manifest import Manifest, load_manifest
from training import photos
from training.dataset import Photo
from training.prepare import photo_faces
from training.shipped import Shipped

_PORTRAITS: Final = {"Eileen Collins": "happy_sample.jpg", "Grace Hopper": "neutral_sample.jpg"}
_DRAWN: Final = 10
_SCALE: Final = 8
"""Faces are drawn at eight times the size of FER-2013 and made smaller."""


def drawn(number: int) -> NDArray[np.uint8]:
    """A made-up face (48, 48): a head, two eyes with brows, and a mouth, all of which vary with the number."""
    chance = np.random.default_rng(number)
    size = 48 * _SCALE
    picture = np.full((size, size), chance.integers(40, 200), np.uint8)

    def at(x: float, y: float) -> tuple[int, int]:
        return round(x * size), round(y * size)

    skin = int(chance.integers(120, 230))
    cv2.ellipse(picture, at(0.5, 0.52), at(0.36, 0.46), 0, 0, 360, skin, -1)
    for x, tilt in ((0.32, 1), (0.68, -1)):
        cv2.ellipse(picture, at(x, 0.4), at(0.07, chance.uniform(0.01, 0.06)), 0, 0, 360, 245, -1)
        cv2.circle(picture, at(x, 0.4), size // 40, 20, -1)
        lift = chance.uniform(-0.05, 0.05) * tilt
        cv2.line(picture, at(x - 0.09, 0.28 + lift), at(x + 0.09, 0.28 - lift), 40, size // 40)
    bend = chance.uniform(-0.12, 0.12)
    cv2.ellipse(picture, at(0.5, 0.74), at(0.15, abs(bend)), 0, *((0, 180) if bend > 0 else (180, 360)), 60, size // 36)
    noisy = cv2.resize(picture, (48, 48), interpolation=cv2.INTER_AREA) + chance.normal(0, 4, (48, 48))
    return noisy.clip(0, 255).astype(np.uint8)


def crops(pictures: Path) -> dict[str, NDArray[np.uint8]]:
    """The names and crops (48, 48) of all vectors; the portraits are cropped as in the service."""
    labelled = [Photo("0", "neutral", (pictures / file).read_bytes()) for file in _PORTRAITS.values()]
    with photos.open_pipeline() as pipeline:
        portraits = photo_faces(pipeline, labelled).images
    made_up = {f"made-up face {number}": drawn(number) for number in range(1, _DRAWN + 1)}
    return {**dict(zip(_PORTRAITS, portraits, strict=True)), **made_up}


def vectors(model: Shipped, faces: dict[str, NDArray[np.uint8]]) -> list[Vector]:
    spec = model.manifest.input
    found = []
    for name, face in faces.items():
        sized = np.asarray(cv2.resize(face, (spec.width, spec.height)), np.uint8)
        logits = model.infer(sized[None]).served
        values = [np.asarray(row[0], np.float64).round(5).tolist() for row in (logits, _calibrated(model, logits))]
        found.append(Vector(name, base64.b64encode(sized.tobytes()).decode(), *values))
    return found


def _calibrated(model: Shipped, logits: NDArray[np.float32]) -> NDArray[np.float32]:
    manifest: Manifest = model.manifest
    return calibrate(np.exp(logits) if manifest.output.kind == "probabilities" else logits, manifest.output)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training golden", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/default"))
    parser.add_argument("--pictures", type=Path, default=Path("sample_images"))
    options = parser.parse_args(arguments)
    golden.write(options.model, load_manifest(options.model), vectors(Shipped(options.model), crops(options.pictures)))
    print(options.model / golden.FILE)


if __name__ == "__main__":
    main()
