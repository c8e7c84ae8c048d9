"""The face detector of MediaPipe's Tasks API (BlazeFace, short range).

Making one prints three lines of MediaPipe's own to stderr (an "INFO" on XNNPACK, a "W0000" on feedback tensors).
They are harmless, and nothing turns them off that would not swallow a real error too.
"""

from __future__ import annotations

from pathlib import Path

import mediapipe
import numpy as np
from mediapipe.tasks.python.core.base_options import BaseOptions
from mediapipe.tasks.python.vision import FaceDetector as Task
from mediapipe.tasks.python.vision import FaceDetectorOptions
from numpy.typing import NDArray

from app.vision.geometry import Box, Face

_CUT = 0.5
"""What a number loses on average when it is cut to a whole one."""


class MediaPipeDetector:
    """Runs on a thread of its own, one call at a time: a worker that shares one waits for the other.

    Close it: MediaPipe complains on stderr about one that the end of the process finds open.
    """

    def __init__(self, model_path: Path, threshold: float) -> None:
        options = FaceDetectorOptions(
            base_options=BaseOptions(model_asset_path=str(model_path)), min_detection_confidence=threshold
        )
        self._task = Task.create_from_options(options)

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """The faces in uint8 (h, w, 3) RGB, surest first. MediaPipe cuts boxes to whole pixels, landmarks not."""
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        height, width = pixels.shape[:2]
        faces = []
        for found in self._task.detect(image).detections:
            box = found.bounding_box
            faces.append(
                Face(
                    Box(box.origin_x + _CUT, box.origin_y + _CUT, box.width + _CUT, box.height + _CUT),
                    float(found.categories[0].score),
                    tuple((point.x * width, point.y * height) for point in found.keypoints),
                )
            )
        return faces

    def close(self) -> None:
        self._task.close()
