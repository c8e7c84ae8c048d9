"""Which crop of a photo suits a shipped model: the box or the eyes, and with how much around them."""

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
from training.metrics import Labels
from training.photos import Seen
from training.source import data_folder, read_photos
from training.tables import percent, table

_COMMON: Final = 20


def candidates() -> Iterator[tuple[str, Framing]]:
    """The crop that looks like FER-2013 in both ways, then wider, closer, higher and lower ones."""
    for factor in (1.0, 0.9, 0.95, 1.05, 1.1):
        # The square grows about its own middle.
        grown = 1.16 * (factor - 1) / 2
        yield f"box, side × {factor}", BoxFraming(1.16 * factor, -0.08 - grown, -0.165 - grown)
    x, y = EYE_CENTER
    for factor in (1.0, 0.9, 0.95, 1.05, 1.1):
        yield f"eyes, side × {factor}", EyeFraming(EYE_DISTANCE / factor, (x, 0.5 + (y - 0.5) / factor))
    for shift in (-0.04, -0.02, 0.02, 0.04):
        yield f"eyes, {shift:+.2f} of the side down", EyeFraming(EYE_DISTANCE, (x, y - shift))


def answers(model: Classifier, seen: list[Seen], framing: Framing) -> Labels:
    spec = model.manifest.input
    labels = []
    for view in seen:
        picture = view.detected.picture
        square = crop.region_of(view.detected.faces[0], framing).scaled(1 / picture.scale)
        face = crop.extract(picture.pixels, square, spec.width, spec.height)
        labels.append(int(model.infer(model.prepare([face])).probabilities[0].argmax()))
    return np.array(labels, dtype=np.int64)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training framing", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/default"))
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--limit", type=int, help="take so many photos only")
    options = parser.parse_args(arguments)
    model = load_classifier(options.model, SessionSpec())
    names = model.manifest.labels
    with photos.road() as pipeline:
        listed = (photo for photo in read_photos(options.data, "dev") if photo.label in names)
        looks = (photos.look(pipeline, photo) for photo in itertools.islice(listed, options.limit))
        seen = [view for view in looks if view is not None]
    labels = np.array([names.index(view.photo.label) for view in seen], dtype=np.int64)
    rows = []
    for name, framing in candidates():
        found = answers(model, seen, framing)
        accuracy = metrics.accuracy(found, labels)
        recall = metrics.macro_recall(found, labels, at_least=_COMMON if options.limit is None else 1)
        interval = f"{percent(accuracy.low)} to {percent(accuracy.high)}"
        rows.append((name, percent(accuracy.value), interval, percent(recall.value)))
    print(f"{model.manifest.name} {model.manifest.version} on {len(seen)} photos with a face\n")
    print(table(("framing", "accuracy", "95 %", "macro recall"), rows))


if __name__ == "__main__":
    main()
