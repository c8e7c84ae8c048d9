"""Labelled photos through the pipeline of the service: decode, detect, crop, classify."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import ImageTooSmall, NoFaceDetected, VisageError
from app.inference.classifier import Classifier
from app.pipeline import ClassifyOptions, DetectedPicture, DetectOptions, Pipeline
from app.vision import crop
from app.vision.crop import EyeFraming
from app.vision.decode import ImageLimits
from app.vision.detectors import make_detector
from training.data import EYE_CENTER, EYE_DISTANCE, SIDE
from training.dataset import MissingData, Photo
from training.metrics import Labels

_LIMITS: Final = ImageLimits(max_pixels=50_000_000)
_THRESHOLD: Final = 0.5
MODELS: Final = Path("models")
"""The folder that holds the face detector's weights."""


@dataclass(frozen=True, slots=True)
class FacePhoto:
    """A photo in which the service finds a face; its largest face is used."""

    photo: Photo
    detected: DetectedPicture


@dataclass(frozen=True, slots=True)
class PhotoPredictions:
    """Predictions for n photos: probabilities (n, labels), and the labels (n,) in the order of the model."""

    probabilities: NDArray[np.float64]
    labels: Labels
    without_face: int
    without_served_label: int


@contextmanager
def open_pipeline() -> Iterator[Pipeline]:
    """A pipeline with the detector that the service uses."""
    yield Pipeline(make_detector(MODELS, _THRESHOLD), _LIMITS)


def find_face(pipeline: Pipeline, photo: Photo) -> FacePhoto | None:
    """The largest face of a photo; None if the service finds none or refuses the photo as too small.

    Raises :class:`MissingData` for a photo that cannot be read.
    """
    try:
        return FacePhoto(photo, pipeline.detect(photo.data, DetectOptions(faces="largest"), never_cancel))
    except (ImageTooSmall, NoFaceDetected):
        return None
    except VisageError as error:
        raise MissingData(f"{photo.name}: {error.message}") from None


def training_face(detected: DetectedPicture) -> NDArray[np.uint8]:
    """The largest face as training sees it: grey, (48, 48), cropped as in the service."""
    picture = detected.picture
    square = crop.region_of(detected.faces[0], EyeFraming(EYE_DISTANCE, EYE_CENTER)).scaled(1 / picture.scale)
    face = crop.extract(picture.pixels, square, SIDE, SIDE)
    return np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.uint8)


def classify(pipeline: Pipeline, photos: Iterable[Photo], model: Classifier) -> PhotoPredictions:
    """Predictions for all photos. Those without a face or with an unknown label are counted and left out."""
    names = model.manifest.labels
    rows, labels, without_face, without_served_label = [], [], 0, 0
    for photo in photos:
        if photo.label not in names:
            without_served_label += 1
            continue
        found = find_face(pipeline, photo)
        if found is None:
            without_face += 1
            continue
        prediction = pipeline.predict(found.detected, model, ClassifyOptions(), never_cancel)
        rows.append(prediction.faces[0].probabilities)
        labels.append(names.index(photo.label))
    probabilities = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    return PhotoPredictions(probabilities, np.array(labels, dtype=np.int64), without_face, without_served_label)


def never_cancel() -> None:
    """A checkpoint that never cancels: there is no client."""
