"""From readings to the JSON that clients get, as plain dicts that orjson writes. :mod:`app.api.schemas` types them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.inference.explain import Heatmap
from app.pipeline import DetectedPicture, FacePrediction, PicturePrediction
from app.telemetry.records import PictureRecord, PredictionRecord
from app.vision.geometry import LANDMARK_NAMES, Face
from app.vision.overlay import overlay_png
from app.vision.quality import Warning

ExplainMode = Literal["false", "true", "grid"]
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one model says of one face, rounded as it is answered: what is shown and what is judged are one number."""

    labels: Sequence[str]
    probabilities: tuple[float, ...]
    emotion: str
    confidence: float
    is_uncertain: bool

    @property
    def message(self) -> str | None:
        if not self.is_uncertain:
            return None
        ranked = sorted(zip(self.probabilities, self.labels, strict=True), key=lambda pair: -pair[0])[:2]
        likeliest = " and ".join(f"{label} ({probability:.2f})" for probability, label in ranked)
        return f"The reading is uncertain; the likeliest are {likeliest}."


def _judge(labels: Sequence[str], probabilities: Sequence[float], threshold: float) -> Verdict:
    rounded = tuple(round(probability, 4) for probability in probabilities)
    best = max(range(len(rounded)), key=probabilities.__getitem__)
    return Verdict(labels, rounded, labels[best], rounded[best], rounded[best] < threshold)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer about one picture, without what only the edge knows (the request's id), and what is counted of it."""

    fields: Fields
    note: PictureRecord


def prediction(
    detected: DetectedPicture,
    reading: PicturePrediction,
    *,
    threshold: float,
    every_face: bool,
    explain: ExplainMode,
    queue_ms: float,
) -> Answer:
    """The answer of ``/predict``. Its top level is the largest face, whether or not all faces are listed."""
    verdicts = [_judge(reading.model.manifest.labels, face.probabilities, threshold) for face in reading.faces]
    faces = [_face(face, verdict, explain) for face, verdict in zip(reading.faces, verdicts, strict=True)]
    timings = _timings(detected, queue_ms)
    fields: Fields = {
        "success": True,
        **faces[0],
        "faces_detected": detected.faces_detected,
        **({"faces": faces} if every_face else {}),
        "image": _image(detected),
        "model": _model(reading),
        "inference_time_ms": round(reading.inference_ms, 2),
        "timings_ms": timings,
    }
    return Answer(fields, _note(detected, [(reading, verdicts)], timings))


def analysis(detected: DetectedPicture, reading: PicturePrediction, *, threshold: float, queue_ms: float) -> Answer:
    """The answer of ``/analyze/facial``."""
    face = reading.faces[0]
    verdict = _judge(reading.model.manifest.labels, face.probabilities, threshold)
    box = _box(face.face)
    fields: Fields = {
        "success": True,
        "emotions": dict(zip(verdict.labels, verdict.probabilities, strict=True)),
        "dominant_emotion": verdict.emotion,
        "confidence": verdict.confidence,
        "is_uncertain": verdict.is_uncertain,
        "face_detected": not face.face.assumed,
        "face_box": [box["x"], box["y"], box["width"], box["height"]],
    }
    return Answer(fields, _note(detected, [(reading, [verdict])], _timings(detected, queue_ms)))


def comparison(
    detected: DetectedPicture, readings: Sequence[PicturePrediction], *, threshold: float, queue_ms: float
) -> Answer:
    """The answer of ``/predict/compare``: one face, as each model reads it."""
    verdicts = [_judge(r.model.manifest.labels, r.faces[0].probabilities, threshold) for r in readings]
    face = readings[0].faces[0]
    timings = _timings(detected, queue_ms)
    pairs = list(zip(readings, verdicts, strict=True))
    fields: Fields = {
        "success": True,
        **_disagreement(pairs),
        "models": [
            {"model": _model(reading), **_verdict(verdict), "inference_time_ms": round(reading.inference_ms, 2)}
            for reading, verdict in pairs
        ],
        "face": _place(face.face),
        "faces_detected": detected.faces_detected,
        "warnings": [_warning(warning) for warning in face.warnings],
        "image": _image(detected),
        "timings_ms": timings,
    }
    return Answer(fields, _note(detected, [(reading, [verdict]) for reading, verdict in pairs], timings))


def _disagreement(pairs: Sequence[tuple[PicturePrediction, Verdict]]) -> Fields:
    """Which models say what, and how far their probabilities lie apart."""
    said: dict[str, list[str]] = {}
    given: dict[str, list[float]] = {}
    for reading, verdict in pairs:
        said.setdefault(verdict.emotion, []).append(reading.model.manifest.name)
        for label, probability in zip(verdict.labels, verdict.probabilities, strict=True):
            given.setdefault(label, []).append(probability)
    return {
        "agree": len(said) == 1,
        "by_emotion": said,
        "largest_difference": {label: round(max(each) - min(each), 4) for label, each in given.items()},
    }


def _face(reading: FacePrediction, verdict: Verdict, explain: ExplainMode) -> Fields:
    fields = {
        **_verdict(verdict),
        "face": _place(reading.face),
        "warnings": [_warning(warning) for warning in reading.warnings],
    }
    if reading.heatmap is not None:
        fields["explanation"] = _explanation(reading, reading.heatmap, explain)
    return fields


def _verdict(verdict: Verdict) -> Fields:
    fields: Fields = {
        "emotion": verdict.emotion,
        "confidence": verdict.confidence,
        "is_uncertain": verdict.is_uncertain,
        "probabilities": dict(zip(verdict.labels, verdict.probabilities, strict=True)),
    }
    if verdict.message is not None:
        fields["message"] = verdict.message
    return fields


def _place(face: Face) -> Fields:
    return {
        "box": _box(face),
        "score": round(face.score, 4),
        "landmarks": {name: [round(x), round(y)] for name, (x, y) in zip(LANDMARK_NAMES, face.landmarks, strict=False)},
    }


def _image(detected: DetectedPicture) -> Fields:
    picture = detected.picture
    return {"width": picture.width, "height": picture.height, "format": picture.format}


def _model(reading: PicturePrediction) -> Fields:
    manifest = reading.model.manifest
    return {"name": manifest.name, "version": manifest.version}


def _timings(detected: DetectedPicture, queue_ms: float) -> dict[str, float]:
    """Milliseconds of the wait for a worker, of each stage, and of all of it."""
    stages = {name: round(value, 2) for name, value in detected.timings.stages.items()}
    return {"queue": round(queue_ms, 2), **stages, "total": round(queue_ms + detected.timings.total, 2)}


def _note(
    detected: DetectedPicture,
    readings: Sequence[tuple[PicturePrediction, Sequence[Verdict]]],
    timings: dict[str, float],
) -> PictureRecord:
    codes = {warning.code for reading, _ in readings for face in reading.faces for warning in face.warnings}
    predictions = tuple(
        PredictionRecord(reading.model.manifest.name, verdict.emotion, verdict.confidence, verdict.is_uncertain)
        for reading, verdicts in readings
        for verdict in verdicts
    )
    return PictureRecord(timings, detected.faces_detected, tuple(sorted(codes)), predictions)


def _box(face: Face) -> dict[str, int]:
    box = face.box
    return {"x": round(box.x), "y": round(box.y), "width": round(box.width), "height": round(box.height)}


def _warning(warning: Warning) -> dict[str, str]:
    return {"code": warning.code, "message": warning.message}


def _explanation(reading: FacePrediction, heatmap: Heatmap, mode: ExplainMode) -> Fields:
    fields: Fields = {
        "method": heatmap.method,
        "label": heatmap.label,
        "corners": [[round(x, 1), round(y, 1)] for x, y in reading.region.corners],
    }
    if mode == "grid":
        fields["grid"] = [[round(value, 3) for value in row] for row in heatmap.grid.tolist()]
    else:
        png = overlay_png(reading.crop, heatmap.grid)
        fields["overlay"] = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    return fields
