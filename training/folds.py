"""Five-fold cross-validation over ``train`` and ``valid`` together.

A run with ``fold=K`` leaves a fifth out and saves its logits for it. ``python -m training folds first second …``
compares runs by the faces that each did not see: ``first`` names the folders ``first-0`` to ``first-4``.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training import scores
from training.data import NO_LABEL, Faces
from training.heads import Logits
from training.labels import FER2013, SERVED_FROM_FERPLUS
from training.metrics import Figure, bootstrapped
from training.tables import percent, table

FOLDS: Final = 5
FILE: Final = "held_out.npz"


class HeldOut(NamedTuple):
    """Logits (n, 7) of the served labels for faces that the networks did not see, and the labels."""

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    ids: NDArray[np.int64]


def split(faces: Faces, fold: int) -> tuple[Faces, Faces]:
    """The faces to train on and those of a fold. Identical pictures are in the same fold."""
    digests = [hashlib.sha256(image.tobytes()).digest()[0] % FOLDS for image in faces.images]
    held = np.array(digests) == fold
    return faces.subset(~held), faces.subset(held)


def save(folder: Path, faces: Faces, logits: Logits) -> None:
    np.savez(folder / FILE, ids=faces.ids, votes=faces.votes, ferplus=logits.ferplus, fer2013=logits.fer2013)


def load(runs: Path, name: str) -> HeldOut:
    """All folds of a run, by the row of the faces in the source; faces without a served label are left out."""
    parts = [np.load(runs / f"{name}-{fold}" / FILE) for fold in range(FOLDS)]
    ids, votes, ferplus = (np.concatenate([part[key] for part in parts]) for key in ("ids", "votes", "ferplus"))
    labels = scores.served_labels(votes)
    order = np.argsort(ids)
    order = order[labels[order] != NO_LABEL]
    return HeldOut(ferplus[order][:, SERVED_FROM_FERPLUS], labels[order], ids[order])


def compare(runs: Path, names: list[str]) -> str:
    """A table of the runs; differences are to the first, with 95 % intervals by paired bootstrap."""
    found = {name: load(runs, name) for name in names}
    first = found[names[0]]
    if not all(np.array_equal(each.ids, first.ids) for each in found.values()):
        raise SystemExit("These runs have different folds.")
    rows = []
    for name, each in found.items():
        cells = [name]
        for statistic, show in ((_accuracy, _points), (_macro_recall, _points), (_loss, _nats)):
            value, other = statistic(each), statistic(first)
            alone = bootstrapped(value, len(each.labels))
            cells.append(show(alone))
            if name != names[0]:
                difference = bootstrapped(_difference(value, other), len(each.labels))
                cells.append(show(difference))
            else:
                cells.append("–")
        rows.append(cells)
    head = ["run", "accuracy", "difference", "macro recall", "difference", "log loss", "difference"]
    return table(head, rows)


Statistic = Callable[[NDArray[np.int64]], float]


def _difference(value: Statistic, other: Statistic) -> Statistic:
    return lambda rows: value(rows) - other(rows)


def _accuracy(each: HeldOut) -> Statistic:
    right = each.logits.argmax(axis=1) == each.labels
    return lambda rows: float(right[rows].mean())


def _macro_recall(each: HeldOut) -> Statistic:
    right = each.logits.argmax(axis=1) == each.labels

    def value(rows: NDArray[np.int64]) -> float:
        count = np.bincount(each.labels[rows], minlength=len(FER2013))
        hits = np.bincount(each.labels[rows], weights=right[rows], minlength=len(FER2013))
        return float((hits / np.maximum(count, 1)).mean())

    return value


def _loss(each: HeldOut) -> Statistic:
    losses = scores.losses(each.logits, each.labels)
    return lambda rows: float(losses[rows].mean())


def _points(figure: Figure) -> str:
    return f"{percent(figure.value, 2)} ({100 * figure.low:.2f} to {100 * figure.high:.2f})"


def _nats(figure: Figure) -> str:
    return f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training folds", description=__doc__)
    parser.add_argument("names", nargs="+", help="the first is what the others are compared with")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args(arguments)
    print(compare(options.runs, options.names))


if __name__ == "__main__":
    main()
