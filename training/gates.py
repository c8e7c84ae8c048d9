"""Which generated faces may be trained on, and why the others may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import VisageError
from app.inference.classifier import Classifier
from app.pipeline import DetectOptions, Pipeline
from training import photos
from training.dataset import Photo
from training.duplicates import KnownFaces

Reason = Literal[
    "unreadable", "no_face", "several_faces", "blurred", "other_label", "unsure", "near_duplicate", "class_full"
]

REASONS: Final[dict[Reason, str]] = {
    "unreadable": "the service refuses the file as a picture",
    "no_face": "the service's detector finds no face",
    "several_faces": "it finds more than one",
    "blurred": "the face has less fine detail than `sharpness`",
    "other_label": "the model predicts another label than was asked for",
    "unsure": "the model's probability for the label is below `confidence`",
    "near_duplicate": "the face is nearly the same as a face of the data, or as one that was let in before",
    "class_full": "generated faces would be more than `share` of the label's faces",
}
"""In the order in which they are asked; a picture has the first that holds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a generated face has to reach.

    With the default ``sharpness``, 2 % of the photos in ``wild-train`` are too blurred. ``share`` is the largest share
    of a label's faces, real and generated together, that may be generated.
    """

    sharpness: float = 0.12
    confidence: float = 0.5
    share: float = 0.3


@dataclass(slots=True)
class Decision:
    """Whether a picture was let in (``reason`` is None) or why not, and what was measured up to there.

    ``face`` is uint8 (48, 48), None where there is not exactly one.
    """

    file: str
    label: str
    reason: Reason | None = None
    sharpness: float | None = None
    predicted: str | None = None
    confidence: float | None = None
    duplicate_of: str | None = None
    face: NDArray[np.uint8] | None = None


class Judge:
    """The model that agrees with labels; its last feature map gives the embedding of a face."""

    def __init__(self, model: Classifier) -> None:
        self._model = model
        self.labels = model.manifest.labels
        self.name = f"{model.manifest.name} {model.manifest.version}"

    def predict(self, face: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (labels,) for a grey face."""
        probabilities: NDArray[np.float32] = self._model.infer(self._model.prepare([self._sized(face)])).probabilities[
            0
        ]
        return probabilities

    def embed(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The mean of the last feature map for grey faces (n, h, w), as unit vectors (n, channels)."""
        crops = [self._sized(face) for face in faces]
        features = self._model.infer(self._model.prepare(crops), with_features=True).features
        assert features is not None
        means = features.mean(axis=(2, 3))
        return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9), np.float32)

    def _sized(self, face: NDArray[np.uint8]) -> NDArray[np.uint8]:
        spec = self._model.manifest.input
        sized = cv2.resize(face, (spec.width, spec.height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.cvtColor(sized, cv2.COLOR_GRAY2RGB), np.uint8)


def sharpness(face: NDArray[np.uint8]) -> float:
    """Energy of the finest detail as a share of all contrast, for a face of the size that training sees."""
    contrast = float(face.std())
    return float((cv2.Laplacian(face, cv2.CV_32F).std() / contrast) ** 2) if contrast else 0.0


class Gates:
    """Asks every question about pictures, one after the other."""

    def __init__(self, pipeline: Pipeline, judge: Judge, known: KnownFaces, limits: Limits) -> None:
        self._pipeline = pipeline
        self._judge = judge
        self._known = known
        self._limits = limits

    def decide(self, pictures: Iterable[Photo]) -> list[Decision]:
        """One decision for each picture, in their order; the share of a class is not asked yet."""
        return [self._decided(picture) for picture in pictures]

    def _decided(self, picture: Photo) -> Decision:
        decision = Decision(picture.name, picture.label)
        decision.reason = self._find(picture, decision) or self._judged(decision)
        return decision

    def _find(self, picture: Photo, decision: Decision) -> Reason | None:
        """Finds the face of a picture."""
        try:
            options = DetectOptions(faces="all", on_no_face="center")
            detected = self._pipeline.detect(picture.data, options, photos.never_cancel)
        except VisageError:
            return "unreadable"
        if detected.faces[0].assumed:
            return "no_face"
        if detected.faces_detected > 1:
            return "several_faces"
        decision.face = photos.training_face(detected)
        return None

    def _judged(self, decision: Decision) -> Reason | None:
        """What is wrong with the face of a picture, if anything."""
        face = decision.face
        assert face is not None
        decision.sharpness = round(sharpness(face), 4)
        if decision.sharpness < self._limits.sharpness:
            return "blurred"
        probabilities = self._judge.predict(face)
        decision.predicted = self._judge.labels[int(probabilities.argmax())]
        decision.confidence = round(float(probabilities[self._judge.labels.index(decision.label)]), 4)
        if decision.predicted != decision.label:
            return "other_label"
        if decision.confidence < self._limits.confidence:
            return "unsure"
        decision.duplicate_of = self._known.duplicate_of(face)
        if decision.duplicate_of is not None:
            return "near_duplicate"
        self._known.add(decision.file, face)
        return None


def room(real: int, share: float) -> int:
    """How many generated faces a label with so many real ones may have."""
    return int(real * share / (1 - share) + 1e-9)


def limit_shares(decisions: Sequence[Decision], real: Mapping[str, int], share: float, seed: int) -> None:
    """Refuses what exceeds the share of a label. Which of its pictures stay is drawn, so that it is not the first."""
    order = np.random.default_rng(seed).permutation(len(decisions))
    taken = dict.fromkeys(real, 0)
    for place in order:
        decision = decisions[place]
        if decision.reason is not None:
            continue
        if taken[decision.label] >= room(real[decision.label], share):
            decision.reason = "class_full"
        else:
            taken[decision.label] += 1
