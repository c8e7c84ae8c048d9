"""Compares crops of photos for a shipped model: by box or by eyes, wider and narrower."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from app.inference.classifier import Classifier, load_classifier
from app.inference.session import SessionSpec
from app.vision import crop
from app.vision.crop import BoxFraming, EyeFraming, Framing
from training import metrics, photos
from training.data import EYE_CENTER, EYE_DISTANCE
from training.dataset import data_folder, read_photos
from training.metrics import Labels
from training.photos import FacePhoto
from training.tables import percent, table

_COMMON: Final = 20


def candidates() -> Iterator[tuple[str, Framing]]:
    """The crop that resembles FER-2013, by box and by eyes, then wider, narrower, higher and lower ones."""
    for factor in (1.0, 0.9, 0.95, 1.05, 1.1):
        # The square grows around its centre.
        grown = 1.16 * (factor - 1) / 2
        yield f"box, side × {factor}", BoxFraming(1.16 * factor, -0.08 - grown, -0.165 - grown)
    x, y = EYE_CENTER
    for factor in (1.0, 0.9, 0.95, 1.05, 1.1):
        yield f"eyes, side × {factor}", EyeFraming(EYE_DISTANCE / factor, (x, 0.5 + (y - 0.5) / factor))
    for shift in (-0.04, -0.02, 0.02, 0.04):
        yield f"eyes, {shift:+.2f} of the side down", EyeFraming(EYE_DISTANCE, (x, y - shift))


def predict(model: Classifier, found: list[FacePhoto], framing: Framing) -> Labels:
    spec = model.manifest.input
    labels = []
    for photo in found:
        picture = photo.detected.picture
        square = crop.region_of(photo.detected.faces[0], framing).scaled(1 / picture.scale)
        face = crop.extract(picture.pixels, square, spec.width, spec.height)
        labels.append(int(model.infer(model.prepare([face])).probabilities[0].argmax()))
    return np.array(labels, dtype=np.int64)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training framing", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/default"))
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--limit", type=int, help="use only this many photos")
    options = parser.parse_args(arguments)
    model = load_classifier(options.model, SessionSpec())
    names = model.manifest.labels
    with photos.open_pipeline() as pipeline:
        listed = (photo for photo in read_photos(options.data, "dev") if photo.label in names)
        detections = (photos.find_face(pipeline, photo) for photo in itertools.islice(listed, options.limit))
        found = [photo for photo in detections if photo is not None]
    labels = np.array([names.index(each.photo.label) for each in found], dtype=np.int64)
    rows = []
    for name, framing in candidates():
        predicted = predict(model, found, framing)
        accuracy = metrics.accuracy(predicted, labels)
        recall = metrics.macro_recall(predicted, labels, at_least=_COMMON if options.limit is None else 1)
        interval = f"{percent(accuracy.low)} to {percent(accuracy.high)}"
        rows.append((name, percent(accuracy.value), interval, percent(recall.value)))
    print(f"{model.manifest.name} {model.manifest.version} on {len(found)} photos with a face\n")
    print(table(("framing", "accuracy", "95 %", "macro recall"), rows))


if __name__ == "__main__":
    main()
