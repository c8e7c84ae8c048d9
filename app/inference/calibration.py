"""Calibration: from a network's raw scores to probabilities that are right as often as they say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inference.manifest import OutputSpec

_SMALLEST_PROBABILITY = 1e-12
_SMALLEST_LOGIT = -700.0
"""Relative to the largest logit. Its exponential is still greater than 0 in double precision."""
_SMALLEST_ENTROPY = 0.15
"""Too few predictions lie below it to fit a temperature of their own, so they share one."""


def calibrate(scores: NDArray[Any], output: OutputSpec) -> NDArray[np.float32]:
    """Probabilities float32 (n, labels) from a network's raw scores. Uncalibrated probabilities become logits first."""
    logits = scores.astype(np.float64)
    if output.kind == "probabilities":
        logits = np.log(np.maximum(logits, _SMALLEST_PROBABILITY))
    logits = _relative_to_largest(logits)
    temperature: float | NDArray[np.float64] = output.temperature
    if output.entropy_exponent:
        temperature = temperature * _entropy(logits) ** output.entropy_exponent
    return _normalised(np.exp(logits / temperature)).astype(np.float32)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return _normalised(np.exp(_relative_to_largest(logits)))


def _relative_to_largest(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each logit minus the largest of its row, so at most 0."""
    return np.maximum(logits - np.maximum.reduce(logits, axis=1, keepdims=True), _SMALLEST_LOGIT)


def _normalised(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return odds / np.add.reduce(odds, axis=1, keepdims=True)


def _entropy(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normalised entropy of each row, (n, 1): 1 where all labels are equally likely."""
    odds = np.exp(logits)
    total = np.add.reduce(odds, axis=1, keepdims=True)
    entropy = np.log(total) - np.add.reduce(odds * logits, axis=1, keepdims=True) / total
    return np.maximum(entropy / math.log(logits.shape[1]), _SMALLEST_ENTROPY)
