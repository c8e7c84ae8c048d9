"""Explanations: which parts of a crop speak for a label, as a heatmap and as a picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidRequest
from app.inference.classifier import Classifier, ClassifierOutputs
from app.inference.manifest import Manifest

Method = Literal["contrast", "cam", "occlusion"]

MOST_OCCLUDED: Final = 8
"""Most faces of one picture with an occlusion map. Each takes 64 inferences."""

_CELLS = 7
"""Cells on a side of an occlusion map."""

_PATCH = 2
"""Cells on a side of a patch that is covered at a time. Neighbouring patches overlap, which smooths the map."""

_MOST_SECONDS = 1.5
"""CPU time for the occlusion maps of one picture, for models that are slow."""

PATCHES_AT_ONCE: Final = 16
"""Covered crops in one pass."""

_PASSES = -(-((_CELLS + _PATCH - 1) ** 2) // PATCHES_AT_ONCE)
"""Passes for the map of one face."""

_MEASURED = 2
"""Passes after which it is known how long one takes."""

_OVERLAY_SIDE = 144
"""Least pixels of an overlay's shorter side: a crop of 48 pixels is too small to see."""

_COLOURS = cv2.COLORMAP_VIRIDIS
"""Perceptually uniform, and readable for the colour-blind and in grey."""

_STRONGEST = 0.65
"""Share of the colour where the weight is 1. Where it is 0, the crop shows unchanged."""


@dataclass(frozen=True, slots=True)
class Heatmap:
    """How much each part of a crop speaks for a label: ``grid`` is float32 (rows, columns) from 0 to 1.

    ``cam`` is a class-activation map. ``contrast`` is that map minus those of the other labels, by their probabilities.
    ``occlusion`` is how much the label's probability falls when a part is covered.
    """

    method: Method
    label: str
    grid: NDArray[np.float32]


def methods_of(manifest: Manifest) -> tuple[Method, ...]:
    """The methods that a model can be explained by, the default first.

    The default is the best by docs/explanations.md of those that take no further inference.
    """
    return ("occlusion",) if manifest.explain is None else ("contrast", "cam", "occlusion")


def explain(
    model: Classifier,
    crops: Sequence[NDArray[np.uint8]],
    outputs: ClassifierOutputs,
    label: str | None = None,
    method: Method | None = None,
) -> list[Heatmap]:
    """A heatmap for each face, for one label or for the likeliest label of each face.

    ``outputs`` are the model's for these crops. With features in them, the maps cost no further inference, except by
    occlusion.
    """
    labels = model.manifest.labels
    if label is not None and label not in labels:
        raise InvalidRequest(f"This model has no label of that name. It has {', '.join(labels)}.")
    chosen = [labels.index(label) if label is not None else int(row.argmax()) for row in outputs.probabilities]
    method = method or methods_of(model.manifest)[0]
    if method == "occlusion":
        work = _OcclusionWork(model, len(crops))
        grids = [
            occlusion_map(model, crop, index, float(row[index]), work.before_pass)
            for index, crop, row in zip(chosen, crops, outputs.probabilities, strict=True)
        ]
    else:
        grids = list(_feature_maps(model, outputs, chosen, method))
    return [Heatmap(method, labels[index], grid) for index, grid in zip(chosen, grids, strict=True)]


def _feature_maps(
    model: Classifier, outputs: ClassifierOutputs, chosen: list[int], method: Method
) -> NDArray[np.float32]:
    if outputs.features is None or model.class_weights is None:
        raise InvalidRequest(f"explain_method: this model's methods are {', '.join(methods_of(model.manifest))}.")
    weights = model.class_weights[chosen]
    if method == "contrast":
        weights = weights - rival_weights(model.class_weights, outputs.probabilities, chosen)
    return activation_maps(outputs.features, weights)


def rival_weights(
    weights: NDArray[np.float32], probabilities: NDArray[np.float32], chosen: Sequence[int]
) -> NDArray[np.float32]:
    """The mean class weights (n, channels) of the labels that were not chosen, by their probabilities.

    Without the chosen label's weights, this is what the gradient of its log-probability subtracts from them.
    """
    others = probabilities.astype(np.float64)
    others[np.arange(len(others)), chosen] = 0
    totals = others.sum(axis=1, keepdims=True)
    return np.asarray((others / np.where(totals > 0, totals, 1)) @ weights, np.float32)


def activation_maps(features: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps (n, h, w) from features (n, channels, h, w) and each face's class weights (n, channels)."""
    return _normalised(np.einsum("nchw,nc->nhw", features, weights, optimize=True))


class _OcclusionWork:
    """The CPU time of the occlusion maps of one picture. Too much is refused before it is spent, as soon as it is known
    how long a pass of the model takes on this machine."""

    def __init__(self, model: Classifier, faces: int) -> None:
        self._model = model
        self._passes = faces * _PASSES
        self._started = time.thread_time()
        self._done = 0

    def before_pass(self) -> None:
        """Raises InvalidRequest when the maps take, or will take, too long."""
        model = self._model
        spent = expected = time.thread_time() - self._started
        if self._done == _MEASURED:
            model.seconds_a_pass = min(spent / self._done, model.seconds_a_pass or spent)
        if self._done <= _MEASURED:
            expected = self._passes * model.seconds_a_pass
        if max(spent, expected) > _MOST_SECONDS:
            raise InvalidRequest("explain: this takes too long with this model and so many faces. Explain fewer faces.")
        self._done += 1


def occlusion_map(
    model: Classifier,
    crop: NDArray[np.uint8],
    index: int,
    probability: float,
    before_pass: Callable[[], None],
) -> NDArray[np.float32]:
    """How much a label's probability falls where a patch of the crop's mean colour covers the crop."""
    places = [(row, column) for row in range(1 - _PATCH, _CELLS) for column in range(1 - _PATCH, _CELLS)]
    falls = np.empty(len(places))
    for start in range(0, len(places), PATCHES_AT_ONCE):
        before_pass()
        some = slice(start, start + PATCHES_AT_ONCE)
        covered = _covered(crop, places[some])
        falls[some] = probability - model.infer(model.prepare(covered)).probabilities[:, index]
    total = np.zeros((_CELLS, _CELLS))
    for fall, (row, column) in zip(falls, places, strict=True):
        total[max(row, 0) : row + _PATCH, max(column, 0) : column + _PATCH] += fall
    return np.asarray(_normalised(total[None])[0], np.float32)


def _covered(crop: NDArray[np.uint8], places: Sequence[tuple[int, int]]) -> list[NDArray[np.uint8]]:
    """The crop with a patch of its mean colour at each of some places, (row, column) in cells."""
    height, width = crop.shape[:2]
    rows = np.linspace(0, height, _CELLS + 1).round().astype(int)
    columns = np.linspace(0, width, _CELLS + 1).round().astype(int)
    colour = crop.mean(axis=(0, 1)).round().astype(np.uint8)
    covered = [crop.copy() for _ in places]
    for picture, (row, column) in zip(covered, places, strict=True):
        top, left = rows[max(row, 0)], columns[max(column, 0)]
        bottom, right = rows[min(row + _PATCH, _CELLS)], columns[min(column + _PATCH, _CELLS)]
        picture[top:bottom, left:right] = colour
    return covered


def _normalised(maps: NDArray[np.floating]) -> NDArray[np.float32]:
    """The positive part of each map, scaled to a peak of 1; a map without positive values stays 0."""
    positive = np.maximum(maps, 0)
    peaks = positive.max(axis=(1, 2), keepdims=True)
    return np.asarray(positive / np.where(peaks > 0, peaks, 1), np.float32)


def overlay_png(crop: NDArray[np.uint8], grid: NDArray[np.float32]) -> bytes:
    """A PNG of the crop, uint8 (h, w, 3) RGB, under its grid, float32 (rows, columns); at least 144 pixels a side."""
    height, width = crop.shape[:2]
    factor = max(1, -(-_OVERLAY_SIDE // min(height, width)))
    size = (width * factor, height * factor)
    photo = cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC)
    weights = np.clip(cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC), 0.0, 1.0)
    colours = cv2.applyColorMap(np.rint(weights * 255).astype(np.uint8), _COLOURS)
    share = _STRONGEST * weights
    blended = cv2.blendLinear(photo[..., ::-1].copy(), colours, 1 - share, share)
    done, png = cv2.imencode(".png", blended)
    if not done:
        raise RuntimeError("OpenCV could not write the PNG.")
    return png.tobytes()
