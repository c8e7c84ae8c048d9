"""Warnings about a picture's quality, and what a person can do about it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypeAliasType, TypedDict

from app.vision.decode import Picture
from app.vision.geometry import Face

WarningCode = TypeAliasType(
    "WarningCode",
    Literal[
        "face_too_small",
        "blurred",
        "too_dark",
        "too_bright",
        "turned_away",
        "at_edge",
        "multiple_faces",
        "face_assumed",
        "mesh_unsure",
    ],
)


class WarningThreshold(TypedDict):
    """The limit of a warning, and what it measures."""

    value: float
    meaning: str


@dataclass(frozen=True, slots=True)
class QualityWarning:
    """One reason to doubt a prediction. ``code`` is for programs, ``message`` for the person who took the picture."""

    code: WarningCode
    message: str


THRESHOLDS: Final[dict[WarningCode, WarningThreshold]] = {
    "face_too_small": {"value": 48, "meaning": "width of the face in pixels of the picture, below"},
    "blurred": {"value": 0.056, "meaning": "fine detail of the face as a share of its contrast, below"},
    "too_dark": {"value": 80, "meaning": "brightness (0 to 255) that a twentieth of the face exceeds, below"},
    "too_bright": {"value": 200, "meaning": "brightness (0 to 255) that three quarters of the face exceed, above"},
    "turned_away": {"value": 0.26, "meaning": "nose beside the middle of the eyes, in eye distances, above"},
    "at_edge": {"value": 0.2, "meaning": "share of the face's width that lies beyond the picture's edge, above"},
    "multiple_faces": {"value": 1, "meaning": "faces in the picture, above"},
    "face_assumed": {"value": 1, "meaning": "no face was found and the middle of the picture was used instead"},
    "mesh_unsure": {"value": 1, "meaning": "details were asked for, but the face shows too little for a mesh"},
}
"""Chosen so that at most one in thirty ordinary portraits gets a warning of blur, and of light. Light is measured by
the highlights and shadows of a face, not by its mean, which differs with the colour of the skin."""

_MESSAGES: Final[dict[WarningCode, str]] = {
    "face_too_small": "The face is small. Move closer, or send the picture in its full size.",
    "blurred": "The face is blurred. Hold the camera still, focus on the face, or use more light.",
    "too_dark": "The face is dark. Turn towards the light, or use more of it.",
    "too_bright": "The face is overexposed. Step out of the direct light, or lower the exposure.",
    "turned_away": "The face is turned aside. Look straight at the camera.",
    "at_edge": "The face is cut off by the edge of the picture. Show all of it.",
    "multiple_faces": "There are several faces in the picture. If you mean one of them, crop the picture to it.",
    "face_assumed": "No face was found, so the middle of the picture was used. Do not rely on the result.",
    "mesh_unsure": "The face is too small, covered or turned too far for details. Show more of it.",
}

_TURNED_AWAY_YAW = 30.0
"""Degrees of yaw that as many photos of `wild-train` exceed as the threshold of ``turned_away``."""

_SIDE = 64
"""Pixels on a side to which every face is scaled before it is measured."""

_TOO_COARSE = 32
"""Decoded width of a face below which its blur cannot be measured."""


def assess(
    picture: Picture, face: Face, faces_detected: int, *, yaw: float | None = None, mesh_unsure: bool = False
) -> tuple[QualityWarning, ...]:
    """The warnings for one face, in full-size pixels, of a picture with ``faces_detected`` faces.

    ``yaw`` is that of the head in degrees, where a mesh gives it; ``mesh_unsure`` that a mesh was asked for in vain.
    """
    codes: list[WarningCode] = []
    if face.assumed:
        codes.append("face_assumed")
    elif round(face.box.width) < THRESHOLDS["face_too_small"]["value"]:
        codes.append("face_too_small")
    grey = _grey(picture, face)
    if grey is not None:
        codes += _light(grey)
        if face.box.width / picture.scale >= _TOO_COARSE and _detail(grey) < THRESHOLDS["blurred"]["value"]:
            codes.append("blurred")
    if _turned_away(face, yaw):
        codes.append("turned_away")
    if _beyond_edge(picture, face) > THRESHOLDS["at_edge"]["value"]:
        codes.append("at_edge")
    if faces_detected > THRESHOLDS["multiple_faces"]["value"]:
        codes.append("multiple_faces")
    if mesh_unsure:
        codes.append("mesh_unsure")
    return tuple(QualityWarning(code, _MESSAGES[code]) for code in codes)


def _grey(picture: Picture, face: Face) -> NDArray[np.uint8] | None:
    """The face's box as uint8 (64, 64) grey, or None if less than two pixels of it are visible."""
    box = face.box.scaled(1 / picture.scale, 1 / picture.scale)
    height, width = picture.pixels.shape[:2]
    left, right = max(round(box.x), 0), min(round(box.x + box.width), width)
    top, bottom = max(round(box.y), 0), min(round(box.y + box.height), height)
    if right - left < 2 or bottom - top < 2:
        return None
    # Every n-th pixel of a large face is enough, and the cost stays the same for all sizes.
    step = max((right - left) // (2 * _SIDE), 1)
    part = np.ascontiguousarray(picture.pixels[top:bottom:step, left:right:step])
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    while min(grey.shape) >= 2 * _SIDE:
        # OpenCV averages fast only when it halves.
        even = grey[: grey.shape[0] // 2 * 2, : grey.shape[1] // 2 * 2]
        grey = cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _light(grey: NDArray[np.uint8]) -> list[WarningCode]:
    edge = _SIDE // 8
    inner = grey[edge:-edge, edge:-edge]
    # Counting twice with OpenCV takes less than half of the time of NumPy's percentiles.
    if _brighter(inner, THRESHOLDS["too_dark"]["value"] - 1) < 0.05 * inner.size:
        return ["too_dark"]
    return ["too_bright"] if _brighter(inner, THRESHOLDS["too_bright"]["value"]) >= 0.75 * inner.size else []


def _brighter(grey: NDArray[np.uint8], value: float) -> int:
    """How many pixels exceed a value."""
    return cv2.countNonZero(cv2.threshold(grey, value, 255, cv2.THRESH_BINARY)[1])


def _detail(grey: NDArray[np.uint8]) -> float:
    """Energy of the finest detail as a share of all contrast: low when blurred, in any light."""
    contrast = cv2.meanStdDev(grey)[1].item()
    return float((cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))[1].item() / contrast) ** 2) if contrast else 0.0


def _turned_away(face: Face, yaw: float | None) -> bool:
    if yaw is not None:
        return abs(yaw) > _TURNED_AWAY_YAW
    return bool(face.landmarks) and nose_offset(face) > THRESHOLDS["turned_away"]["value"]


def nose_offset(face: Face) -> float:
    """Distance of the nose from the middle of the eyes, along the line through them, in eye distances."""
    (rx, ry), (lx, ly), (nx, ny) = face.landmarks[:3]
    across, down = lx - rx, ly - ry
    distance = math.hypot(across, down)
    if not distance:
        return math.inf
    return abs((nx - (rx + lx) / 2) * across + (ny - (ry + ly) / 2) * down) / distance**2


def _beyond_edge(picture: Picture, face: Face) -> float:
    box = face.box
    beyond = max(-box.x, -box.y, box.x + box.width - picture.width, box.y + box.height - picture.height)
    return beyond / box.width
