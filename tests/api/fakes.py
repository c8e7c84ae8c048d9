"""An engine without weights: what it finds in a picture is decided by the test, and its pace too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from app.config import Settings
from app.errors import ModelNotFound, MultipleFaces, NoFaceDetected, NotReady, VisageError
from app.expression.details import needs_mesh
from app.inference.explain import Heatmap, methods_of
from app.inference.further import FurtherValue
from app.inference.manifest import Manifest
from app.inference.registry import Registry
from app.pipeline import (
    Checkpoint,
    ClassifyOptions,
    CroppedPicture,
    DetectedPicture,
    DetectOptions,
    FacePrediction,
    FacesMode,
    FrameOptions,
    MeshedFace,
    PicturePrediction,
    Pipeline,
)
from app.service import Factories
from app.vision.crop import CropRegion
from app.vision.decode import ImageLimits, Picture, decode
from app.vision.geometry import Box, Face
from app.vision.quality import QualityWarning

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
PATIENCE = 20.0


def manifest(name: str = "default", labels: tuple[str, ...] = LABELS) -> Manifest:
    return Manifest.model_validate(
        {
            "name": name,
            "version": "1.2.3",
            "file": "model.onnx",
            "sha256": "0" * 64,
            "architecture": "none",
            "trained_on": "nothing",
            "license": "MIT",
            "labels": labels,
            "metrics": {"accuracy": 0.5},
            "input": {"width": 48, "height": 48, "channels": "gray", "layout": "NCHW", "dtype": "float32"},
            "face": {"eye_distance": 0.37, "eye_center": (0.5, 0.395)},
            "output": {"tensor": "logits", "kind": "logits", "temperature": 1.0},
            "explain": {"features": "features", "weights": "weights"},
        }
    )


@dataclass
class FakeModel:
    """What stands for a classifier: always of the same opinion."""

    manifest: Manifest = field(default_factory=manifest)
    probabilities: tuple[float, ...] = (0.01, 0.0, 0.01, 0.92, 0.02, 0.02, 0.02)
    providers: tuple[str, ...] = ("cpu",)
    further: tuple[FurtherValue, ...] = ()


class FakeRegistry:
    """Models by name; the first is the default."""

    def __init__(self, *models: FakeModel, failures: dict[str, str] | None = None) -> None:
        self.models = {model.manifest.name: model for model in models}
        self.failures = failures or {}
        self.default_name = models[0].manifest.name if models else "default"
        self.reloads = 0
        self.closed = False

    @property
    def ready(self) -> bool:
        return self.default_name in self.models

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.models)

    @property
    def classifiers(self) -> tuple[FakeModel, ...]:
        return tuple(self.models.values())

    @property
    def manifests(self) -> dict[str, Manifest]:
        return {name: model.manifest for name, model in self.models.items()}

    def get(self, name: str | None = None) -> FakeModel:
        if name is None or name == self.default_name:
            if not self.ready:
                raise NotReady
            return self.models[self.default_name]
        try:
            return self.models[name]
        except KeyError:
            raise ModelNotFound.among(self.names) from None

    def reload(self) -> None:
        self.reloads += 1

    def close(self) -> None:
        self.closed = True


@dataclass
class Script:
    """What the fake engine does. Tests change it while the service runs.

    ``faces`` is how many faces a picture shows. With ``faces_in``, bodies are real pictures: they are decoded, and it
    says which faces they show. ``meshed`` is the mesh of every face where details need one. While ``gate`` is set and
    closed, a job waits in its first stage. ``fails`` is raised by the next detection.
    """

    faces: int = 1
    faces_in: Callable[[bytes, Picture], Sequence[Face]] | None = None
    fails: BaseException | None = None
    meshed: MeshedFace | None = None
    gate: threading.Event | None = None
    build_gate: threading.Event | None = None
    patience: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    started: int = 0
    finished: int = 0
    seen: list[bytes] = field(default_factory=list)

    def wait_until_entered(self) -> None:
        assert self.entered.acquire(timeout=PATIENCE)


@dataclass(frozen=True)
class ScriptedFace(Face):
    """A face with its own probabilities and warnings. Without probabilities it gets those of the model."""

    probabilities: tuple[float, ...] | None = None
    warnings: tuple[QualityWarning, ...] = ()


def face(number: int = 0) -> Face:
    box = Box(10.0 + 100 * number, 20.0, 96.0, 96.0)
    points = tuple((box.x + 10 * i, box.y + 30.0) for i in range(6))
    return Face(box=box, score=0.97, landmarks=points)


class FakePipeline:
    """The stages of a pipeline, without pictures or models.

    A body that starts with ``error:CODE`` raises the error of that code, ``dies:`` ends the thread, and ``waits:``
    takes until the test's ``patience`` is at its end.
    """

    def __init__(self, script: Script) -> None:
        self.script = script

    def detect(self, data: bytes, options: DetectOptions, checkpoint: Checkpoint) -> DetectedPicture:
        script = self.script
        checkpoint()
        script.started += 1
        script.seen.append(data[:64])
        script.entered.release()
        if script.gate is not None:
            assert script.gate.wait(PATIENCE)
        if script.fails is not None:
            error, script.fails = script.fails, None
            raise error
        if data.startswith(b"dies:"):
            raise SystemExit
        if data.startswith(b"waits:"):
            assert script.patience.wait(PATIENCE)
        _raise_asked_for(data)
        checkpoint()
        picture, faces = self._shown(data)
        count = len(faces)
        if not faces:
            if options.on_no_face == "error":
                raise NoFaceDetected
            faces = (Face(box=Box(0, 0, 48, 48), score=0.0, landmarks=(), assumed=True),)
        if options.faces == "one" and len(faces) > 1:
            raise MultipleFaces
        wanted = faces if options.faces == "all" else faces[:1]
        detected = DetectedPicture(data, picture, wanted, count)
        detected.timings.stages.update({"decode": 2.0, "detect": 2.4})
        if needs_mesh(options.details):
            detected.timings.stages["mesh"] = 5.0
            detected.meshed = [self.script.meshed] * len(wanted)
        return detected

    def detect_frame(self, data: bytes, options: FrameOptions, checkpoint: Checkpoint) -> DetectedPicture:
        try:
            faces: FacesMode = "all" if options.every_face else "largest"
            return self.detect(data, DetectOptions(faces, details=options.details), checkpoint)
        except NoFaceDetected:
            return DetectedPicture(data, self._shown(data)[0], (), 0)

    def _shown(self, data: bytes) -> tuple[Picture, tuple[Face, ...]]:
        """The picture in ``data`` and its faces, the largest first."""
        if self.script.faces_in is None:
            faces = tuple(face(number) for number in range(self.script.faces))
            return Picture(np.zeros((480, 640, 3), np.uint8), 640, 480, "jpeg"), faces
        picture = decode(data, ImageLimits(max_pixels=50_000_000))
        return picture, tuple(self.script.faces_in(data, picture))

    def crop(self, detected: DetectedPicture, model: Any, checkpoint: Checkpoint) -> CroppedPicture:
        checkpoint()
        return CroppedPicture(detected, (), (), (), np.zeros((0, 1, 48, 48), np.float32))

    def classify(
        self, cropped: Sequence[CroppedPicture], model: Any, options: ClassifyOptions, checkpoint: Checkpoint
    ) -> list[PicturePrediction]:
        return [self.predict(each.detected, model, options, checkpoint) for each in cropped]

    def predict(
        self, detected: DetectedPicture, model: Any, options: ClassifyOptions, checkpoint: Checkpoint
    ) -> PicturePrediction:
        checkpoint()
        detected.timings.stages.update({"prepare": 0.2, "inference": 1.1, "quality": 0.1})
        meshed = detected.meshed or [None] * len(detected.faces)
        faces = tuple(
            replace(_predicted(shown, model, options), meshed=mesh)
            for shown, mesh in zip(detected.faces, meshed, strict=True)
        )
        self.script.finished += 1
        return PicturePrediction(model, faces, 1.1)


def _predicted(shown: Face, model: FakeModel, options: ClassifyOptions) -> FacePrediction:
    probabilities = getattr(shown, "probabilities", None) or model.probabilities
    likeliest = model.manifest.labels[max(range(len(probabilities)), key=probabilities.__getitem__)]
    method = options.explain_method or methods_of(model.manifest)[0]
    heatmap = Heatmap(method, options.explain_label or likeliest, np.full((6, 6), 0.5, np.float32))
    return FacePrediction(
        face=shown,
        region=CropRegion(shown.box.x, shown.box.y, shown.box.width),
        probabilities=probabilities,
        warnings=_warnings(shown),
        heatmap=heatmap if options.explain else None,
        crop=np.zeros((48, 48, 3), np.uint8),
        outputs=model.further,
    )


def _warnings(shown: Face) -> tuple[QualityWarning, ...]:
    if shown.assumed:
        return (QualityWarning("face_assumed", "No face was found."),)
    return shown.warnings if isinstance(shown, ScriptedFace) else ()


def _raise_asked_for(data: bytes) -> None:
    if data.startswith(b"error:"):
        code = data[6:].split(b"\n", 1)[0].strip().decode()
        raise next(kind for kind in _every_error(VisageError) if getattr(kind, "code", None) == code)


def _every_error(kind: type[VisageError]) -> list[type[VisageError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _every_error(child))]


def fake_factories(script: Script, registry: FakeRegistry | None = None) -> Factories:
    models = registry or FakeRegistry(FakeModel())

    def build(_: Settings, mesh: object) -> Pipeline:
        if script.build_gate is not None:
            assert script.build_gate.wait(PATIENCE)
        return cast(Pipeline, FakePipeline(script))

    return Factories(lambda _: cast(Registry, models), build)
