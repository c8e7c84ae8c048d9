"""BlazeFace, the network of MediaPipe's face detector for large faces.

Around the network it does the same as MediaPipe: it scales the picture to a longer side of 128 pixels, decodes boxes
from the anchors of each cell, and averages overlapping boxes by their scores. MediaPipe adds black to make a square of
any picture. The network needs none, and without it takes a quarter less time for 4:3.
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
_GRIDS: Final = ((8, 2), (16, 6))
"""Pixels between the cells of the network's two feature maps, and the anchors of each cell."""

_COARSEST: Final = 16
"""What both sides of the network's input are divisible by."""

_SAME_FACE: Final = 0.3
"""Intersection over union from which boxes are averaged."""


class BlazeFace:
    """Finds faces that fill a quarter of the pixels' width or more, with six landmarks, also when they are turned."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def detect(self, pixels: NDArray[np.uint8], least_score: float) -> list[Face]:
        """The faces in uint8 (h, w, 3) RGB from a score on, best first."""
        image, scale, left, top = _letterbox(pixels)
        grids = self._session.run(["fine", "coarse"], {"image": image[None]})
        # Comparing logits saves hundreds of exponentials.
        least = math.log(least_score / (1 - least_score))
        found = [_boxes(grid[0], least, *anchors) for grid, anchors in zip(grids, _GRIDS, strict=True)]
        logits, points = (np.concatenate(parts) for parts in zip(*found, strict=True))
        if not logits.size:
            return []
        scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
        points = points * scale + (left, top)
        return [_face(score, face) for score, face in _averaged(scores, points)]


def _letterbox(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, float, float]:
    """The network's input, the picture's pixels per pixel of it, and its corner in the picture."""
    height, width = pixels.shape[:2]
    scale = max(height, width) / _SIDE
    rows, columns = (math.ceil(side / scale / _COARSEST) * _COARSEST for side in (height, width))
    left, top = (width - columns * scale) / 2, (height - rows * scale) / 2
    to_picture = np.array([[scale, 0, left], [0, scale, top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(pixels, to_picture, (columns, rows), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(image, dtype=np.uint8), scale, left, top


def _boxes(
    grid: NDArray[np.float32], least: float, stride: int, count: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The logits (n,) from ``least`` on, and for each of them its box's corners and landmarks as (n, 8, 2) pixels of
    the input: top left, bottom right, then the six landmarks."""
    anchors, rows, columns = np.nonzero(grid[:count] >= least)
    logits = grid[anchors, rows, columns]
    _, height, width = grid.shape
    raw = grid[count:].reshape(count, 16, height, width)[anchors, :, rows, columns]
    pairs = raw.astype(np.float64).reshape(-1, 8, 2)
    centres = (np.stack((columns, rows), axis=1) + 0.5) * stride
    points = pairs + centres[:, None]
    half = pairs[:, 1] / 2
    points[:, 0], points[:, 1] = points[:, 0] - half, points[:, 0] + half
    return logits, points


def _averaged(scores: NDArray[np.float64], points: NDArray[np.float64]) -> list[tuple[float, NDArray[np.float64]]]:
    """Weighted non-maximum suppression: overlapping boxes are averaged by their scores, from the best one on."""
    rest = np.argsort(-scores, kind="stable")
    faces = []
    while rest.size:
        same = _overlaps(points[rest], points[rest[0]]) > _SAME_FACE
        same[0] = True
        group = rest[same]
        faces.append((float(scores[group[0]]), _mean(points[group], scores[group])))
        rest = rest[~same]
    return faces


def _mean(points: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.tensordot(weights, points, 1) / weights.sum())


def _overlaps(points: NDArray[np.float64], one: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each box with one box."""
    shared = np.clip(np.minimum(points[:, 1], one[1]) - np.maximum(points[:, 0], one[0]), 0, None).prod(axis=1)
    areas = np.clip(points[:, 1] - points[:, 0], 0, None).prod(axis=1)
    union = areas + np.clip(one[1] - one[0], 0, None).prod() - shared
    return np.asarray(shared / np.maximum(union, np.finfo(np.float64).tiny))


def _face(score: float, points: NDArray[np.float64]) -> Face:
    (left, top), (right, bottom), *landmarks = points.tolist()
    return Face(Box(left, top, right - left, bottom - top), score, tuple((x, y) for x, y in landmarks))
