"""Why a face was read so: which parts of the crop speak for a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidRequest
from app.inference.classifier import Classifier, Scores

_CELLS = 7
"""Cells a side of an occlusion map; each costs one inference."""

_PATCH = 2
"""Cells a side of what is covered at a time. Neighbouring patches overlap, which smooths the map."""


@dataclass(frozen=True, slots=True)
class Heatmap:
    """How much each part of a crop speaks for a label: ``grid`` is float32 (rows, columns) from 0 to 1.

    ``cam`` is a class-activation map in closed form; ``occlusion`` is how much the label's probability falls when
    a part is covered.
    """

    method: Literal["cam", "occlusion"]
    label: str
    grid: NDArray[np.float32]


def explain(
    model: Classifier, crops: Sequence[NDArray[np.uint8]], scores: Scores, label: str | None = None
) -> list[Heatmap]:
    """A heatmap for each face, for one label or for each face's likeliest one.

    ``scores`` are the model's for these very crops; with features the maps cost no further inference.
    """
    labels = model.manifest.labels
    if label is not None and label not in labels:
        raise InvalidRequest(f"This model has no label of that name. It has {', '.join(labels)}.")
    chosen = [labels.index(label) if label is not None else int(row.argmax()) for row in scores.probabilities]
    if scores.features is not None and model.class_weights is not None:
        grids = activation_maps(scores.features, model.class_weights[chosen])
        return [Heatmap("cam", labels[index], grid) for index, grid in zip(chosen, grids, strict=True)]
    return [
        Heatmap("occlusion", labels[index], occlusion_map(model, crop, index, float(row[index])))
        for index, crop, row in zip(chosen, crops, scores.probabilities, strict=True)
    ]


def activation_maps(features: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps (n, h, w) from features (n, channels, h, w) and each face's class weights (n, channels)."""
    return _normalised(np.einsum("nchw,nc->nhw", features, weights, optimize=True))


def occlusion_map(model: Classifier, crop: NDArray[np.uint8], index: int, probability: float) -> NDArray[np.float32]:
    """A map of how much a label's probability falls when a patch is covered with the crop's mean colour."""
    height, width = crop.shape[:2]
    rows = np.linspace(0, height, _CELLS + 1).round().astype(int)
    columns = np.linspace(0, width, _CELLS + 1).round().astype(int)
    colour = crop.mean(axis=(0, 1)).round().astype(np.uint8)
    places = [(row, column) for row in range(1 - _PATCH, _CELLS) for column in range(1 - _PATCH, _CELLS)]
    covered = np.repeat(crop[None], len(places), axis=0)
    for picture, (row, column) in zip(covered, places, strict=True):
        top, left = rows[max(row, 0)], columns[max(column, 0)]
        bottom, right = rows[min(row + _PATCH, _CELLS)], columns[min(column + _PATCH, _CELLS)]
        picture[top:bottom, left:right] = colour
    falls = probability - model.infer(model.prepare(list(covered))).probabilities[:, index]
    total = np.zeros((_CELLS, _CELLS))
    for fall, (row, column) in zip(falls, places, strict=True):
        total[max(row, 0) : row + _PATCH, max(column, 0) : column + _PATCH] += fall
    return np.asarray(_normalised(total[None])[0], np.float32)


def _normalised(maps: NDArray[np.floating]) -> NDArray[np.float32]:
    """What speaks for the label, each map's peak at 1; a map in which nothing does stays 0."""
    positive = np.maximum(maps, 0)
    peaks = positive.max(axis=(1, 2), keepdims=True)
    return np.asarray(positive / np.where(peaks > 0, peaks, 1), np.float32)
