"""Action units of the Facial Action Coding System, from the mesh of a face and its blendshapes.

A unit is a weighted sum over points of its own part of the face and over the blendshapes of its movement.
``action_units.json`` holds the weights, and the threshold that 95 % of neutral faces stay below;
``python -m benchmarks.details fit`` makes it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.expression.face_shape import FaceShape, face_shape
from app.vision.mesh import BLENDSHAPES

_FILE: Final = Path(__file__).with_name("action_units.json")

METHOD: Final = (
    "Weighted points of the face mesh, turned to the front, and blendshapes. The weights were fitted to tell "
    "expressions from neutral faces by one part of the face alone, not to labels of action units. A unit is active "
    "where it goes further than on 95 % of neutral photos."
)
"""How the units are computed, for those who use them."""

_MIRROR: Final = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class ActionUnit:
    """One unit of a face. ``intensity`` is 0 for the middle of neutral faces and 1 for the strongest one in a hundred
    of those that show what the unit goes with. ``left`` and ``right`` are the person's own sides."""

    name: str
    intensity: float
    active: bool
    left: float | None = None
    right: float | None = None


@dataclass(frozen=True, slots=True)
class UnitMethod:
    """How a unit is computed. Each side is ``bias`` plus weighted points, logits and values, cut to 0..1; the unit is
    the mean of both."""

    name: str
    sided: bool
    origin: str
    left: NDArray[np.int64]
    """Indices of its points on the left side and in the middle, and in ``right`` of the same points mirrored."""
    right: NDArray[np.int64]
    points: NDArray[np.float64]
    """The weights (points, 3)."""
    logits: Mapping[str, float]
    values: Mapping[str, float]
    bias: float
    threshold: float
    """The intensity from which it is active: 95 % of neutral faces stay below it."""
    experimental: bool
    """Whether nothing shows that it tells the expressions that it goes with from neutral faces well: an area under the
    ROC curve below 0.65, or no label to measure it with."""


@functools.cache
def methods() -> Mapping[str, UnitMethod]:
    """How each unit of a picture is computed, in order of number."""
    return {code: _method(fields) for code, fields in json.loads(_FILE.read_bytes()).items()}


def action_units(mesh: NDArray[np.float64], blendshapes: NDArray[np.float32]) -> dict[str, ActionUnit]:
    """The units of a mesh (478, 3) and its blendshapes (52,), in order of number."""
    shape = face_shape(mesh, dict(zip(BLENDSHAPES, blendshapes.tolist(), strict=True)))
    return {code: _unit(method, shape) for code, method in methods().items()}


def _method(fields: dict[str, Any]) -> UnitMethod:
    rows = fields["points"]
    points = {
        "left": np.array([row[0] for row in rows], np.int64),
        "right": np.array([row[1] for row in rows], np.int64),
        "points": np.array([row[2:] for row in rows], np.float64).reshape(-1, 3),
    }
    return UnitMethod(**(fields | points))


def _unit(method: UnitMethod, shape: FaceShape) -> ActionUnit:
    left, right = sides(method, shape)
    intensity = (left + right) / 2
    active = intensity > method.threshold
    if method.sided:
        return ActionUnit(method.name, intensity, active, left, right)
    return ActionUnit(method.name, intensity, active)


def sides(method: UnitMethod, shape: FaceShape) -> tuple[float, float]:
    """The intensity of a unit on the person's left and right."""
    left = right = method.bias
    if method.points.size:
        origin = shape.origins[method.origin]
        left += float(np.vdot(method.points, shape.points[method.left] - origin))
        right += float(np.vdot(method.points * _MIRROR, shape.points[method.right] - origin))
    for weights, pair_of in ((method.logits, shape.logits), (method.values, shape.values.__getitem__)):
        for name, weight in weights.items():
            on_left, on_right = pair_of(name)
            left, right = left + weight * on_left, right + weight * on_right
    return min(max(left, 0.0), 1.0), min(max(right, 0.0), 1.0)
