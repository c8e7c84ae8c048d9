"""How sure an answer may sound: from a network's raw scores to probabilities that are right as often as they say."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inference.manifest import OutputSpec

_SMALLEST_PROBABILITY = 1e-12
_SMALLEST_ENTROPY = 0.15
"""The clearest answers are too few to be told apart: they share one temperature."""


def calibrate(scores: NDArray[Any], output: OutputSpec) -> NDArray[np.float32]:
    """Probabilities float32 (n, labels) of a network's raw scores. Probabilities are tempered through their log."""
    logits = scores.astype(np.float64)
    if output.kind == "probabilities":
        logits = np.log(np.maximum(logits, _SMALLEST_PROBABILITY))
    temperature: float | NDArray[np.float64] = output.temperature
    if output.entropy_exponent:
        temperature = temperature * _entropy(softmax(logits)) ** output.entropy_exponent
    return np.asarray(softmax(logits / temperature), np.float32)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """How undecided each row is, (n, 1): one where all labels are as likely."""
    logs = np.log(np.maximum(probabilities, _SMALLEST_PROBABILITY))
    shares = -(probabilities * logs).sum(axis=1, keepdims=True) / np.log(probabilities.shape[1])
    return np.asarray(np.maximum(shares, _SMALLEST_ENTROPY))
