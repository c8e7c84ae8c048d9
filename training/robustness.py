"""Changes under which accuracy is measured, on cropped grey faces (n, 48, 48) uint8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Faces = NDArray[np.uint8]

_RIGHT_EYE: Final = (0.317, 0.40)
_LEFT_EYE: Final = (0.687, 0.39)
_MOUTH: Final = (0.50, 0.76)
"""Their positions in FER-2013, as shares of the side."""

_COVER: Final = 128


def rolled(degrees: float) -> Callable[[Faces], Faces]:
    def roll(faces: Faces) -> Faces:
        side = faces.shape[-1]
        turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, 1.0)
        return _each(faces, lambda face: cv2.warpAffine(face, turn, (side, side), borderMode=cv2.BORDER_REFLECT_101))

    return roll


def darkened(faces: Faces) -> Faces:
    return (faces // 2).astype(np.uint8)


def compressed(faces: Faces) -> Faces:
    """Compresses the faces as JPEG of quality 30."""

    def through_jpeg(face: Faces) -> NDArray[np.generic]:
        written = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
        return np.asarray(cv2.imdecode(written, cv2.IMREAD_GRAYSCALE))

    return _each(faces, through_jpeg)


def shrunk(faces: Faces) -> Faces:
    """Scales the faces down to 32 pixels and up again."""
    side = faces.shape[-1]

    def there_and_back(face: Faces) -> NDArray[np.generic]:
        small = cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR))

    return _each(faces, there_and_back)


def eye_covered(faces: Faces) -> Faces:
    """Covers one eye with grey, right and left in turns."""
    covered = faces.copy()
    _cover(covered[::2], _RIGHT_EYE, 0.15, 0.11)
    _cover(covered[1::2], _LEFT_EYE, 0.15, 0.11)
    return covered


def mouth_covered(faces: Faces) -> Faces:
    """Covers the mouth with grey."""
    covered = faces.copy()
    _cover(covered, _MOUTH, 0.22, 0.12)
    return covered


def _cover(faces: Faces, center: tuple[float, float], half_width: float, half_height: float) -> None:
    side = faces.shape[-1]
    left, right = round((center[0] - half_width) * side), round((center[0] + half_width) * side)
    top, bottom = round((center[1] - half_height) * side), round((center[1] + half_height) * side)
    faces[:, top:bottom, left:right] = _COVER


def _each(faces: Faces, change: Callable[[Faces], NDArray[np.generic]]) -> Faces:
    return np.stack([change(face) for face in faces]).astype(np.uint8)


CHANGES: Final[dict[str, Callable[[Faces], Faces]]] = {
    "roll -20°": rolled(-20),
    "roll +20°": rolled(20),
    "half brightness": darkened,
    "JPEG quality 30": compressed,
    "32-px face": shrunk,
    "eye covered": eye_covered,
    "mouth covered": mouth_covered,
}
"""Every change that accuracy is measured under."""
