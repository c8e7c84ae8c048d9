"""How sure an answer may sound: from a network's raw scores to probabilities that are right as often as they say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inference.manifest import OutputSpec

_SMALLEST_PROBABILITY = 1e-12
_FARTHEST = -700.0
"""The natural logarithm of the smallest odds that are told apart, so that all of them are more than nothing."""
_SMALLEST_ENTROPY = 0.15
"""The clearest answers are too few to be told apart: they share one temperature."""


def calibrate(scores: NDArray[Any], output: OutputSpec) -> NDArray[np.float32]:
    """Probabilities float32 (n, labels) of a network's raw scores. Probabilities are tempered through their log."""
    logits = scores.astype(np.float64)
    if output.kind == "probabilities":
        logits = np.log(np.maximum(logits, _SMALLEST_PROBABILITY))
    logits = _behind_the_first(logits)
    temperature: float | NDArray[np.float64] = output.temperature
    if output.entropy_exponent:
        temperature = temperature * _entropy(logits) ** output.entropy_exponent
    return _shares(np.exp(logits / temperature)).astype(np.float32)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return _shares(np.exp(_behind_the_first(logits)))


def _behind_the_first(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each logit of a row lies behind the largest: nothing or less."""
    return np.maximum(logits - np.maximum.reduce(logits, axis=1, keepdims=True), _FARTHEST)


def _shares(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return odds / np.add.reduce(odds, axis=1, keepdims=True)


def _entropy(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """How undecided each row is, (n, 1): one where all labels are as likely."""
    odds = np.exp(logits)
    total = np.add.reduce(odds, axis=1, keepdims=True)
    entropy = np.log(total) - np.add.reduce(odds * logits, axis=1, keepdims=True) / total
    return np.maximum(entropy / math.log(logits.shape[1]), _SMALLEST_ENTROPY)
