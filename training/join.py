"""Joins several teachers: weights by cross-validation on ``valid``, and soft labels for students.

The joined logits are a weighted sum of the logarithms of the predictions. Weights are fitted to the labels of ``valid``
and measured on faces that they were not fitted to.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training import scores, teacher
from training.data import NO_LABEL, Faces
from training.labels import SERVED_FROM_FERPLUS
from training.metrics import Figure, bootstrapped
from training.tables import percent, table
from training.teacher import SoftLabels

_PARTS: Final = 10
_SMALLEST: Final = 1e-5


def logarithms(labels: SoftLabels) -> Tensor:
    """(n, 8) logarithms of the votes."""
    return labels.votes.clamp_min(_SMALLEST).log()


def fit(views: Tensor, labels: Tensor) -> Tensor:
    """Non-negative weights (teachers,) of logits (teachers, n, labels) with the smallest log loss."""
    raw = torch.full((len(views),), 1.0 / len(views), requires_grad=True)
    optimizer = torch.optim.LBFGS([raw], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy(torch.tensordot(raw.clamp_min(0), views, 1), labels)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return raw.detach().clamp_min(0)


def cross_validated(views: Tensor, labels: Tensor) -> Tensor:
    """Joined logits (n, labels); those of each tenth have weights that were fitted to the other nine."""
    parts = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)) % _PARTS
    joined = torch.empty(views.shape[1:])
    for part in range(_PARTS):
        held = parts == part
        weights = fit(views[:, ~held], labels[~held])
        joined[held] = torch.tensordot(weights, views[:, held], 1)
    return joined


def join(parts: Sequence[SoftLabels], weights: Tensor) -> SoftLabels:
    """Soft labels from the weighted geometric mean of some; the weights are made to sum to one."""
    shares = weights / weights.sum()
    names = ("votes", "fer2013")
    logs = (torch.stack([getattr(part, name).clamp_min(_SMALLEST).log() for part in parts]) for name in names)
    return SoftLabels(*(torch.tensordot(shares, each, 1).softmax(1) for each in logs))


def report(names: Sequence[str], views: Tensor, labels: Tensor) -> str:
    """A table of each teacher alone and of all, with differences to the first."""
    every = {**{name: cross_validated(views[i : i + 1], labels) for i, name in enumerate(names)}}
    every["joined"] = cross_validated(views, labels)
    losses = {n: functional.cross_entropy(each, labels, reduction="none").numpy() for n, each in every.items()}
    right = {n: (each.argmax(1) == labels).numpy().astype(np.float64) for n, each in every.items()}
    first = names[0]
    rows = []
    for name in every:
        cells = [name, percent(float(right[name].mean()), 2), f"{losses[name].mean():.4f}"]
        if name == first:
            cells += ["–", "–"]
        else:
            accuracy, loss = (_mean(each[name] - each[first]) for each in (right, losses))
            cells.append(f"{percent(accuracy.value, 2)} ({100 * accuracy.low:.2f} to {100 * accuracy.high:.2f})")
            cells.append(f"{loss.value:.4f} ({loss.low:.4f} to {loss.high:.4f})")
        rows.append(cells)
    return table(["teacher", "accuracy", "log loss", "accuracy, difference", "log loss, difference"], rows)


def _mean(values: NDArray[np.floating]) -> Figure:
    return bootstrapped(lambda rows: float(values[rows].mean()), len(values))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training join", description=__doc__)
    parser.add_argument("teachers", nargs="+", type=Path, help="folders; others are compared with the first")
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--to", type=Path, required=True, help="folder for the joined soft labels")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(arguments)
    splits = [Faces.load(options.prepared / f"{name}.npz") for name in ("valid", "train", "photos")]
    faces, valid = Faces.concatenated(splits), splits[0]
    parts = [teacher.of_teacher(folder, faces, torch.device(options.device)) for folder in options.teachers]
    for folder, part in zip(options.teachers, parts, strict=True):
        part.save(folder, faces)
    labels = scores.served_labels(valid.votes)
    known = np.flatnonzero(labels != NO_LABEL)
    views = torch.stack([logarithms(part)[: len(valid)][known][:, SERVED_FROM_FERPLUS] for part in parts])
    targets = torch.from_numpy(labels[known])
    print(report([folder.name for folder in options.teachers], views, targets))
    weights = fit(views, targets)
    print("weights", dict(zip((folder.name for folder in options.teachers), weights.tolist(), strict=True)))
    join(parts, weights).save(options.to, faces)


if __name__ == "__main__":
    main()
