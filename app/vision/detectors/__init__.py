"""Makes the face detector. Each engine is imported only when it is chosen, so the other need not be installed."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Literal

from app.vision.face_search import FaceDetector

DetectorName = Literal["mediapipe", "onnx"]

_FOLDER = "face_detector"
_NAME = "face_detection_short_range"
_SHA256 = {
    ".tflite": "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ".onnx": "a0877af1a8d3ea2d284d3a4bb2ceb9bb4d39aec32a1c178a8186287f506edda1",
}


class BadDetector(Exception):
    """The detector's file is missing or not the expected one. The message has no full stop."""


def make_detector(name: DetectorName, models_dir: Path, threshold: float) -> FaceDetector:
    """A detector for one worker. ``threshold`` is the least score of a detection that counts as a face."""
    if name == "onnx":
        from app.vision.detectors.onnx import OnnxDetector  # noqa: PLC0415

        return OnnxDetector(_weights(models_dir, ".onnx"), threshold)
    # MediaPipe imports a sound library, for which ctypes starts a compiler and writes files. Pictures need none.
    sys.modules.setdefault("sounddevice", None)  # type: ignore[arg-type]
    from app.vision.detectors.mediapipe import MediaPipeDetector  # noqa: PLC0415

    return MediaPipeDetector(_weights(models_dir, ".tflite"), threshold)


def _weights(models_dir: Path, suffix: str) -> Path:
    """The file with the weights. Raises :class:`BadDetector` when it is missing or its hash is wrong."""
    path = models_dir / _FOLDER / f"{_NAME}{suffix}"
    try:
        data = path.read_bytes()
    except OSError:
        raise BadDetector(f"the face detector's file {path.name} cannot be read") from None
    if hashlib.sha256(data).hexdigest() != _SHA256[suffix]:
        raise BadDetector(f"the face detector's file {path.name} has the wrong SHA-256")
    return path
