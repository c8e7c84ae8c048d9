"""Fits the weights of the action units and their thresholds, on training data alone.

No face here has labels of action units. A unit that goes with an expression is fitted to tell that expression from
neutral faces and from expressions without it, but only by the points and blendshapes of its own part of the face. The
others are the blendshape of the same movement.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from app.expression.action_units import methods
from app.expression.description import FITTING_UNITS
from benchmarks.details.faces import Faces, FaceShape

TARGET: Final = Path("app/expression/action_units.json")

RIDGE: Final = 1.0
"""By five parts of the training faces: with 3, units separate their labels by up to two points less."""
_STRONG: Final = 0.99
"""The share of the faces that a unit goes with that have at most the intensity 1."""
_QUIET: Final = 0.95
"""The share of neutral faces that stay below a unit's threshold."""
_LEAST_THRESHOLD: Final = 0.15

_BROW: Final = {285: 55, 295: 65, 282: 52, 283: 53, 276: 46, 336: 107, 296: 66, 334: 105, 293: 63, 300: 70}
_INNER_BROW: Final = {285: 55, 295: 65, 336: 107, 296: 66, 9: 9, 8: 8}
_OUTER_BROW: Final = {282: 52, 283: 53, 276: 46, 334: 105, 293: 63, 300: 70}
_GLABELLA: Final = {9: 9, 8: 8, 168: 168, 6: 6, 351: 122, 417: 193, 337: 108, 299: 69, 151: 151}
_EYE: Final = {
    **{263: 33, 466: 246, 388: 161, 387: 160, 386: 159, 385: 158, 384: 157, 398: 173, 362: 133, 382: 155, 381: 154},
    **{380: 153, 374: 145, 373: 144, 390: 163, 249: 7},
}
_CHEEK: Final = {280: 50, 425: 205, 346: 117, 347: 118, 348: 119, 330: 101, 266: 36, 374: 145, 380: 153, 373: 144}
_NOSE: Final = {358: 129, 279: 49, 429: 209, 360: 131, 327: 98, 4: 4, 6: 6, 168: 168, 351: 122, 412: 188}
_UPPER_LIP: Final = {0: 0, 267: 37, 269: 39, 270: 40, 13: 13, 312: 82, 426: 206, 327: 98}
_CORNER: Final = {
    **{291: 61, 287: 57, 409: 185, 375: 146, 308: 78, 322: 92, 410: 186, 432: 212},
    **{0: 0, 17: 17, 13: 13, 14: 14},
}
_CHIN: Final = {152: 152, 377: 148, 400: 176, 199: 199, 200: 200, 18: 18, 313: 83, 175: 175, 17: 17, 14: 14, 13: 13}
_JAW: Final = {**_CHIN, 378: 149, 379: 150, 365: 136, 397: 172}
"""Points of each part of the face: on the left or in the middle, and the same point mirrored."""

_LIP_GAP: Final = {13: (0.0, 1.0, 0.0), 14: (0.0, -1.0, 0.0)}
"""Weights of the lips' inner edges that add up to the gap between them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A unit before it is fitted. Without labels it is the sum of its blendshapes, or of its points by fixed
    weights."""

    name: str
    blendshapes: tuple[str, ...]
    points: Mapping[int, int] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    origin: str = "eyes"
    sided: bool = True
    fixed: Mapping[int, tuple[float, float, float]] = field(default_factory=dict)

    @property
    def pairs(self) -> Mapping[int, int]:
        """The points on the left or in the middle, each with the same point mirrored."""
        return self.points or {point: point for point in self.fixed}


PLANS: Final[Mapping[str, Plan]] = {
    "AU1": Plan("inner brow raiser", ("browInnerUp",), _INNER_BROW, ("surprise", "fear", "sad")),
    "AU2": Plan("outer brow raiser", ("browOuterUp",), _OUTER_BROW, ("surprise",)),
    "AU4": Plan("brow lowerer", ("browDown", "browInnerUp"), {**_BROW, **_GLABELLA}, ("angry",)),
    "AU5": Plan("upper lid raiser", ("eyeWide",), _EYE, ("surprise", "fear")),
    "AU6": Plan("cheek raiser", ("cheekSquint",), _CHEEK, ("happy",)),
    "AU7": Plan("lid tightener", ("eyeSquint",), _EYE, ("angry", "disgust")),
    "AU9": Plan("nose wrinkler", ("noseSneer",), _NOSE, ("disgust",)),
    "AU10": Plan("upper lip raiser", ("mouthUpperUp",), _UPPER_LIP, ("disgust",), "nose"),
    "AU12": Plan("lip corner puller", ("mouthSmile",), _CORNER, ("happy",), "nose"),
    "AU14": Plan("dimpler", ("mouthDimple",)),
    "AU15": Plan("lip corner depressor", ("mouthFrown",), _CORNER, ("sad",), "nose"),
    "AU16": Plan("lower lip depressor", ("mouthLowerDown",)),
    "AU17": Plan("chin raiser", ("mouthShrugLower",), _CHIN, ("sad",), "nose", sided=False),
    "AU18": Plan("lip pucker", ("mouthPucker",), sided=False),
    "AU20": Plan("lip stretcher", ("mouthStretch",), _CORNER, ("fear",), "nose"),
    "AU22": Plan("lip funneler", ("mouthFunnel",), sided=False),
    "AU23": Plan("lip tightener", ("mouthPress", "mouthRollLower"), sided=False),
    "AU24": Plan("lip pressor", ("mouthPress",)),
    "AU25": Plan("lips part", (), sided=False, origin="nose", fixed=_LIP_GAP),
    "AU26": Plan("jaw drop", ("jawOpen",), _JAW, ("surprise",), "nose", sided=False),
    "AU27": Plan("mouth stretch", ("jawOpen",), sided=False),
    "AU28": Plan("lip suck", ("mouthRollLower", "mouthRollUpper"), sided=False),
    "AU43": Plan("eyes closed", ("eyeBlink",)),
}
_LEAST_ACTIVE: Final = {"AU27": 0.6, "AU43": 0.6}
"""Units whose movement is large by definition."""


def fitted(train: Sequence[Faces], neutral: Faces) -> dict[str, dict[str, Any]]:
    """The content of ``action_units.json``, from faces to fit on and the neutral photos that set the thresholds."""
    shapes = [shape for faces in train for shape in faces.shapes()]
    labels = np.concatenate([faces.labels for faces in train])
    resting = [shape for shape, label in zip(neutral.shapes(), neutral.labels, strict=True) if label == "neutral"]
    return {code: _fit(code, plan, shapes, labels, resting) for code, plan in PLANS.items()}


def _fit(
    code: str, plan: Plan, shapes: list[FaceShape], labels: NDArray[np.str_], resting: list[FaceShape]
) -> dict[str, Any]:
    rows, rest = _rows(plan, shapes), _rows(plan, resting)
    centre, spread = rows.mean(axis=(0, 1)), rows.std(axis=(0, 1)) + 1e-9
    shown = np.isin(labels, plan.labels)
    if plan.labels:
        factors = _logistic((rows - centre) / spread, _target(code, labels, shown)) / spread
    else:
        factors = np.array([*np.ravel([*plan.fixed.values()]), *[1.0] * len(plan.blendshapes)])
    scores, at_rest = rows @ factors, rest @ factors
    low = float(np.median(at_rest))
    high = float(np.quantile(scores[shown] if plan.labels else scores, _STRONG))
    factors = factors / (high - low)
    intensities = np.clip((at_rest - low) / (high - low), 0, 1).mean(axis=1)
    least = _LEAST_ACTIVE.get(code, _LEAST_THRESHOLD)
    count = 3 * len(plan.pairs)
    named = {name: round(float(factor), 5) for name, factor in zip(plan.blendshapes, factors[count:], strict=True)}
    return {
        "name": plan.name,
        "sided": plan.sided,
        "origin": plan.origin,
        "points": [
            [left, right, *(round(float(factor), 5) for factor in factors[3 * row : 3 * row + 3])]
            for row, (left, right) in enumerate(plan.pairs.items())
        ],
        "logits": named if plan.labels else {},
        "values": {} if plan.labels else named,
        "bias": round(-low / (high - low), 5),
        "threshold": round(max(float(np.quantile(intensities, _QUIET)), least), 3),
        "experimental": not plan.labels,
    }


def _rows(plan: Plan, shapes: list[FaceShape]) -> NDArray[np.float64]:
    """What a plan uses of each face as (faces, 2, features): the left side and the mirrored right side."""
    left, right = [*plan.pairs], [*plan.pairs.values()]
    rows = []
    for shape in shapes:
        origin = shape.origin(plan.origin)
        at_left, at_right = shape.points[left] - origin, (shape.points[right] - origin) * (-1, 1, 1)
        pairs = [shape.logits(name) if plan.labels else shape.values(name) for name in plan.blendshapes]
        sides = zip((at_left, at_right), zip(*pairs, strict=True) if pairs else ((), ()), strict=True)
        rows.append([[*points.ravel(), *blendshapes] for points, blendshapes in sides])
    return np.array(rows)


def _target(code: str, labels: NDArray[np.str_], shown: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The weight of each face, above 0 where it shows the unit: half of the weight is theirs, a quarter that of neutral
    faces, and a quarter that of expressions that the unit does not go with."""
    without = [label for label, units in FITTING_UNITS.items() if code not in units and label != "neutral"]
    target = np.zeros(len(labels))
    target[shown] = 0.5 / shown.sum()
    for group in (labels == "neutral", np.isin(labels, without) & ~shown):
        target[group] = -0.25 / max(group.sum(), 1)
    return target


def _logistic(rows: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights of a logistic regression with a ridge, over both sides of each face."""
    values = rows[target != 0].reshape(-1, rows.shape[2])
    share = np.repeat(target[target != 0], 2) / 2
    sign, size = np.sign(share), np.abs(share)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = parameters[:-1]
        margin = sign * (values @ weights + parameters[-1])
        slope = -size * sign / (1 + np.exp(margin))
        penalty = RIDGE / len(values)
        value = float(size @ np.logaddexp(0, -margin) + penalty * weights @ weights)
        return value, np.append(values.T @ slope + 2 * penalty * weights, slope.sum())

    found = minimize(loss, np.zeros(values.shape[1] + 1), jac=True, method="L-BFGS-B")
    return np.asarray(found.x[:-1])


def read() -> dict[str, dict[str, Any]]:
    """The file that the service reads."""
    units: dict[str, dict[str, Any]] = json.loads(TARGET.read_bytes())
    return units


def mark_experimental(weak: set[str]) -> None:
    """Says in the file which units are experimental."""
    write({code: {**fields, "experimental": code in weak} for code, fields in read().items()})


def write(units: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes the file that the service reads, one line a unit."""
    lines = ",\n".join(f"{json.dumps(code)}: {json.dumps(fields)}" for code, fields in units.items())
    TARGET.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    methods.cache_clear()
