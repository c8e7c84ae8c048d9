"""Action units of the Facial Action Coding System, from the mesh of a face and its blendshapes.

A unit is a weighted sum over points of its own part of the face, turned to the front, and over the blendshapes of its
movement. All units together are one matrix product. ``action_units.json`` holds the weights, and the threshold that
95 % of neutral faces stay below; ``python -m benchmarks.details fit`` makes it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.expression.face_shape import ORIGINS, logits, sides
from app.expression.head_pose import Fit, fit
from app.vision.mesh import BLENDSHAPES

_FILE: Final = Path(__file__).with_name("action_units.json")

METHOD: Final = (
    "Weighted points of the face mesh, turned to the front, and blendshapes. The weights were fitted to tell "
    "expressions from neutral faces by one part of the face alone, not to labels of action units. A unit is active "
    "where it goes further than on 95 % of neutral photos."
)
"""How the units are computed, for those who use them."""

_MIRROR: Final = np.array([-1.0, 1.0, 1.0])


class ActionUnit(NamedTuple):
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


def action_units(
    mesh: NDArray[np.float64], blendshapes: NDArray[np.float32], fitted: Fit | None = None
) -> dict[str, ActionUnit]:
    """The units of a mesh (478, 3) and its blendshapes (52,), in order of number. ``fitted`` is the mesh's :func:`fit`,
    where it is known already."""
    combined = _combined()
    frontal = (fitted or fit(mesh)).frontal(mesh[combined.points])
    shown = combined.weights @ np.concatenate([frontal.ravel(), logits(blendshapes), blendshapes]) + combined.biases
    both = shown.clip(0, 1).reshape(-1, 2)
    intensities = both.mean(axis=1)
    active = intensities > combined.thresholds
    rows = zip(methods().items(), intensities.tolist(), active.tolist(), both.tolist(), strict=True)
    return {
        code: ActionUnit(method.name, intensity, moves, *(pair if method.sided else ()))
        for (code, method), intensity, moves, pair in rows
    }


@dataclass(frozen=True, slots=True)
class _Combined:
    """All units as one matrix product. ``weights`` has two rows for each unit, its left and its right side, and columns
    for x, y and z of each of ``points``, then for each blendshape's logit, then for its value."""

    points: NDArray[np.int64]
    weights: NDArray[np.float64]
    biases: NDArray[np.float64]
    thresholds: NDArray[np.float64]


@functools.cache
def _combined() -> _Combined:
    units = [*methods().values()]
    of_units = [each for unit in units for each in (unit.left, unit.right)]
    points = np.unique(np.concatenate([np.array(each, np.int64) for each in ORIGINS.values()] + of_units))
    columns = {point: column for column, point in enumerate(points.tolist())}
    of_points = np.zeros((len(units), 2, len(points), 3))
    of_shapes = np.zeros((len(units), 2, 2, len(BLENDSHAPES)))
    for unit, to_points, to_shapes in zip(units, of_points, of_shapes, strict=True):
        for side, indices, weights in ((0, unit.left, unit.points), (1, unit.right, unit.points * _MIRROR)):
            np.add.at(to_points[side], [columns[index] for index in indices.tolist()], weights)
            origin = ORIGINS[unit.origin]
            to_points[side, [columns[index] for index in origin]] -= weights.sum(axis=0) / len(origin)
        for kind, named in enumerate((unit.logits, unit.values)):
            for name, weight in named.items():
                to_shapes[[0, 1], kind, sides(name)] += weight
    weights = np.concatenate([each.reshape(2 * len(units), -1) for each in (of_points, of_shapes)], axis=1)
    biases = np.repeat([unit.bias for unit in units], 2)
    return _Combined(points, weights, biases, np.array([unit.threshold for unit in units]))


def _method(fields: dict[str, Any]) -> UnitMethod:
    rows = fields["points"]
    points = {
        "left": np.array([row[0] for row in rows], np.int64),
        "right": np.array([row[1] for row in rows], np.int64),
        "points": np.array([row[2:] for row in rows], np.float64).reshape(-1, 3),
    }
    return UnitMethod(**(fields | points))
