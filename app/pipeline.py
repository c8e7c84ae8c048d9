"""The one road: bytes in, a prediction out, every stage timed. Read it from top to bottom.

    look:  validate → decode → find the faces
    read:  crop and align → prepare | infer → calibrate

``look`` is done once a picture, ``read`` once a model. The pictures of a batch are inferred together. All of it runs on
one worker thread, which owns its :class:`Pipeline` and with it the face detector.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import MultipleFaces, NoFaceDetected
from app.inference.classifier import Classifier, Scores
from app.inference.explain import Heatmap, explain
from app.inference.manifest import ByBox, ByEyes
from app.inference.runner import Tensor
from app.vision import crop, decode, face_search, quality
from app.vision.crop import BoxFraming, CropRegion, EyeFraming, Framing
from app.vision.decode import ImageLimits, Picture
from app.vision.face_search import FaceDetector
from app.vision.geometry import Box, Face
from app.vision.quality import Warning

FacesMode = Literal["one", "largest", "all"]
NoFaceMode = Literal["error", "center"]
Checkpoint = Callable[[], None]
"""Called before each stage; raises when nobody waits for the answer any more."""


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """Which faces of a picture are wanted, and what to do when it shows none."""

    faces: FacesMode = "one"
    on_no_face: NoFaceMode = "error"


@dataclass(frozen=True, slots=True)
class ClassifyOptions:
    """Whether each face's prediction comes with its reason, and for which label (the predicted one if none)."""

    explain: bool = False
    explain_label: str | None = None


_NO_PIXELS: Final = np.empty((0, 0, 3), np.uint8)


class Timings:
    """Milliseconds by stage, in the order in which the stages first ran."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, (time.perf_counter() - started) * 1000)

    def add(self, name: str, milliseconds: float) -> None:
        self.stages[name] = self.stages.get(name, 0.0) + milliseconds

    @property
    def total(self) -> float:
        return sum(self.stages.values())


@dataclass(slots=True)
class DetectedPicture:
    """What a look at a picture found: the faces to read, largest first, in full-size pixels."""

    data: bytes
    picture: Picture
    faces: tuple[Face, ...]
    faces_detected: int
    timings: Timings = field(default_factory=Timings)

    def release_pixels(self) -> None:
        """Keeps what is answered of a picture, and not the memory that it takes."""
        self.picture = replace(self.picture, pixels=_NO_PIXELS)


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A look whose faces are cut out for one model."""

    detected: DetectedPicture
    regions: tuple[CropRegion, ...]
    crops: tuple[NDArray[np.uint8], ...]
    warnings: tuple[tuple[Warning, ...], ...]
    tensor: Tensor


@dataclass(frozen=True, slots=True)
class FacePrediction:
    """One face as one model reads it. ``probabilities`` are in the order of the model's labels."""

    face: Face
    region: CropRegion
    probabilities: tuple[float, ...]
    warnings: tuple[Warning, ...]
    heatmap: Heatmap | None
    crop: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PicturePrediction:
    """All wanted faces of one picture as one model reads them, with the time of its own stages."""

    model: Classifier
    faces: tuple[FacePrediction, ...]
    inference_ms: float


class Pipeline:
    """The road of one worker thread."""

    def __init__(self, detector: FaceDetector, limits: ImageLimits, max_faces: int = 50) -> None:
        self._detector = detector
        self._limits = limits
        self._max_faces = max_faces

    def warm_up(self) -> None:
        """Takes every step but a model's once: what a library sets up on first use is no client's to wait for."""
        picture = decode.decode(cv2.imencode(".jpg", np.zeros((256, 256, 3), np.uint8))[1].tobytes(), self._limits)
        self._detector.detect(picture.pixels)
        eyes_nose_mouth_ears = ((96, 110), (160, 110), (128, 140), (128, 165), (64, 115), (192, 115))
        face = Face(Box(64, 64, 128, 128), 1.0, eyes_nose_mouth_ears)
        crop.extract(picture.pixels, crop.region_of(face, EyeFraming(0.37, (0.5, 0.395))), 48, 48)
        quality.assess(picture, face, 1)

    def find_faces(self, data: bytes, options: DetectOptions, checkpoint: Checkpoint) -> DetectedPicture:
        """Decodes a picture and finds the faces that are wanted."""
        timings = Timings()
        checkpoint()
        with timings.stage("decode"):
            picture = decode.decode(data, self._limits)
        checkpoint()
        with timings.stage("detect"):
            found = face_search.find(self._detector, picture, thorough=options.faces == "all")
        return DetectedPicture(data, picture, self._wanted(found, picture, options), len(found), timings)

    def classify(
        self, detected: DetectedPicture, model: Classifier, options: ClassifyOptions, checkpoint: Checkpoint
    ) -> PicturePrediction:
        """Reads the faces of a look with one model."""
        (prediction,) = self.infer([self.prepare(detected, model, checkpoint)], model, options, checkpoint)
        return prediction

    def prepare(self, detected: DetectedPicture, model: Classifier, checkpoint: Checkpoint) -> PreparedPicture:
        """Cuts out the faces of a look."""
        checkpoint()
        with detected.timings.stage("prepare"):
            spec = model.manifest.input
            framing = _framing(model.manifest.face)
            regions = tuple(crop.region_of(face, framing) for face in detected.faces)
            self._sharpen(detected, min(region.side for region in regions), max(spec.width, spec.height))
            picture = detected.picture
            crops = tuple(
                crop.extract(picture.pixels, region.scaled(1 / picture.scale), spec.width, spec.height)
                for region in regions
            )
            tensor = model.prepare(crops)
            warnings = tuple(quality.assess(picture, face, detected.faces_detected) for face in detected.faces)
        return PreparedPicture(detected, regions, crops, warnings, tensor)

    def infer(
        self, prepared: Sequence[PreparedPicture], model: Classifier, options: ClassifyOptions, checkpoint: Checkpoint
    ) -> list[PicturePrediction]:
        """Reads all faces of all looks in one forward pass, of whose time each has its share."""
        checkpoint()
        started = time.perf_counter()
        tensor = prepared[0].tensor if len(prepared) == 1 else _joined([each.tensor for each in prepared])
        scores = model.infer(tensor, with_features=options.explain)
        milliseconds_a_face = (time.perf_counter() - started) * 1000 / len(tensor)
        predictions, start = [], 0
        for each in prepared:
            count = len(each.crops)
            inference_ms = milliseconds_a_face * count
            each.detected.timings.add("inference", inference_ms)
            part = scores.part(start, start + count)
            start += count
            if options.explain:
                checkpoint()
            predictions.append(PicturePrediction(model, _face_predictions(each, part, model, options), inference_ms))
        return predictions

    def _wanted(self, found: list[Face], picture: Picture, options: DetectOptions) -> tuple[Face, ...]:
        if not found:
            if options.on_no_face == "error":
                raise NoFaceDetected
            return (face_search.assumed(picture),)
        if options.faces == "one" and len(found) > 1:
            raise MultipleFaces
        count = self._max_faces if options.faces == "all" else 1
        return tuple(found[:count])

    def _sharpen(self, detected: DetectedPicture, side: float, needed: int) -> None:
        """Decodes again at a finer scale when the crop would have fewer pixels than the model takes."""
        scale = detected.picture.scale
        if scale > 1 and side / scale < needed:
            detected.picture = decode.decode(detected.data, self._limits, at_most=max(side / needed, 1.0))


def _framing(face: ByEyes | ByBox) -> Framing:
    """How a manifest frames a face, in the words of vision, which knows no manifests."""
    if isinstance(face, ByEyes):
        return EyeFraming(face.eye_distance, face.eye_center)
    return BoxFraming(face.side, face.offset_x, face.offset_y)


def _joined(tensors: list[Tensor]) -> Tensor:
    joined: Tensor = np.concatenate(tensors)  # type: ignore[assignment]
    return joined


def _face_predictions(
    prepared: PreparedPicture, scores: Scores, model: Classifier, options: ClassifyOptions
) -> tuple[FacePrediction, ...]:
    heatmaps: list[Heatmap | None] = [None] * len(prepared.crops)
    if options.explain:
        with prepared.detected.timings.stage("explain"):
            heatmaps = list(explain(model, prepared.crops, scores, options.explain_label))
    return tuple(
        FacePrediction(face, region, tuple(float(p) for p in row), noted, heatmap, pixels)
        for face, region, row, noted, heatmap, pixels in zip(
            prepared.detected.faces,
            prepared.regions,
            scores.probabilities,
            prepared.warnings,
            heatmaps,
            prepared.crops,
            strict=True,
        )
    )
