"""Heatmaps of one face by methods that only ask a model for probabilities.

What a method hides of a face gets the face's mean colour. The methods that need gradients are in
:mod:`training.gradients`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import slic

from app.inference.classifier import Classifier
from app.inference.explain import Method as ServedMethod
from app.inference.explain import explain, methods_of

Grid = NDArray[np.float32]

RISE_MASKS: Final = 500
LIME_SAMPLES: Final = 500
SHAP_EVALUATIONS: Final = 500
CELLS: Final = 7
"""Cells on a side that RISE and kernel SHAP hide or keep. LIME has about as many segments of similar colour."""

TITLES: Final = {
    "contrast": "contrast",
    "cam": "class-activation map",
    "occlusion": "occlusion",
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "integrated_gradients": "integrated gradients",
    "rise": "RISE",
    "lime": "LIME",
    "shap_partition": "SHAP, partition",
    "shap_kernel": "SHAP, kernel",
    "centre": "blob in the centre",
    "random": "random map",
}
"""Every method by name, in the order in which they are shown."""

_AT_ONCE: Final = 32
_KERNEL_WIDTH: Final = 0.25


@dataclass(frozen=True, eq=False)
class Target:
    """A crop (h, w, 3) and the index of the label that is explained."""

    model: Classifier
    crop: NDArray[np.uint8]
    label: int

    @property
    def colour(self) -> NDArray[np.uint8]:
        """What hidden pixels get."""
        return np.asarray(self.crop.mean(axis=(0, 1)).round(), np.uint8)

    def probabilities_of(self, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The label's probability for each of some crops (n, h, w, 3)."""
        parts = [crops[start : start + _AT_ONCE] for start in range(0, len(crops), _AT_ONCE)]
        infer, prepare = self.model.infer, self.model.prepare
        found = [infer(prepare(list(part))).probabilities[:, self.label] for part in parts]
        return np.concatenate(found).astype(np.float64)

    def probabilities_with(self, masks: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The label's probability where each mask (n, h, w) keeps the crop's pixels by its values from 0 to 1."""
        found = []
        for start in range(0, len(masks), _AT_ONCE):
            shares = masks[start : start + _AT_ONCE, :, :, None]
            found.append(
                self.probabilities_of(np.rint(shares * self.crop + (1 - shares) * self.colour).astype(np.uint8))
            )
        return np.concatenate(found)


Method = Callable[[Target, np.random.Generator], Grid]


def methods(model: Classifier) -> dict[str, Method]:
    """The methods that need no gradients, by name. Those of SHAP need its package when they are called."""
    return {
        **{name: served(name) for name in methods_of(model.manifest)},
        "rise": rise,
        "lime": lime,
        "shap_partition": shap_partition,
        "shap_kernel": shap_kernel,
        "centre": centre,
        "random": chance,
    }


def served(method: ServedMethod) -> Method:
    """A method of the service."""

    def heatmap(target: Target, random: np.random.Generator) -> Grid:  # noqa: ARG001
        outputs = target.model.infer(target.model.prepare([target.crop]), with_features=True)
        label = target.model.manifest.labels[target.label]
        return explain(target.model, [target.crop], outputs, label, method)[0].grid

    return heatmap


def centre(target: Target, random: np.random.Generator) -> Grid:  # noqa: ARG001
    """A blob in the centre, whatever the model."""
    down, across = np.mgrid[-1:1:13j, -1:1:13j]
    return np.asarray(np.exp(-2 * (down**2 + across**2)), np.float32)


def chance(target: Target, random: np.random.Generator) -> Grid:  # noqa: ARG001
    """A random map, whatever the model."""
    return random.random((CELLS, CELLS), np.float32)


def rise(target: Target, random: np.random.Generator) -> Grid:
    """RISE: the mean of random soft masks, each weighted by the probability that is left."""
    height, width = target.crop.shape[:2]
    step_y, step_x = -(-height // CELLS), -(-width // CELLS)
    size = ((CELLS + 1) * step_x, (CELLS + 1) * step_y)
    coarse = random.integers(0, 2, (RISE_MASKS, CELLS + 1, CELLS + 1)).astype(np.float32)
    masks = np.empty((RISE_MASKS, height, width), np.float32)
    for mask, grid, top, left in zip(
        masks, coarse, random.integers(0, step_y, RISE_MASKS), random.integers(0, step_x, RISE_MASKS), strict=True
    ):
        mask[:] = cv2.resize(grid, size, interpolation=cv2.INTER_LINEAR)[top : top + height, left : left + width]
    weights = target.probabilities_with(masks).astype(np.float32)
    means = np.tensordot(weights, masks, 1) / masks.sum(axis=0)
    # Even a pixel that does not matter has the mean of the probability.
    return np.asarray(means - means.min(), np.float32)


def lime(target: Target, random: np.random.Generator) -> Grid:
    """LIME: a linear model of the probability over segments that are hidden or kept, near the whole crop."""
    segments = slic(target.crop, n_segments=CELLS**2, compactness=10, start_label=0)
    count = int(segments.max()) + 1
    kept = random.integers(0, 2, (LIME_SAMPLES, count))
    kept[0] = 1
    distances = 1 - np.sqrt(kept.sum(axis=1) / count)
    weights = np.exp(-(distances**2) / (2 * _KERNEL_WIDTH**2))
    probabilities = target.probabilities_with(kept[:, segments].astype(np.float32))
    inputs = kept - np.average(kept, axis=0, weights=weights)
    outputs = probabilities - np.average(probabilities, weights=weights)
    weighted = inputs * weights[:, None]
    coefficients = np.linalg.solve(weighted.T @ inputs + np.eye(count), weighted.T @ outputs)
    return np.asarray(coefficients[segments], np.float32)


def shap_partition(target: Target, random: np.random.Generator) -> Grid:  # noqa: ARG001
    """SHAP over ever smaller rectangles (Owen values)."""
    import shap  # noqa: PLC0415 - only this needs the package

    masker = shap.maskers.Image(np.broadcast_to(target.colour, target.crop.shape).copy(), target.crop.shape)
    explainer = shap.explainers.Partition(lambda crops: target.probabilities_of(np.asarray(crops, np.uint8)), masker)
    found = explainer(target.crop[None], max_evals=SHAP_EVALUATIONS, batch_size=_AT_ONCE, silent=True)
    return np.asarray(found.values[0].sum(axis=-1), np.float32)


def shap_kernel(target: Target, random: np.random.Generator) -> Grid:
    """SHAP by weighted regression over square cells."""
    import shap  # noqa: PLC0415 - only this needs the package

    cells = _cells(*target.crop.shape[:2])

    def probabilities(kept: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        return target.probabilities_with(kept[:, cells].astype(np.float32))

    # The package draws from NumPy's global generator.
    np.random.seed(int(random.integers(2**31)))
    explainer = shap.KernelExplainer(probabilities, np.zeros((1, CELLS**2)))
    values = explainer.shap_values(np.ones(CELLS**2), nsamples=SHAP_EVALUATIONS, l1_reg=False, silent=True)
    return np.asarray(values, np.float32).reshape(CELLS, CELLS)


def _cells(height: int, width: int) -> NDArray[np.intp]:
    """The number of the cell that each pixel lies in."""
    rows = np.arange(height) * CELLS // height
    columns = np.arange(width) * CELLS // width
    return np.asarray(rows[:, None] * CELLS + columns, np.intp)
