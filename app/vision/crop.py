"""From a face in a picture to the square crop that a model sees."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from app.vision.geometry import Face, Point

_SHARPEST_SCALE = 1.5
"""The picture is averaged down to this many source pixels per target pixel before the last, bilinear step."""


@dataclass(frozen=True, slots=True)
class EyeFraming:
    """Places and turns the crop by the eyes. All values are shares of the crop's side."""

    eye_distance: float
    eye_center: Point


@dataclass(frozen=True, slots=True)
class BoxFraming:
    """Places the crop by the detected box. All values are in box widths."""

    side: float
    offset_x: float
    offset_y: float


Framing = EyeFraming | BoxFraming


@dataclass(frozen=True, slots=True)
class CropRegion:
    """A square in a picture: its top left corner, its side in pixels, and its rotation about that corner in radians."""

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
    """The crop of a face by a model's framing. The crop of an assumed face is its box."""
    if face.assumed:
        return CropRegion(face.box.x, face.box.y, face.box.width)
    if isinstance(framing, EyeFraming):
        return _by_eyes(face, framing)
    width = face.box.width
    return CropRegion(
        face.box.x + framing.offset_x * width, face.box.y + framing.offset_y * width, framing.side * width
    )


def _by_eyes(face: Face, framing: EyeFraming) -> CropRegion:
    (rx, ry), (lx, ly) = face.landmarks[:2]
    # In profile the eyes are close together; without a lower bound the crop would shrink to the eye.
    distance = max(math.hypot(lx - rx, ly - ry), 0.2 * face.box.width)
    side = distance / framing.eye_distance
    roll = math.atan2(ly - ry, lx - rx)
    across, down = framing.eye_center[0] * side, framing.eye_center[1] * side
    middle_x, middle_y = (rx + lx) / 2, (ry + ly) / 2
    x = middle_x - across * math.cos(roll) + down * math.sin(roll)
    y = middle_y - across * math.sin(roll) - down * math.cos(roll)
    return CropRegion(x, y, side, roll)


def extract(picture: NDArray[np.uint8], region: CropRegion, width: int, height: int) -> NDArray[np.uint8]:
    """The region's pixels as (height, width, channels). Beyond the edge, the picture is mirrored."""
    shrink = region.side / (max(width, height) * _SHARPEST_SCALE)
    if shrink > 1:
        picture, region = _shrunk(picture, region, shrink)
    return _warped(picture, region, (width, height), cv2.BORDER_REFLECT_101)


def extract_large(picture: NDArray[np.uint8], region: CropRegion, side: int) -> NDArray[np.uint8]:
    """The region's RGB pixels as (side, side, 3). Beyond the edge, the pixels of the edge are repeated.

    With four channels instead of three, OpenCV takes less than half the time for the same pixels.
    """
    shrink = region.side / (side * _SHARPEST_SCALE)
    if shrink > 1:
        picture, region = _shrunk(picture, region, shrink)
    else:
        left, top, right, bottom = _bounds(picture, region, 2)
        picture, region = picture[top:bottom, left:right], replace(region, x=region.x - left, y=region.y - top)
    padded = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA), dtype=np.uint8)
    warped = _warped(padded, region, (side, side), cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), dtype=np.uint8)


def _warped(picture: NDArray[np.uint8], region: CropRegion, size: tuple[int, int], border: int) -> NDArray[np.uint8]:
    step_x, step_y = region.side / size[0], region.side / size[1]
    cos, sin = math.cos(region.roll), math.sin(region.roll)
    # Pixel centres: target (i, j) stands for the point (i + 0.5, j + 0.5) of its grid.
    to_source = np.array(
        [
            [cos * step_x, -sin * step_y, region.x + 0.5 * (cos * step_x - sin * step_y) - 0.5],
            [sin * step_x, cos * step_y, region.y + 0.5 * (sin * step_x + cos * step_y) - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, to_source, size, flags=flags, borderMode=border), dtype=np.uint8)


def _bounds(picture: NDArray[np.uint8], region: CropRegion, margin: float) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the region's surroundings in the picture: one pixel at least."""
    height, width = picture.shape[:2]
    xs, ys = zip(*region.corners, strict=True)
    left, top = max(math.floor(min(xs) - margin), 0), max(math.floor(min(ys) - margin), 0)
    left, top = min(left, width - 1), min(top, height - 1)
    right, bottom = min(math.ceil(max(xs) + margin), width), min(math.ceil(max(ys) + margin), height)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _shrunk(picture: NDArray[np.uint8], region: CropRegion, shrink: float) -> tuple[NDArray[np.uint8], CropRegion]:
    """The surroundings of the region, averaged down by about ``shrink``, and the region in them."""
    left, top, right, bottom = _bounds(picture, region, 2 * shrink)
    step = 1 << int(math.log2(shrink))
    right -= (right - left) % step
    bottom -= (bottom - top) % step
    if right - left < 2 or bottom - top < 2:
        return picture, region
    size = (max(round((right - left) / shrink), 1), max(round((bottom - top) / shrink), 1))
    small = cv2.resize(_halved(picture[top:bottom, left:right], shrink), size, interpolation=cv2.INTER_AREA)
    scale_x, scale_y = (right - left) / size[0], (bottom - top) / size[1]
    side = region.side / ((scale_x + scale_y) / 2)
    return np.asarray(small, dtype=np.uint8), CropRegion(
        (region.x - left) / scale_x, (region.y - top) / scale_y, side, region.roll
    )


def _halved(pixels: NDArray[np.uint8], shrink: float) -> NDArray[np.uint8]:
    """The pixels halved as often as ``shrink`` allows. OpenCV averages fast only when it halves."""
    while shrink >= 2 and not (pixels.shape[0] % 2 or pixels.shape[1] % 2):
        half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        pixels = np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        shrink /= 2
    return pixels
