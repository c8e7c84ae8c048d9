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
_AT: Final = np.array([point["at"] for point in _CANONICAL])
_SHARES: Final = _WEIGHTS / _WEIGHTS.sum()
_MODEL: Final = (_AT - _SHARES @ _AT) * _WEIGHTS[:, None]
_AXES: Final = np.array([1.0, -1.0, -1.0])
"""From the axes of a mesh to those of the fixed face."""


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


@dataclass(frozen=True, slots=True)
class Fit:
    """How the fixed face lies in a mesh: ``points`` of the mesh become ``scale × (points - centre) @ turn`` in its
    frame. There x points to the person's left, y up and z to the camera, in centimetres of an average face."""

    turn: NDArray[np.float64]
    scale: float
    centre: NDArray[np.float64]

    def frontal(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of the mesh (n, 3), turned to the front and scaled to the size of the fixed face."""
        return np.asarray((points * _AXES - self.centre) @ (self.scale * self.turn))

    @property
    def pose(self) -> HeadPose:
        """The pose of the head."""
        turn = self.turn.tolist()
        return HeadPose(
            yaw=math.degrees(math.atan2(turn[0][2], turn[2][2])),
            pitch=math.degrees(math.asin(max(-1.0, min(1.0, turn[1][2])))) + _LEVEL_PITCH,
            roll=math.degrees(math.atan2(turn[1][0], turn[1][1])),
        )


def fit(mesh: NDArray[np.float64]) -> Fit:
    """The fit for a mesh (478, 3): x to the right, y down, z away from the camera."""
    points = mesh[_POINTS] * _AXES
    centre = _SHARES @ points
    points -= centre
    left, strength, right = np.linalg.svd(points.T @ _MODEL)
    # A mirrored face is no turn.
    sign = (1.0, 1.0, float(np.linalg.det(left @ right)))
    scale = float(strength @ sign) / float(_WEIGHTS @ (points * points).sum(axis=1))
    return Fit(left * sign @ right, scale, centre)
