"""What action units are computed from: the shape of a face turned to the front, and its blendshapes.

Everything comes as a pair, the person's left side and their right, and the right side is mirrored, so that one set of
weights serves both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.expression.head_pose import fit

ORIGINS: Final[Mapping[str, tuple[int, ...]]] = {"eyes": (33, 133, 263, 362), "nose": (2, 98, 327)}
"""The points whose middle the others are measured from: the corners of the eyes, or the base of the nose."""

_LEAST: Final = 1e-7
"""The least that a blendshape counts as in a logit. Two of them, cheekSquint and noseSneer, stay below a thousandth."""


@dataclass(frozen=True, slots=True)
class FaceShape:
    """The points of a mesh (478, 3) turned to the front, in centimetres of an average face: x to the person's left, y
    up, z to the camera. The places that they are measured from, by the names of :data:`ORIGINS`. And the blendshapes by
    name, each with the values of both sides."""

    points: NDArray[np.float64]
    origins: Mapping[str, NDArray[np.float64]]
    values: Mapping[str, tuple[float, float]]

    def logits(self, name: str) -> tuple[float, float]:
        """A blendshape as logits, which grow evenly with the movement."""
        left, right = (min(max(value, _LEAST), 1 - _LEAST) for value in self.values[name])
        return math.log(left / (1 - left)), math.log(right / (1 - right))


def face_shape(mesh: NDArray[np.float64], blendshapes: Mapping[str, float]) -> FaceShape:
    """The shape of a face from its mesh and its blendshapes by their own names."""
    points = fit(mesh).frontal(mesh)
    origins = {name: points[list(around)].mean(axis=0) for name, around in ORIGINS.items()}
    return FaceShape(points, origins, _paired(blendshapes))


def _paired(blendshapes: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Blendshapes of both sides under their common name, and those of the middle with the same value twice."""
    pairs = {}
    for name, value in blendshapes.items():
        common, other = name.removesuffix("Left"), f"{name.removesuffix('Left')}Right"
        if common != name and other in blendshapes:
            pairs[common] = (value, blendshapes[other])
        elif not name.endswith("Right"):
            pairs[name] = (value, value)
    return pairs
