"""Figures of the served predictions for several shares of the second head, to choose ``export --fer2013-share``."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from app.inference.calibration import calibrate
from app.inference.manifest import OutputSpec
from training import metrics, photos, protocols
from training.calibrate import fit
from training.data import NO_LABEL, Faces
from training.dataset import Split, data_folder, has_photos, read_photos, read_split
from training.labels import FER2013, FERPLUS, SERVED_FROM_FERPLUS
from training.metrics import Labels
from training.prepare import photo_faces
from training.shipped import Outputs, Shipped
from training.tables import percent, table

_SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5)
_COMMON = 20


def row(
    share: float, split: Split, faces: Outputs, wild: tuple[Outputs, Labels] | None, output: OutputSpec
) -> tuple[str, ...]:
    logits = _blended(faces, share)
    predicted = logits.argmax(axis=1)
    labels = protocols.ferplus7(split, "plurality")
    known = labels != NO_LABEL
    probabilities = calibrate(logits[known], fit(logits[known], labels[known], output))
    original = split.fer2013 != NO_LABEL
    cells = [
        f"{share}",
        percent(float((predicted[known] == labels[known]).mean()), 2),
        percent(metrics.macro_recall(predicted[known], labels[known]).value, 2),
        percent(float((predicted[original] == split.fer2013[original]).mean()), 2),
        f"{metrics.log_loss(probabilities, np.eye(len(FER2013))[labels[known]]):.4f}",
        f"{metrics.calibration_error(probabilities, labels[known]):.4f}",
    ]
    if wild:
        outputs, wild_labels = wild
        found = _blended(outputs, share).argmax(axis=1)
        cells.append(percent(float((found == wild_labels).mean()), 2))
        cells.append(percent(metrics.macro_recall(found, wild_labels, at_least=_COMMON).value, 2))
    return tuple(cells)


def _blended(outputs: Outputs, share: float) -> metrics.Floats:
    if outputs.ferplus is None or outputs.fer2013 is None:
        raise SystemExit("This model does not have both heads.")
    return outputs.ferplus[:, list(SERVED_FROM_FERPLUS)] + share * outputs.fer2013


def _served_labels(faces: Faces) -> Labels:
    names = [FERPLUS[index] for index in faces.votes.argmax(axis=1)]
    return np.array([FER2013.index(name) for name in names], dtype=np.int64)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training blend", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("runs/float/default"))
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--limit", type=int, help="use only this many faces and photos")
    options = parser.parse_args(arguments)
    model = Shipped(options.model)
    split = read_split(options.data, "valid").subset(slice(options.limit))
    faces, wild = model.infer(split.images), None
    head = ["share", "accuracy", "macro recall", "original labels", "log loss", "calibration error"]
    if has_photos(options.data, "dev"):
        listed = (photo for photo in read_photos(options.data, "dev") if photo.label in FER2013)
        with photos.open_pipeline() as pipeline:
            crops = photo_faces(pipeline, itertools.islice(listed, options.limit))
        wild = model.infer(crops.images), _served_labels(crops)
        head += ["wild-dev", "its macro recall"]
    print(table(head, [row(share, split, faces, wild, model.manifest.output) for share in _SHARES]))


if __name__ == "__main__":
    main()
