"""The figures of an audit. Pure functions of labels and probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Indexes = NDArray[np.int64]

Z95: Final = 1.959964
ENOUGH: Final = 20
"""Faces of a label from which it counts in means over labels."""
_BINS: Final = 15
_DRAWS: Final = 1000
_GOLDEN: Final = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a count, with its 95 % interval by Wilson."""

    hits: int
    count: int

    @property
    def value(self) -> float | None:
        return self.hits / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.hits, self.count) if self.count else None


def wilson(hits: int, count: int) -> tuple[float, float]:
    share, spread = hits / count, Z95**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(share * (1 - share) / count + spread / count / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def difference_interval(one: Share, other: Share) -> tuple[float, float]:
    """The 95 % interval of the difference of two independent shares, by Newcombe."""
    (low_1, high_1), (low_2, high_2) = wilson(one.hits, one.count), wilson(other.hits, other.count)
    p1, p2 = one.hits / one.count, other.hits / other.count
    below = math.hypot(p1 - low_1, high_2 - p2)
    above = math.hypot(high_1 - p1, p2 - low_2)
    return p1 - p2 - below, p1 - p2 + above


def two_shares(one: Share, other: Share) -> float:
    """The probability of such a difference between two shares, or a larger one, if there were none."""
    total = one.count + other.count
    pooled = (one.hits + other.hits) / total
    error = math.sqrt(pooled * (1 - pooled) * (1 / one.count + 1 / other.count))
    if error == 0:
        return 1.0
    return math.erfc(abs(one.hits / one.count - other.hits / other.count) / error / math.sqrt(2))


def holm(values: Sequence[float]) -> list[float]:
    """Probabilities corrected for the number of comparisons."""
    corrected, least = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        least = max(least, min(1.0, values[index] * (len(values) - rank)))
        corrected[index] = least
    return corrected


def mcnemar(only_one: int, only_other: int) -> float:
    """The exact probability of such a difference between two models on the same faces, if there were none."""
    count, fewer = only_one + only_other, min(only_one, only_other)
    if count == 0:
        return 1.0
    tail = sum(math.comb(count, hits) for hits in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**count))


def confusion(truth: Indexes, predicted: Indexes, labels: int) -> Indexes:
    """Faces by label (rows) and prediction (columns)."""
    matrix = np.zeros((labels, labels), np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def common(truth: Indexes) -> Indexes:
    """The labels of enough faces to count in a mean over labels."""
    return np.flatnonzero(np.bincount(truth) >= ENOUGH)


def macro_recall(truth: Indexes, predicted: Indexes, labels: Indexes) -> float:
    """The mean of the labels' recalls."""
    return float(np.mean([np.mean(predicted[truth == label] == label) for label in labels if (truth == label).any()]))


def macro_f1(truth: Indexes, predicted: Indexes, labels: Indexes) -> float:
    """The mean of the labels' F1 scores."""
    scores = []
    for label in labels:
        hits = np.sum((truth == label) & (predicted == label))
        scores.append(2 * hits / max(1, np.sum(truth == label) + np.sum(predicted == label)))
    return float(np.mean(scores))


Figure = Callable[[Indexes, Indexes, Indexes], float]


def bootstrap(figure: Figure, truth: Indexes, predicted: Indexes, labels: Indexes) -> tuple[float, float]:
    """The 95 % interval of a figure, by drawing faces again."""
    random = np.random.default_rng(0)
    draws = [random.integers(0, len(truth), len(truth)) for _ in range(_DRAWS)]
    low, high = np.quantile([figure(truth[draw], predicted[draw], labels) for draw in draws], (0.025, 0.975))
    return float(low), float(high)


def log_loss(probabilities: Numbers, truth: Indexes) -> float:
    chosen = probabilities[np.arange(len(truth)), truth]
    return float(-np.mean(np.log(np.maximum(chosen, 1e-12))))


@dataclass(frozen=True, slots=True)
class Bin:
    """Faces of similar confidence: their mean confidence, and the share that is right."""

    confidence: float
    accuracy: float
    faces: int


def reliability(probabilities: Numbers, truth: Indexes) -> list[Bin]:
    """The faces by confidence, in fifteen bins of equal counts."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    parts = np.array_split(np.argsort(confidence, kind="stable"), _BINS)
    return [Bin(float(confidence[part].mean()), float(right[part].mean()), len(part)) for part in parts if len(part)]


def calibration_error(probabilities: Numbers, truth: Indexes) -> float:
    """How far confidence and accuracy lie apart in the mean over the bins."""
    bins = reliability(probabilities, truth)
    return sum(abs(each.confidence - each.accuracy) * each.faces for each in bins) / len(truth)


def sharpened(probabilities: Numbers, temperature: float) -> Numbers:
    """The probabilities as if their logits were divided by a temperature."""
    logits = np.log(np.maximum(probabilities, 1e-12)) / temperature
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(odds / odds.sum(1, keepdims=True))


def fitted_temperature(probabilities: Numbers, truth: Indexes) -> float:
    """The temperature of least log loss, by golden-section search."""
    low, high = math.log(0.2), math.log(5.0)

    def loss(logarithm: float) -> float:
        return log_loss(sharpened(probabilities, math.exp(logarithm)), truth)

    while high - low > 1e-4:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)


def confidences(probabilities: Numbers) -> Numbers:
    """The confidence of each prediction, rounded as results show it and as the service compares it."""
    return np.asarray(probabilities.max(1).round(4))


def threshold_for(probabilities: Numbers, truth: Indexes, precision: float) -> tuple[float, float] | None:
    """The lowest confidence from which on predictions are right as often as wanted, and the share of faces that reach
    it; None where none do. It is rounded up to a hundredth."""
    confidence, right = confidences(probabilities), probabilities.argmax(1) == truth
    for hundredths in range(101):
        reached = confidence >= hundredths / 100
        if reached.any() and right[reached].mean() >= precision:
            return hundredths / 100, float(reached.mean())
    return None
