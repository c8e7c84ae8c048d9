"""The pose of the head: the turn that lays a fixed three-dimensional face over the mesh (weighted Procrustes fit)."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_CANONICAL: Final = json.loads(Path(__file__).with_name("canonical_face.json").read_bytes())
_POINTS: Final = np.array([point["index"] for point in _CANONICAL])
_WEIGHTS: Final = np.array([point["weight"] for point in _CANONICAL])
_WEIGHTS.flags.writeable = False


def _centred(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points - np.average(points, axis=0, weights=_WEIGHTS))


_MODEL: Final = _centred(np.array([point["at"] for point in _CANONICAL])) * _WEIGHTS[:, None]


_LEVEL_PITCH: Final = 1.8
"""Added to the pitch: MediaPipe's camera sees a face in the middle of a picture twice its size that much higher. Its
pitch depends on where the face lies in the picture and how large it is; this one does not."""


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Degrees. Positive ``yaw``: the person looks to their own left; positive ``pitch``: up; positive ``roll``: the
    head is tilted to their own right shoulder."""

    yaw: float
    pitch: float
    roll: float


def head_pose(mesh: NDArray[np.float64]) -> HeadPose:
    """The pose of a mesh (478, 3): x to the right, y down, z away from the camera."""
    points = _centred(mesh[_POINTS]) * (1, -1, -1)
    left, _, right = np.linalg.svd(points.T @ _MODEL)
    # A mirrored face is no turn.
    sign = np.linalg.det(left @ right)
    turn = left * (1, 1, sign) @ right
    return HeadPose(
        yaw=math.degrees(math.atan2(turn[0, 2], turn[2, 2])),
        pitch=math.degrees(math.asin(max(-1.0, min(1.0, turn[1, 2])))) + _LEVEL_PITCH,
        roll=math.degrees(math.atan2(turn[1, 0], turn[1, 1])),
    )
