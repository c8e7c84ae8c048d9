"""Scores of logits against the votes, for choices among networks that are not calibrated yet."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from training.data import NO_LABEL
from training.labels import SERVED_FROM_FERPLUS


def top_labels(columns: NDArray[np.float32], votes: NDArray[np.float32]) -> NDArray[np.int64]:
    """The top column of each row if it is also the top of all labels, else no label."""
    is_top = (votes.max(axis=1) > 0) & (columns.max(axis=1) == votes.max(axis=1))
    return np.where(is_top, columns.argmax(axis=1), NO_LABEL)


def served_labels(votes: NDArray[np.float32]) -> NDArray[np.int64]:
    """The top vote of each row, (n, 8), among the served labels."""
    return top_labels(votes[:, SERVED_FROM_FERPLUS], votes)


def log_loss(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The log loss at the temperature, one of 41, that makes it smallest."""
    return round(float(losses(logits, labels).mean()), 4) if len(labels) else 0.0


def losses(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The log loss of each row at the temperature that is best for all."""
    rows, targets = torch.from_numpy(logits), torch.from_numpy(labels)
    found = [functional.cross_entropy(rows / t, targets, reduction="none") for t in np.linspace(0.4, 1.4, 41)]
    return np.asarray(min(found, key=lambda each: float(each.mean())).numpy())
