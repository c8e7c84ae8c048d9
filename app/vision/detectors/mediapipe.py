"""The face detector of MediaPipe's Tasks API (BlazeFace, short range), called without its Python.

MediaPipe's own `detect` passes every call of the library to another thread and waits for it, twice per detection, and
registers thirty functions again for each image. Here each worker owns its detector, so it makes the calls itself. That
saves half a millisecond of five, and more where threads compete for the interpreter's lock. MediaPipe creates and
closes the task. The library's functions are no public interface: the version is pinned, and
`tests/unit/vision/test_mediapipe_detector.py` compares the results with those of MediaPipe's `detect`.

Creating a task prints three harmless lines to stderr (an "INFO" on XNNPACK, a "W0000" on feedback tensors). They cannot
be turned off without hiding real errors too.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from mediapipe.tasks.python.components.containers.detections_c import DetectionC, DetectionResultC
from mediapipe.tasks.python.core.base_options import BaseOptions
from mediapipe.tasks.python.core.mediapipe_c_bindings import load_raw_library
from mediapipe.tasks.python.core.mediapipe_c_utils import handle_status
from mediapipe.tasks.python.vision import FaceDetector as Task
from mediapipe.tasks.python.vision import FaceDetectorOptions
from mediapipe.tasks.python.vision.core import image as images
from numpy.typing import NDArray

from app.vision.geometry import Box, Face

_CUT = 0.5
"""What a number loses on average when it is truncated to an integer."""

_BYTES = ctypes.POINTER(ctypes.c_uint8)


class MediaPipeDetector:
    """For one thread only. Close it: MediaPipe prints an error when one is open at the end of the process."""

    def __init__(self, model_path: Path, threshold: float) -> None:
        options = FaceDetectorOptions(
            base_options=BaseOptions(model_asset_path=str(model_path)), min_detection_confidence=threshold
        )
        self._task = Task.create_from_options(options)
        self._library = load_raw_library(images._CTYPES_SIGNATURES)
        # PyDLL keeps the interpreter's lock: freeing memory takes less time than releasing the lock.
        held = ctypes.PyDLL(self._library._name, handle=self._library._handle)
        self._free_image = held.MpImageFree
        self._free_image.argtypes, self._free_image.restype = [ctypes.c_void_p], None
        self._free_result = held.MpFaceDetectorCloseResult
        self._free_result.argtypes, self._free_result.restype = [ctypes.POINTER(DetectionResultC)], None

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """The faces in uint8 (h, w, 3) RGB, best first. MediaPipe truncates boxes, but not landmarks, to pixels."""
        height, width = pixels.shape[:2]
        found = DetectionResultC()
        with self._image(pixels) as image:
            self._call(self._library.MpFaceDetectorDetectImage, self._task._handle, image, None, ctypes.byref(found))
        try:
            return [_face(found.detections[number], width, height) for number in range(found.detections_count)]
        finally:
            self._free_result(ctypes.byref(found))

    def close(self) -> None:
        self._task.close()

    @contextmanager
    def _image(self, pixels: NDArray[np.uint8]) -> Iterator[ctypes.c_void_p]:
        """The library's own copy of the pixels."""
        pixels = np.ascontiguousarray(pixels)
        height, width = pixels.shape[:2]
        image = ctypes.c_void_p()
        data = pixels.ctypes.data_as(_BYTES)
        create = self._library.MpImageCreateFromUint8Data
        self._call(create, images.ImageFormat.SRGB, width, height, data, pixels.size, ctypes.byref(image))
        try:
            yield image
        finally:
            self._free_image(image)

    def _call(self, function: ctypes._NamedFuncPointer, *arguments: object) -> None:
        """Calls a function that returns a status, and raises an exception for an error."""
        message = ctypes.c_char_p()
        status = function(*arguments, ctypes.byref(message))
        try:
            handle_status(status, message)
        finally:
            if message.value is not None:
                self._library.MpErrorFree(message)


def _face(found: DetectionC, width: int, height: int) -> Face:
    box = found.bounding_box
    points = found.keypoints[: found.keypoints_count]
    return Face(
        Box(box.left + _CUT, box.top + _CUT, box.right - box.left + _CUT, box.bottom - box.top + _CUT),
        float(found.categories[0].score),
        tuple((point.x * width, point.y * height) for point in points),
    )
