"""From a face in a picture to the square that a model looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.vision.geometry import Face, Point

_SHARPEST_SCALE = 1.5
"""Pixels are averaged down to this many source pixels a target pixel before the last, bilinear step."""


@dataclass(frozen=True, slots=True)
class EyeFraming:
    """The square is placed and turned by the eyes; all values are shares of its side."""

    eye_distance: float
    eye_center: Point


@dataclass(frozen=True, slots=True)
class BoxFraming:
    """The square is placed by the detected box; all values are in box widths."""

    side: float
    offset_x: float
    offset_y: float


Framing = EyeFraming | BoxFraming


@dataclass(frozen=True, slots=True)
class CropRegion:
    """A square in a picture: its top left corner, its side in pixels, and its roll in radians about that corner."""

    x: float
    y: float
    side: float
    roll: float = 0.0

    def scaled(self, factor: float) -> CropRegion:
        return CropRegion(self.x * factor, self.y * factor, self.side * factor, self.roll)

    @property
    def corners(self) -> tuple[Point, ...]:
        """Top left, top right, bottom right, bottom left."""
        across = (self.side * math.cos(self.roll), self.side * math.sin(self.roll))
        down = (-across[1], across[0])
        return (
            (self.x, self.y),
            (self.x + across[0], self.y + across[1]),
            (self.x + across[0] + down[0], self.y + across[1] + down[1]),
            (self.x + down[0], self.y + down[1]),
        )


def region_of(face: Face, framing: Framing) -> CropRegion:
    """The square of a face, as a model's manifest frames it; that of an assumed face is its box."""
    if face.assumed:
        return CropRegion(face.box.x, face.box.y, face.box.width)
    if isinstance(framing, EyeFraming):
        return _by_eyes(face, framing)
    width = face.box.width
    return CropRegion(
        face.box.x + framing.offset_x * width, face.box.y + framing.offset_y * width, framing.side * width
    )


def _by_eyes(face: Face, framing: EyeFraming) -> CropRegion:
    (rx, ry), (lx, ly) = face.right_eye, face.left_eye
    # A head in profile shows its eyes side by side; a floor keeps the square from shrinking to the eye itself.
    distance = max(math.hypot(lx - rx, ly - ry), 0.2 * face.box.width)
    side = distance / framing.eye_distance
    roll = math.atan2(ly - ry, lx - rx)
    across, down = framing.eye_center[0] * side, framing.eye_center[1] * side
    middle_x, middle_y = (rx + lx) / 2, (ry + ly) / 2
    x = middle_x - across * math.cos(roll) + down * math.sin(roll)
    y = middle_y - across * math.sin(roll) - down * math.cos(roll)
    return CropRegion(x, y, side, roll)


def extract(picture: NDArray[np.uint8], region: CropRegion, width: int, height: int) -> NDArray[np.uint8]:
    """The square's pixels as (height, width, channels); beyond the edge the picture is reflected."""
    x, y, side, roll = region.x, region.y, region.side, region.roll
    shrink = side / (max(width, height) * _SHARPEST_SCALE)
    if shrink > 1:
        picture, x, y, shrink = _shrunk_region(picture, region, shrink)
        side /= shrink
    step_x, step_y = side / width, side / height
    cos, sin = math.cos(roll), math.sin(roll)
    # Pixel centres: target (i, j) stands for the point (i + 0.5, j + 0.5) of its grid.
    to_source = np.array(
        [
            [cos * step_x, -sin * step_y, x + 0.5 * (cos * step_x - sin * step_y) - 0.5],
            [sin * step_x, cos * step_y, y + 0.5 * (sin * step_x + cos * step_y) - 0.5],
        ]
    )
    warped = cv2.warpAffine(
        picture,
        to_source,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(warped, dtype=np.uint8)


def _shrunk_region(
    picture: NDArray[np.uint8], region: CropRegion, shrink: float
) -> tuple[NDArray[np.uint8], float, float, float]:
    """The part of the picture around the square, averaged down, with the square's corner and the scale in it."""
    height, width = picture.shape[:2]
    xs, ys = zip(*region.corners, strict=True)
    margin = 2 * shrink
    left = max(math.floor(min(xs) - margin), 0)
    top = max(math.floor(min(ys) - margin), 0)
    right = min(math.ceil(max(xs) + margin), width)
    bottom = min(math.ceil(max(ys) + margin), height)
    step = 1 << int(math.log2(shrink))
    right -= (right - left) % step
    bottom -= (bottom - top) % step
    if right - left < 2 or bottom - top < 2:
        return picture, region.x, region.y, 1.0
    part = picture[top:bottom, left:right]
    new_width = max(round((right - left) / shrink), 1)
    new_height = max(round((bottom - top) / shrink), 1)
    small = cv2.resize(_halved(part, shrink), (new_width, new_height), interpolation=cv2.INTER_AREA)
    scale_x, scale_y = (right - left) / new_width, (bottom - top) / new_height
    x = (region.x - left) / scale_x
    y = (region.y - top) / scale_y
    return np.asarray(small, dtype=np.uint8), x, y, (scale_x + scale_y) / 2


def _halved(region: NDArray[np.uint8], shrink: float) -> NDArray[np.uint8]:
    """The region halved as often as ``shrink`` allows: OpenCV has a fast path for it, and for no other average."""
    while shrink >= 2 and not (region.shape[0] % 2 or region.shape[1] % 2):
        half = (region.shape[1] // 2, region.shape[0] // 2)
        region = np.asarray(cv2.resize(region, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        shrink /= 2
    return region
