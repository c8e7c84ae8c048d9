"""Golden vectors: crops with the outputs of a model, by which any port of it can prove itself.

``golden.json`` lies beside a model, and may be missing. Its crops are grey, row by row; models that take colours get
the same value in each channel.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.inference.calibration import calibrate
from app.inference.manifest import Manifest, open_within
from app.inference.session import Runner, Tensor

FILE: Final = "golden.json"
_LARGEST_FILE: Final = 2**22
TOLERANCE: Final = 0.03
"""How far a probability may be off: processors and builds of ONNX Runtime round 8-bit integers a little differently."""


@dataclass(frozen=True, slots=True)
class Vector:
    """One crop, (height, width) uint8 as base64, and what the model gives for it."""

    name: str
    pixels: str
    logits: list[float]
    probabilities: list[float]

    def crop(self, height: int, width: int) -> NDArray[np.uint8]:
        """The crop in RGB, (height, width, 3)."""
        grey = np.frombuffer(base64.b64decode(self.pixels, validate=True), np.uint8).reshape(height, width)
        return np.repeat(grey[:, :, None], 3, axis=2)


def write(folder: Path, manifest: Manifest, vectors: Sequence[Vector]) -> None:
    """Writes the vectors of a model; the hash says of which file."""
    spec = manifest.input
    head = {"sha256": manifest.sha256, "height": spec.height, "width": spec.width, "labels": list(manifest.labels)}
    body = {**head, "tolerance": TOLERANCE, "vectors": [asdict(vector) for vector in vectors]}
    (folder / FILE).write_text(json.dumps(body, indent=1) + "\n")


def read(folder: Path, manifest: Manifest) -> list[Vector]:
    """The vectors of a model; none without a file. Raises ValueError for one that does not belong to the model."""
    try:
        with open_within(folder, FILE, at_most=_LARGEST_FILE) as file:
            body: dict[str, Any] = json.load(file)
    except FileNotFoundError:
        return []
    try:
        if body["sha256"] != manifest.sha256:
            raise ValueError(f"{FILE} belongs to another file than {manifest.file}")
        return [Vector(**vector) for vector in body["vectors"]]
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{FILE} has not the form of golden vectors") from None


def deviation(vector: Vector, manifest: Manifest, runner: Runner, prepared: Tensor) -> float:
    """The largest difference of a probability from the vector's."""
    found = calibrate(runner.run(prepared, with_features=False).scores, manifest.output)[0]
    return float(np.abs(found - np.asarray(vector.probabilities)).max())
