"""BlazeFace, the network of MediaPipe's face detector for large faces.

Around the network it does the same as MediaPipe: it places the picture in a black square of 128 pixels, decodes boxes
from 896 anchors, and averages overlapping boxes by their scores.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.vision.geometry import Box, Face

_SIDE: Final = 128
_GRIDS: Final = ((16, 2), (8, 6))
"""Cells on a side of the network's two feature maps, and the anchors of each cell."""

_SAME_FACE: Final = 0.3
"""Intersection over union from which boxes are averaged."""


class BlazeFace:
    """Finds faces that fill a quarter of the pixels' width or more, with six landmarks, also when they are turned."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._anchors = _anchors()

    def detect(self, pixels: NDArray[np.uint8], least_score: float) -> list[Face]:
        """The faces in uint8 (h, w, 3) RGB from a score on, best first."""
        square, scale, left, top = _letterbox(pixels)
        grids = self._session.run(["fine", "coarse"], {"image": square[None]})
        logits, raw = _by_anchor(grids)
        # Comparing logits saves 896 exponentials.
        likely = np.flatnonzero(logits >= math.log(least_score / (1 - least_score)))
        if not likely.size:
            return []
        scores = 1 / (1 + np.exp(-logits[likely].astype(np.float64)))
        points = _points(raw[likely].astype(np.float64), self._anchors[likely])
        points = points * (_SIDE * scale) + (left, top)
        return [_face(score, face) for score, face in _averaged(scores, points)]


def _anchors() -> NDArray[np.float64]:
    """Centres of the anchors as (896, 2) shares of the square, in the order of the network's outputs."""
    centres = []
    for cells, count in _GRIDS:
        y, x = np.mgrid[:cells, :cells]
        grid = (np.stack((x, y), axis=-1).reshape(-1, 2) + 0.5) / cells
        centres.append(grid.repeat(count, axis=0))
    return np.concatenate(centres)


def _by_anchor(grids: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (896,) and raw boxes (896, 16) from the network's outputs, in the order of the anchors."""
    logits, raw = [], []
    for (_, count), grid in zip(_GRIDS, grids, strict=True):
        cells = grid[0].transpose(1, 2, 0)
        logits.append(cells[..., :count].reshape(-1))
        raw.append(cells[..., count:].reshape(-1, 16))
    return np.concatenate(logits), np.concatenate(raw)


def _letterbox(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, float, float]:
    """The network's input, the picture's pixels per pixel of it, and its corner in the picture."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    scale = side / _SIDE
    left, top = (width - side) / 2, (height - side) / 2
    to_picture = np.array([[scale, 0, left], [0, scale, top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    square = cv2.warpAffine(pixels, to_picture, (_SIDE, _SIDE), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(square, dtype=np.uint8), scale, left, top


def _points(raw: NDArray[np.float64], anchors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Box corners and landmarks as (n, 8, 2) shares of the square: top left, bottom right, then the six landmarks."""
    pairs = raw.reshape(-1, 8, 2) / _SIDE
    centres = pairs[:, :1] + anchors[:, None]
    half = pairs[:, 1:2] / 2
    return np.concatenate((centres - half, centres + half, pairs[:, 2:] + anchors[:, None]), axis=1)


def _averaged(scores: NDArray[np.float64], points: NDArray[np.float64]) -> list[tuple[float, NDArray[np.float64]]]:
    """Weighted non-maximum suppression: overlapping boxes are averaged by their scores, from the best one on."""
    rest = np.argsort(-scores, kind="stable")
    faces = []
    while rest.size:
        same = _overlaps(points[rest], points[rest[0]]) > _SAME_FACE
        same[0] = True
        group = rest[same]
        faces.append((float(scores[group[0]]), np.average(points[group], axis=0, weights=scores[group])))
        rest = rest[~same]
    return faces


def _overlaps(points: NDArray[np.float64], one: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each box with one box."""
    shared = np.clip(np.minimum(points[:, 1], one[1]) - np.maximum(points[:, 0], one[0]), 0, None).prod(axis=1)
    areas = np.clip(points[:, 1] - points[:, 0], 0, None).prod(axis=1)
    union = areas + np.clip(one[1] - one[0], 0, None).prod() - shared
    return np.asarray(shared / np.maximum(union, np.finfo(np.float64).tiny))


def _face(score: float, points: NDArray[np.float64]) -> Face:
    (left, top), (right, bottom), *landmarks = points.tolist()
    return Face(Box(left, top, right - left, bottom - top), score, tuple((x, y) for x, y in landmarks))
