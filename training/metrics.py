"""Figures of a classifier, as plain functions of arrays, without models or files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32] | NDArray[np.float64]
Labels = NDArray[np.int64]

BINS: Final = 15
_RESAMPLES: Final = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % bootstrap interval and its number of faces."""

    value: float
    low: float
    high: float
    faces: int


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Precision, recall and F1 of one label; None where the label does not occur or was never predicted."""

    label: str
    faces: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Mean confidence and accuracy of the faces whose confidence lies in one interval."""

    low: float
    high: float
    faces: int
    confidence: float
    accuracy: float


def accuracy(predicted: Labels, labels: Labels) -> Figure:
    right = predicted == labels
    return bootstrapped(lambda rows: float(right[rows].mean()), len(right))


def macro_recall(predicted: Labels, labels: Labels, at_least: int = 1) -> Figure:
    """The mean recall over the labels with at least ``at_least`` faces."""
    kept = [label for label in np.unique(labels) if (labels == label).sum() >= at_least]

    def mean_recall(rows: Labels) -> float:
        right, drawn = predicted[rows] == labels[rows], labels[rows]
        return float(np.mean([right[drawn == label].mean() for label in kept if (drawn == label).any()]))

    return bootstrapped(mean_recall, len(labels))


def macro_f1(predicted: Labels, labels: Labels) -> Figure:
    """The mean F1 over the labels that occur."""
    kept = np.unique(labels)

    def mean_f1(rows: Labels) -> float:
        given, drawn = predicted[rows], labels[rows]
        parts = [(given == label, drawn == label) for label in kept]
        return float(np.mean([2 * (a & b).sum() / max(a.sum() + b.sum(), 1) for a, b in parts]))

    return bootstrapped(mean_f1, len(labels))


def bootstrapped(statistic: Callable[[Labels], float], faces: int, seed: int = 0) -> Figure:
    """A statistic of rows, with its bootstrap interval."""
    generator = np.random.default_rng(seed)
    values = [statistic(generator.integers(0, faces, faces)) for _ in range(_RESAMPLES)]
    low, high = np.percentile(values, [2.5, 97.5])
    return Figure(statistic(np.arange(faces)), float(low), float(high), faces)


def confusion(predicted: Labels, labels: Labels, count: int) -> NDArray[np.int64]:
    """(count, count): rows are labels, columns are predictions."""
    matrix = np.zeros((count, count), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def by_class(predicted: Labels, labels: Labels, names: tuple[str, ...]) -> tuple[ClassFigures, ...]:
    matrix = confusion(predicted, labels, len(names))
    figures = []
    for index, name in enumerate(names):
        found, real, given = int(matrix[index, index]), int(matrix[index].sum()), int(matrix[:, index].sum())
        f1 = 2 * found / (real + given) if real and given else None
        figures.append(ClassFigures(name, real, found / given if given else None, found / real if real else None, f1))
    return tuple(figures)


def reliability(confidence: Floats, right: NDArray[np.bool_], bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Bins of equal width; empty ones are left out."""
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for index in range(bins):
        inside = places == index
        if inside.any():
            found.append(
                ReliabilityBin(
                    float(edges[index]),
                    float(edges[index + 1]),
                    int(inside.sum()),
                    float(confidence[inside].mean()),
                    float(right[inside].mean()),
                )
            )
    return tuple(found)


def calibration_error(probabilities: Floats, labels: Labels, bins: int = BINS) -> float:
    """The expected calibration error of the top label."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    return sum(
        part.faces / len(labels) * abs(part.confidence - part.accuracy) for part in reliability(confidence, right, bins)
    )


def log_loss(probabilities: Floats, targets: Floats) -> float:
    """Mean cross-entropy in nats against target distributions (n, k)."""
    return float(-(targets * np.log(np.maximum(probabilities, 1e-12))).sum(axis=1).mean())


def jensen_shannon(probabilities: Floats, targets: Floats) -> float:
    """The mean Jensen-Shannon distance in base 2: 0 for equal distributions, 1 for disjoint ones."""
    middle = (probabilities + targets) / 2

    def divergence(values: Floats) -> NDArray[np.float64]:
        ratio = np.divide(values, middle, out=np.ones_like(middle), where=values > 0)
        return np.asarray((values * np.log2(ratio)).sum(axis=1))

    both = (divergence(probabilities) + divergence(targets)) / 2
    return float(np.sqrt(np.maximum(both, 0)).mean())


def ranking(scores: Floats, positive: NDArray[np.bool_]) -> float | None:
    """The area under the ROC curve; None if all faces are of one class."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
