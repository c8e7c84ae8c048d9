"""What the details are worth: separation, stability and parity, as the tables of ``docs/details.md``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.expression.action_units import ActionUnit, action_units, methods
from app.vision.decode import Picture, decode
from app.vision.mesh import FaceMesh
from benchmarks.details.faces import LIMITS, Faces, Finder, Labelled

EXPECTED: Final = (
    ("happy", (6, 12)),
    ("surprise", (1, 2, 5, 25, 26, 27)),
    ("angry", (4, 7, 10, 17, 23, 24)),
    ("sad", (1, 4, 15, 17)),
    ("disgust", (9, 10, 16)),
    ("fear", (1, 4, 5, 20, 25)),
    ("contempt", (14,)),
)
"""The units that commonly go with each label, each measured against neutral faces."""

LEAST_FACES: Final = 20
"""Fewer faces with a label say too little about a unit."""

LEAST_AUC: Final = 0.65
_RESAMPLES: Final = 400
_ROLL: Final = 20.0
_SMALL: Final = 64


def auc(shown: NDArray[np.float64], rest: NDArray[np.float64]) -> float:
    """The probability that a face that shows something has the higher value."""
    _, places, counts = np.unique(np.concatenate([shown, rest]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[: len(shown)].sum() - len(shown) * (len(shown) + 1) / 2) / len(shown) / len(rest))


def interval(shown: NDArray[np.float64], rest: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of :func:`auc`, by resampling."""
    rng = np.random.default_rng(0)
    values = [auc(rng.choice(shown, len(shown)), rng.choice(rest, len(rest))) for _ in range(_RESAMPLES)]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def units_of(faces: Faces) -> dict[str, NDArray[np.float64]]:
    """The intensities of each unit (n,)."""
    rows = [
        action_units(points.astype(np.float64), shapes)
        for points, shapes in zip(faces.points, faces.blendshapes, strict=True)
    ]
    return {code: np.array([row[code].intensity for row in rows]) for code in methods()}


def separation(sets: Mapping[str, Faces]) -> Iterator[dict[str, Any]]:
    """One row for each expected unit, label and set of faces."""
    for name, faces in sets.items():
        units, neutral = units_of(faces), faces.labels == "neutral"
        for label, numbers in EXPECTED:
            shown = faces.labels == label
            for code in (f"AU{number}" for number in numbers):
                if shown.sum() < 2:
                    continue
                pair = units[code][shown], units[code][neutral]
                low, high = interval(*pair)
                yield {
                    **{"set": name, "label": label, "unit": code, "faces": int(shown.sum())},
                    **{"auc": round(auc(*pair), 3), "low": round(low, 2), "high": round(high, 2)},
                    "active": round(float((pair[0] > methods()[code].threshold).mean()), 3),
                }


def experimental(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """The units that separate no label well that at least some faces have."""
    good = {row["unit"] for row in rows if row["auc"] >= LEAST_AUC and row["faces"] >= LEAST_FACES}
    return {*methods()} - good


def at_rest(faces: Faces) -> dict[str, float]:
    """The share of neutral faces on which each unit is active."""
    neutral = faces.labels == "neutral"
    return {
        code: round(float((values[neutral] > methods()[code].threshold).mean()), 3)
        for code, values in units_of(faces).items()
    }


def by_pose(faces: Faces) -> Iterator[dict[str, Any]]:
    """How well AU12 tells happy from neutral faces, and how often any unit is active at rest, by the yaw."""
    units, yaw = units_of(faces), np.abs(faces.poses[:, 0])
    for low, high in itertools.pairwise((0, 10, 20, 60)):
        inside = (yaw >= low) & (yaw < high)
        happy, neutral = inside & (faces.labels == "happy"), inside & (faces.labels == "neutral")
        active = [(units[code][neutral] > method.threshold).mean() for code, method in methods().items()]
        yield {
            **{"yaw": f"{low}–{high}°", "faces": int(inside.sum())},
            "AU12_auc": round(auc(units["AU12"][happy], units["AU12"][neutral]), 3),
            "active_at_rest": round(float(np.mean(active)), 3),
        }


def stability(pictures: Sequence[Labelled], finder: Finder) -> Iterator[dict[str, Any]]:
    """How far the units of the same face differ after each change of its picture."""
    before = [_units(finder.mesh(each.picture)) for each in pictures]
    for name, change in CHANGES.items():
        pairs = [
            (first, second)
            for each, first in zip(pictures, before, strict=True)
            if first is not None and (second := _units(finder.mesh(change(each.picture)))) is not None
        ]
        moved = [[abs(one[code].intensity - two[code].intensity) for code in one] for one, two in pairs]
        same = [[one[code].active == two[code].active for code in one] for one, two in pairs]
        yield {
            **{"change": name, "faces": len(pairs), "difference": round(float(np.mean(moved)), 3)},
            "same_activity": round(float(np.mean(same)), 3),
        }


def _units(mesh: FaceMesh | None) -> dict[str, ActionUnit] | None:
    if mesh is None or mesh.blendshapes is None:
        return None
    return action_units(mesh.points, mesh.blendshapes)


def _turned(degrees: float) -> Callable[[Picture], Picture]:
    def change(picture: Picture) -> Picture:
        height, width = picture.pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        turned = cv2.warpAffine(picture.pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return replace(picture, pixels=np.asarray(turned, np.uint8))

    return change


def _mirrored(picture: Picture) -> Picture:
    return replace(picture, pixels=np.ascontiguousarray(picture.pixels[:, ::-1]))


def _compressed(picture: Picture) -> Picture:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 30]
    data = cv2.imencode(".jpg", cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2BGR), quality)[1].tobytes()
    return decode(data, LIMITS)


def _small(picture: Picture) -> Picture:
    """The face at 64 pixels: portraits here show a face over about nine tenths of their width."""
    side = round(_SMALL / 0.9)
    size = (side, max(round(side * picture.height / picture.width), 32))
    pixels = np.asarray(cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Picture(pixels, size[0], size[1], picture.format)


CHANGES: Final[Mapping[str, Callable[[Picture], Picture]]] = {
    "mirrored": _mirrored,
    "turned by 20°": _turned(_ROLL),
    "turned by -20°": _turned(-_ROLL),
    "JPEG, quality 30": _compressed,
    "face of 64 pixels": _small,
}
