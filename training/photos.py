"""Labelled photos down the service's own road: decode, detect, crop, read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.errors import ImageTooSmall, NoFaceDetected
from app.inference.classifier import Classifier
from app.pipeline import ClassifyOptions, DetectedPicture, DetectOptions, Pipeline
from app.vision.decode import ImageLimits
from app.vision.detectors import make_detector
from training.metrics import Labels
from training.source import Photo

_LIMITS: Final = ImageLimits(max_pixels=50_000_000)
_THRESHOLD: Final = 0.5
MODELS: Final = Path("models")
"""The folder that holds the face detector's weights."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A photo in which the service finds a face; its largest is the one that is read."""

    photo: Photo
    detected: DetectedPicture


@dataclass(frozen=True, slots=True)
class Readings:
    """What a model says of n photos: probabilities (n, labels), and the labels (n,) in the model's order."""

    probabilities: NDArray[np.float64]
    labels: Labels
    missed: int
    unserved: int


@contextmanager
def road() -> Iterator[Pipeline]:
    """The road with the detector that the service uses."""
    detector = make_detector("mediapipe", MODELS, _THRESHOLD)
    try:
        yield Pipeline(detector, _LIMITS)
    finally:
        detector.close()


def look(pipeline: Pipeline, photo: Photo) -> Seen | None:
    """What the service sees of a photo; none where it finds no face or takes the picture for too small."""
    try:
        return Seen(photo, pipeline.find_faces(photo.data, DetectOptions(faces="largest"), _go_on))
    except (ImageTooSmall, NoFaceDetected):
        return None


def read(pipeline: Pipeline, photos: Iterable[Photo], model: Classifier) -> Readings:
    """Photos whose label the model does not know are counted and left out, as are those without a face."""
    names = model.manifest.labels
    rows, labels, missed, unserved = [], [], 0, 0
    for photo in photos:
        if photo.label not in names:
            unserved += 1
            continue
        seen = look(pipeline, photo)
        if seen is None:
            missed += 1
            continue
        reading = pipeline.classify(seen.detected, model, ClassifyOptions(), _go_on)
        rows.append(reading.faces[0].probabilities)
        labels.append(names.index(photo.label))
    probabilities = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    return Readings(probabilities, np.array(labels, dtype=np.int64), missed, unserved)


def _go_on() -> None:
    """Nobody waits for an answer here, so that nobody can go away."""
