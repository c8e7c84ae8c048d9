"""Which engine finds the faces. Each is imported only when it is chosen: the other need not be installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from app.vision.faces import FaceDetector

Engine = Literal["mediapipe", "onnx"]

_FOLDER = "face_detector"
_NAME = "face_detection_short_range"


def make_detector(engine: Engine, models_dir: Path, threshold: float) -> FaceDetector:
    """A detector of its own for one worker. ``threshold`` is the score from which a detection is a face."""
    folder = models_dir / _FOLDER
    if engine == "onnx":
        from app.vision.onnx_detector import OnnxDetector  # noqa: PLC0415

        return OnnxDetector(folder / f"{_NAME}.onnx", threshold)
    # MediaPipe looks for a sound library that no picture needs, for which ctypes starts a compiler and writes files.
    sys.modules.setdefault("sounddevice", None)  # type: ignore[arg-type]
    from app.vision.mediapipe_detector import MediaPipeDetector  # noqa: PLC0415

    return MediaPipeDetector(folder / f"{_NAME}.tflite", threshold)
