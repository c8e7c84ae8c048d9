"""The temperature that makes a shipped model as sure as it is right, found on validation faces."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from training.data import NO_LABEL
from training.folder import amend
from training.metrics import Floats, Labels, calibration_error, log_loss, softmax
from training.protocols import ferplus7
from training.shipped import Shipped
from training.source import data_folder, read_split


def fit(logits: Floats, labels: Labels) -> float:
    """The temperature with the smallest log loss on the labels, to three digits."""
    targets = np.eye(logits.shape[1])[labels]

    def loss(exponent: float) -> float:
        return log_loss(softmax(logits, float(np.exp(exponent))), targets)

    # The loss has one valley in the temperature: golden sections close in on it.
    low, high, ratio = np.log(0.05), np.log(20.0), (np.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), 3)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training calibrate", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/default"))
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--limit", type=int, help="fit on this many faces only")
    options = parser.parse_args(arguments)
    valid = read_split(options.data, "valid").subset(slice(options.limit))
    labels = ferplus7(valid, "plurality")
    known = labels != NO_LABEL
    model = Shipped(options.model)
    logits = model.read(valid.images[known]).served
    temperature = fit(logits, labels[known])
    before, after = (calibration_error(softmax(logits, value), labels[known]) for value in (1.0, temperature))
    amend(options.model, output=model.manifest.output.model_copy(update={"temperature": temperature}))
    print(f"temperature {temperature}: calibration error {before:.4f} to {after:.4f} on valid")


if __name__ == "__main__":
    main()
