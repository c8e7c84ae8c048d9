"""One picture: detect → crop → classify, every stage timed.

    detect    decode the bytes, find the faces and, for details, their meshes    once per picture
    crop      cut out the faces, prepare the model's input                       once per picture and model
    classify  infer and calibrate, explain if asked                              once per model, for several pictures

All of it runs on one worker thread, which owns its :class:`Pipeline` and with it the face detector.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import DetailsUnavailable, MultipleFaces, NoFaceDetected
from app.expression.action_units import ActionUnit, action_units
from app.expression.details import NO_DETAILS, Detail, needs_blendshapes, needs_mesh
from app.expression.head_pose import HeadPose, fit
from app.inference.classifier import Classifier, ClassifierOutputs
from app.inference.explain import PATCHES_AT_ONCE, Heatmap, Method, explain, methods_of
from app.inference.further import FurtherValue
from app.inference.manifest import ByBox, ByEyes
from app.inference.session import Tensor
from app.vision.crop import BoxFraming, CropRegion, EyeFraming, Framing, extract, region_of
from app.vision.decode import LARGE_FACE_SIDE, SEARCH_SIDE, ImageLimits, Picture, decode
from app.vision.face_search import FaceDetector, assumed, find, find_again, find_near, suffices
from app.vision.geometry import Box, Face
from app.vision.mesh import MESH_PIXELS, MOST_TURNED, FaceMesh, MeshLoader, mesh_region
from app.vision.quality import QualityWarning, assess

_MOST_CLOSE_UPS: Final = 4
_SMALL_FACE: Final = 0.18
"""Share of a frame's longer side. A larger face is found by one search of the whole frame."""

_FEW_PIXELS: Final = 64
"""Width of a face in decoded pixels below which its quality shows only in more of them."""

FacesMode = Literal["one", "largest", "all"]
NoFaceMode = Literal["error", "center"]
Checkpoint = Callable[[], None]
"""Called before each stage; raises when nobody waits for the result any more."""


def go_on() -> None:
    """The checkpoint of a caller that always waits."""


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """Which faces of a picture are wanted, what to do when there is none, and which details of each."""

    faces: FacesMode = "one"
    on_no_face: NoFaceMode = "error"
    details: frozenset[Detail] = NO_DETAILS


@dataclass(frozen=True, slots=True)
class FrameOptions:
    """Which faces of a frame are wanted: all of them, or the largest; and which details of each."""

    every_face: bool = False
    details: frozenset[Detail] = NO_DETAILS
    whole_frame: bool = True
    """Search the whole frame. Otherwise only where faces were, or for large faces if there were none."""
    known: tuple[Box, ...] = ()
    """Where the wanted faces were in the frame before, and how many faces there were."""
    known_count: int = 0


@dataclass(frozen=True, slots=True)
class ClassifyOptions:
    """Whether each prediction comes with a heatmap, for which label (None: the predicted one), and by which method
    (None: the model's default)."""

    explain: bool = False
    explain_label: str | None = None
    explain_method: Method | None = None

    def by_occlusion(self, model: Classifier) -> bool:
        """Whether a model's predictions come with maps that take further inferences."""
        return self.explain and (self.explain_method or methods_of(model.manifest)[0]) == "occlusion"


class Pipeline:
    """The stages of one worker thread."""

    def __init__(
        self, detector: FaceDetector, limits: ImageLimits, max_faces: int = 50, mesh: MeshLoader | None = None
    ) -> None:
        self._detector = detector
        self._mesh = mesh
        self._limits = limits
        self._max_faces = max_faces

    def detect(self, data: bytes, options: DetectOptions, checkpoint: Checkpoint) -> DetectedPicture:
        """Decodes a picture and finds the wanted faces, and their meshes where details need them."""
        thorough = options.faces == "all"
        checkpoint()
        timings = Timings()
        # A large face shows in few pixels. Those of a whole search are decoded where there is none.
        side = SEARCH_SIDE if thorough else LARGE_FACE_SIDE
        with timings.stage("decode"):
            detected = DetectedPicture(data, decode(data, self._limits, side=side), (), 0, timings)
        checkpoint()
        with timings.stage("detect"):
            found = find_near(self._detector, detected.picture)
        if thorough or not self._shows(found, detected.picture):
            if not thorough:
                with timings.stage("decode"):
                    self._decode_finer(detected, min(detected.picture.width, detected.picture.height) / SEARCH_SIDE)
                checkpoint()
            with timings.stage("detect"):
                found = find(self._detector, detected.picture, thorough=thorough, near=found)
        detected.faces, detected.faces_detected = self._wanted(found, detected.picture, options), len(found)
        if needs_mesh(options.details):
            self._find_meshes(detected, options.details, checkpoint)
        return detected

    @staticmethod
    def _shows(found: list[Face], picture: Picture) -> bool:
        """Whether a search for large faces is enough: there is one, with pixels enough to judge its quality."""
        return suffices(found, picture) and found[0].box.width >= _FEW_PIXELS * picture.scale

    def detect_frame(self, data: bytes, options: FrameOptions, checkpoint: Checkpoint) -> DetectedPicture:
        """Decodes a frame of a stream and finds its faces; there may be none."""
        timings = Timings()
        checkpoint()
        with timings.stage("decode"):
            picture = decode(data, self._limits)
        return self._detect_in(picture, data, options, timings, checkpoint)

    def detect_pixels(self, picture: Picture, options: FrameOptions, checkpoint: Checkpoint) -> DetectedPicture:
        """Finds the faces of a frame that is decoded already; there may be none."""
        return self._detect_in(picture, b"", options, Timings(), checkpoint)

    def _detect_in(
        self, picture: Picture, data: bytes, options: FrameOptions, timings: Timings, checkpoint: Checkpoint
    ) -> DetectedPicture:
        checkpoint()
        with timings.stage("detect"):
            found, whole_frame = self.search(picture, options)
        wanted = tuple(found[: self._max_faces if options.every_face else 1])
        count = len(found) if whole_frame else max(options.known_count, len(found))
        detected = DetectedPicture(data, picture, wanted, count, timings, whole_frame=whole_frame)
        if wanted and needs_mesh(options.details):
            self._find_meshes(detected, options.details, checkpoint)
        return detected

    def search(self, picture: Picture, options: FrameOptions) -> tuple[list[Face], bool]:
        """The faces of a frame, and whether the whole of it was searched."""
        if not options.whole_frame and not options.known:
            return find_near(self._detector, picture), False
        if not options.whole_frame and _pays(options.known, picture, options):
            again = find_again(self._detector, picture, options.known)
            if again is not None:
                return again, False
        found = find(self._detector, picture, thorough=options.every_face)
        boxes = [face.box for face in found]
        if _pays(boxes, picture, options):
            # Close-ups place a face a little otherwise, and it should not jump from frame to frame.
            found = find_again(self._detector, picture, boxes) or found
        return found, True

    def crop(self, detected: DetectedPicture, model: Classifier, checkpoint: Checkpoint) -> CroppedPicture:
        """Cuts out the faces of a picture and prepares a model's input tensor."""
        checkpoint()
        with detected.timings.stage("prepare"):
            spec = model.manifest.input
            framing = _framing(model.manifest.face)
            regions = tuple(region_of(face, framing) for face in detected.faces)
            side, needed = min(region.side for region in regions), max(spec.width, spec.height)
            self._decode_finer(detected, side / needed)
            picture = detected.picture
            crops = tuple(
                extract(picture.pixels, region.scaled(1 / picture.scale), spec.width, spec.height) for region in regions
            )
            tensor = model.prepare(crops)
            # The tensor is copied once more, with those of other pictures.
            self._limits.memory.keep(2 * tensor.nbytes + sum(crop.nbytes for crop in crops), tensor)
            warnings = tuple(_assess(detected, number) for number in range(len(detected.faces)))
        return CroppedPicture(detected, regions, crops, warnings, tensor)

    def classify(
        self, cropped: Sequence[CroppedPicture], model: Classifier, options: ClassifyOptions, checkpoint: Checkpoint
    ) -> list[PicturePrediction]:
        """Classifies the faces of all pictures in one forward pass. Its time is shared out by number of faces."""
        checkpoint()
        started = time.perf_counter()
        tensor: Tensor = np.concatenate([picture.tensor for picture in cropped])
        occluded = options.by_occlusion(model)
        outputs = model.infer(tensor, with_features=options.explain and not occluded)
        milliseconds_a_face = (time.perf_counter() - started) * 1000 / len(tensor)
        if occluded:
            # The covered crops of one pass, and their tensor.
            one = tensor[0].nbytes + cropped[0].crops[0].nbytes
            self._limits.memory.keep(PATCHES_AT_ONCE * one, tensor)
        predictions, start = [], 0
        for picture in cropped:
            stop = start + len(picture.crops)
            inference_ms = milliseconds_a_face * len(picture.crops)
            picture.detected.timings.add("inference", inference_ms)
            if options.explain:
                checkpoint()
            faces = _face_predictions(picture, outputs.part(start, stop), model, options)
            predictions.append(PicturePrediction(model, faces, inference_ms))
            start = stop
        return predictions

    def predict(
        self, detected: DetectedPicture, model: Classifier, options: ClassifyOptions, checkpoint: Checkpoint
    ) -> PicturePrediction:
        """Crops and classifies the faces of one picture."""
        (prediction,) = self.classify([self.crop(detected, model, checkpoint)], model, options, checkpoint)
        return prediction

    def warm_up(self) -> None:
        """Runs every stage but the networks once, so that no client pays for what libraries set up on first use."""
        black = np.zeros((192, 256, 3), np.uint8)
        limits = replace(self._limits, max_pixels=max(self._limits.max_pixels, black.size))
        picture = decode(cv2.imencode(".jpg", black)[1].tobytes(), limits)
        find_near(self._detector, picture)
        eyes_nose_mouth_ears = ((96, 110), (160, 110), (128, 140), (128, 165), (64, 115), (192, 115))
        face = Face(Box(64, 64, 128, 128), 1.0, eyes_nose_mouth_ears)
        extract(picture.pixels, region_of(face, EyeFraming(0.37, (0.5, 0.395))), 48, 48)
        assess(picture, face, 1)

    def _wanted(self, found: list[Face], picture: Picture, options: DetectOptions) -> tuple[Face, ...]:
        if not found:
            if options.on_no_face == "error":
                raise NoFaceDetected
            return (assumed(picture),)
        if options.faces == "one" and len(found) > 1:
            raise MultipleFaces
        count = self._max_faces if options.faces == "all" else 1
        return tuple(found[:count])

    def _find_meshes(self, detected: DetectedPicture, details: frozenset[Detail], checkpoint: Checkpoint) -> None:
        if self._mesh is None:
            raise DetailsUnavailable
        networks = self._mesh.get()
        with detected.timings.stage("mesh"):
            side = min(mesh_region(face).side for face in detected.faces)
            self._decode_finer(detected, side / MESH_PIXELS)
            for face in detected.faces:
                checkpoint()
                mesh = networks.run(detected.picture, face, blendshapes=needs_blendshapes(details))
                detected.meshed.append(_meshed(mesh))

    def _decode_finer(self, detected: DetectedPicture, at_most: float) -> None:
        """Decodes again at a higher resolution when the crop would have fewer pixels than the model takes."""
        if detected.picture.scale > max(at_most, 1.0):
            # Who takes memory must hold none. If it is not there, the next try finds no pixels and comes here again.
            detected.release_pixels()
            detected.picture = decode(detected.data, self._limits, max(at_most, 1.0))


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

    def after(self, queue_ms: float) -> dict[str, float]:
        """The stages as results show them: after the wait for a worker, and with the sum of all."""
        stages = {"queue": queue_ms, **self.stages}
        return {name: round(value, 2) for name, value in {**stages, "total": sum(stages.values())}.items()}


@dataclass(frozen=True, slots=True)
class MeshedFace:
    """The mesh of a face, and the pose of the head and the action units that follow from it; ``units`` is None without
    blendshapes."""

    mesh: FaceMesh
    pose: HeadPose
    units: Mapping[str, ActionUnit] | None

    @classmethod
    def of(cls, mesh: FaceMesh) -> MeshedFace:
        fitted, shapes = fit(mesh.points), mesh.blendshapes
        return cls(mesh, fitted.pose, None if shapes is None else action_units(mesh.points, shapes, fitted))


@dataclass(slots=True)
class DetectedPicture:
    """A decoded picture and its wanted faces, largest first, in full-size pixels."""

    data: bytes
    picture: Picture
    faces: tuple[Face, ...]
    faces_detected: int
    timings: Timings = field(default_factory=Timings)
    whole_frame: bool = True
    """Whether the whole picture was searched for faces."""
    meshed: list[MeshedFace | None] = field(default_factory=list)
    """The mesh of each face, None where none can be relied on; empty when no detail needs one."""

    def release_pixels(self) -> None:
        """Frees the memory of the pixels and keeps all that a result needs."""
        self.picture = replace(self.picture, pixels=_NO_PIXELS)


@dataclass(frozen=True, slots=True)
class CroppedPicture:
    """The faces of a picture, cut out for one model."""

    detected: DetectedPicture
    regions: tuple[CropRegion, ...]
    crops: tuple[NDArray[np.uint8], ...]
    warnings: tuple[tuple[QualityWarning, ...], ...]
    tensor: Tensor


@dataclass(frozen=True, slots=True)
class FacePrediction:
    """What one model says of one face. ``probabilities`` are in the order of the model's labels."""

    face: Face
    region: CropRegion
    probabilities: tuple[float, ...]
    warnings: tuple[QualityWarning, ...]
    heatmap: Heatmap | None
    crop: NDArray[np.uint8]
    meshed: MeshedFace | None = None
    outputs: tuple[FurtherValue, ...] = ()


@dataclass(frozen=True, slots=True)
class PicturePrediction:
    """What one model says of all wanted faces of one picture."""

    model: Classifier
    faces: tuple[FacePrediction, ...]
    inference_ms: float


def _pays(boxes: Sequence[Box], picture: Picture, options: FrameOptions) -> bool:
    """Whether a close-up of each of these faces takes less than a search of the whole frame."""
    if not options.every_face:
        boxes = boxes[:1]
    small = _SMALL_FACE * max(picture.width, picture.height)
    return 0 < len(boxes) <= _MOST_CLOSE_UPS and (options.every_face or boxes[0].width < small)


def _framing(face: ByEyes | ByBox) -> Framing:
    """A manifest's framing in the types of ``vision``, which knows no manifests."""
    if isinstance(face, ByEyes):
        return EyeFraming(face.eye_distance, face.eye_center)
    return BoxFraming(face.side, face.offset_x, face.offset_y)


def _meshed(mesh: FaceMesh | None) -> MeshedFace | None:
    """What follows from a mesh, or None for a head that is turned too far."""
    meshed = mesh and MeshedFace.of(mesh)
    return meshed if meshed and abs(meshed.pose.yaw) <= MOST_TURNED else None


def _assess(detected: DetectedPicture, number: int) -> tuple[QualityWarning, ...]:
    """The warnings for one face of a picture."""
    face, picture, count = detected.faces[number], detected.picture, detected.faces_detected
    if not detected.meshed:
        return assess(picture, face, count)
    meshed = detected.meshed[number]
    return assess(picture, face, count, yaw=meshed.pose.yaw if meshed else None, mesh_unsure=meshed is None)


def _face_predictions(
    cropped: CroppedPicture, outputs: ClassifierOutputs, model: Classifier, options: ClassifyOptions
) -> tuple[FacePrediction, ...]:
    heatmaps: list[Heatmap | None] = [None] * len(cropped.crops)
    if options.explain:
        with cropped.detected.timings.stage("explain"):
            asked = (options.explain_label, options.explain_method)
            heatmaps = list(explain(model, cropped.crops, outputs, *asked))
    faces, probabilities = cropped.detected.faces, outputs.probabilities.tolist()
    meshed = cropped.detected.meshed or [None] * len(faces)
    further = outputs.further or [()] * len(faces)
    shown = (faces, cropped.regions, map(tuple, probabilities), cropped.warnings, heatmaps, cropped.crops)
    return tuple(FacePrediction(*row) for row in zip(*shown, meshed, further, strict=True))
