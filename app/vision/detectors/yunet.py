"""YuNet, a small network that finds faces of many sizes in one pass, with five landmarks of each."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.vision.geometry import Box, Face, Point

_STRIDES: Final = np.array((8, 16, 32))
"""Pixels between the cells of each of the network's three grids."""

_SAME_FACE: Final = 0.3
"""Intersection over union from which two boxes are the same face."""

_MOST_BOXES: Final = 1000
_MOST_FACES: Final = 200
"""Boxes that are compared, and faces that are kept, so that no picture occupies a worker for long."""

_DOWN: Final = 0.07
"""How far the centre of a face's square lies below that of YuNet's box, which includes the forehead, as a share."""

_EAR: Final = (-1.388 + 0.095j, 0.933 - 0.387j, -0.005 + 0.965j, 0.007 - 0.508j)
"""The right ear from the middle of the eyes, as a sum of four vectors in complex numbers: to the nose, to the corner of
the mouth on the same side, to the other corner, and from the eye on the same side to the other eye. Fitted to the ears
that BlazeFace finds in portraits: the median distance is 6 % of the face's width, the 95th percentile 13 %."""


class YuNet:
    """Finds faces of ten pixels or more, and those that fill the picture, as long as they are nearly upright."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._used = False

    def detect(self, pixels: NDArray[np.uint8], least_score: float) -> list[Face]:
        """The faces in uint8 (h, w, 3) RGB from a score on, best first."""
        planes = _planes(pixels)
        self._used = True
        (cells,) = self._session.run(None, {"image": planes[None]})
        scores = _scores(cells[0], cells[1])
        likely = np.flatnonzero(scores >= least_score)
        if not likely.size:
            return []
        best = likely[np.argsort(-scores[likely], kind="stable")][:_MOST_BOXES]
        points = _points(cells[2:, best].T.astype(np.float64), *_grid(best, *planes.shape[1:]))
        return [_face(float(scores[best[number]]), points[number]) for number in _distinct(points)]

    def free_memory(self) -> None:
        """Gives back the memory that is kept for the next picture. It costs that picture some milliseconds."""
        if not self._used:
            return
        self._used = False
        options = onnxruntime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        smallest = np.zeros((1, 3, _STRIDES[-1], _STRIDES[-1]), np.uint8)
        self._session.run(None, {"image": smallest}, options)


def _planes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colours (3, height, width), with black at the right and at the bottom, so that each grid divides both sides.
    OpenCV takes a tenth of ONNX Runtime's time for it."""
    height, width = pixels.shape[:2]
    below, beside = -height % int(_STRIDES[-1]), -width % int(_STRIDES[-1])
    if below or beside:
        pixels = np.asarray(cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_CONSTANT), dtype=np.uint8)
    planes = np.empty((3, height + below, width + beside), np.uint8)
    cv2.split(pixels, list(planes))
    return planes


def _scores(face_logits: NDArray[np.float32], object_logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The score of each cell: the geometric mean of its two probabilities."""
    scores = 1 / np.sqrt((1 + np.exp(-face_logits)) * (1 + np.exp(-object_logits)))
    return np.asarray(scores, dtype=np.float32)


def _grid(cells: NDArray[np.intp], height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The corners (n, 2) and the strides (n, 1) of cells, in pixels. The grids follow each other, fine to coarse."""
    columns = width // _STRIDES
    ends = np.cumsum(columns * (height // _STRIDES))
    level = np.searchsorted(ends, cells, side="right")
    down, across = np.divmod(cells - np.concatenate(([0], ends))[level], columns[level])
    strides = _STRIDES[level][:, None].astype(np.float64)
    return np.stack((across, down), axis=1) * strides, strides


def _points(
    raw: NDArray[np.float64], corners: NDArray[np.float64], strides: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Box corners and landmarks as (n, 7, 2) pixels: top left, bottom right, then the five landmarks."""
    centres = corners + raw[:, :2] * strides
    half = np.exp(raw[:, 2:4]) * strides / 2
    landmarks = corners[:, None] + raw[:, 4:].reshape(-1, 5, 2) * strides[:, None]
    return np.concatenate(((centres - half)[:, None], (centres + half)[:, None], landmarks), axis=1)


def _distinct(points: NDArray[np.float64]) -> list[int]:
    """Non-maximum suppression: the numbers of the boxes that overlap no better one much. Best come first."""
    rest = np.arange(len(points))
    kept: list[int] = []
    while rest.size and len(kept) < _MOST_FACES:
        kept.append(int(rest[0]))
        rest = rest[1:][_overlaps(points[rest[1:]], points[rest[0]]) <= _SAME_FACE]
    return kept


def _overlaps(points: NDArray[np.float64], one: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each box with one box."""
    shared = np.clip(np.minimum(points[:, 1], one[1]) - np.maximum(points[:, 0], one[0]), 0, None).prod(axis=1)
    union = (points[:, 1] - points[:, 0]).prod(axis=1) + (one[1] - one[0]).prod() - shared
    return np.asarray(shared / np.maximum(union, np.finfo(np.float64).tiny))


def _face(score: float, points: NDArray[np.float64]) -> Face:
    """A face with a square box from the eyebrows to the chin and six landmarks."""
    (left, top), (right, bottom), *landmarks = points.tolist()
    right_eye, left_eye, nose, right_corner, left_corner = (complex(x, y) for x, y in landmarks)
    eyes, mouth = (right_eye + left_eye) / 2, (right_corner + left_corner) / 2
    side = ((right - left) * (bottom - top)) ** 0.5
    centre = complex(left + right, top + bottom) / 2 + _DOWN * side * _direction(mouth - eyes)
    right_ear = eyes + _sum((nose - eyes, right_corner - eyes, left_corner - eyes, left_eye - right_eye))
    mirrored = (nose - eyes, left_corner - eyes, right_corner - eyes, right_eye - left_eye)
    left_ear = eyes - _sum(tuple(-vector.conjugate() for vector in mirrored)).conjugate()
    box = Box(centre.real - side / 2, centre.imag - side / 2, side, side)
    return Face(box, score, tuple(map(_point, (right_eye, left_eye, nose, mouth, right_ear, left_ear))))


def _direction(vector: complex) -> complex:
    return vector / abs(vector) if vector else 1j


def _sum(vectors: tuple[complex, ...]) -> complex:
    return sum((factor * vector for factor, vector in zip(_EAR, vectors, strict=True)), 0j)


def _point(number: complex) -> Point:
    return number.real, number.imag
