"""Fits the calibration of a shipped model on validation faces.

With one temperature for all predictions, clear ones get too little confidence and doubtful ones too much. So the
temperature follows the entropy of the prediction.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.inference.calibration import calibrate
from app.inference.manifest import OutputSpec
from training.data import NO_LABEL
from training.dataset import data_folder, read_split
from training.metrics import Floats, Labels, calibration_error, log_loss
from training.model_folder import amend
from training.protocols import ferplus7
from training.shipped import Shipped, check_labels


def fit(logits: Floats, labels: Labels, output: OutputSpec) -> OutputSpec:
    """The output spec with the calibration of the smallest log loss on the labels, to three digits."""
    targets = np.eye(logits.shape[1])[labels]

    def at(logarithm: float, exponent: float) -> OutputSpec:
        calibration = {"temperature": round(float(np.exp(logarithm)), 3), "entropy_exponent": round(exponent, 3)}
        return output.model_copy(update=calibration)

    def best_at(exponent: float) -> OutputSpec:
        return at(_argmin(lambda logarithm: loss(at(logarithm, exponent)), np.log(0.05), np.log(20.0)), exponent)

    def loss(candidate: OutputSpec) -> float:
        return log_loss(calibrate(logits, candidate), targets)

    return best_at(_argmin(lambda exponent: loss(best_at(exponent)), -0.5, 0.5))


def _argmin(function: Callable[[float], float], low: float, high: float) -> float:
    """The minimum of a unimodal function, by golden-section search."""
    ratio = (np.sqrt(5) - 1) / 2
    while high - low > 5e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if function(left) < function(right):
            high = right
        else:
            low = left
    return float((low + high) / 2)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training calibrate", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/default"))
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--limit", type=int, help="fit on only this many faces")
    options = parser.parse_args(arguments)
    valid = read_split(options.data, "valid").subset(slice(options.limit))
    labels = ferplus7(valid, "plurality")
    known = labels != NO_LABEL
    model = Shipped(options.model)
    check_labels(model.manifest)
    logits = model.infer(valid.images[known]).served
    before, after = model.manifest.output, fit(logits, labels[known], model.manifest.output)
    amend(options.model, output=after)
    errors = [calibration_error(calibrate(logits, output), labels[known]) for output in (before, after)]
    print(
        f"temperature {after.temperature}, entropy exponent {after.entropy_exponent}: "
        f"calibration error {errors[0]:.4f} to {errors[1]:.4f} on valid"
    )


if __name__ == "__main__":
    main()
