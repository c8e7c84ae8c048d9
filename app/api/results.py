"""The results of the routes that take pictures: their types, which FastAPI documents, and how they are built.

mypy checks each result where it is built. Nothing validates it at run time.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NotRequired, cast

import orjson
from pydantic import Field
from starlette.background import BackgroundTask
from starlette.responses import Response
from typing_extensions import TypeAliasType, TypedDict

from app.api.details import (
    NOTHING_ASKED,
    DetailsRequest,
    FaceDetails,
    MeasuredDetails,
    SpokenDetails,
    face_details,
    measured_details,
    spoken_details,
)
from app.errors import ErrorCode
from app.expression.details import DETAILS
from app.expression.labels import usual_name
from app.inference.explain import Heatmap, Method, overlay_png
from app.inference.further import FurtherValue
from app.pipeline import DetectedPicture, FacePrediction, PicturePrediction
from app.sessions.fusion import Fusion
from app.telemetry.records import PictureRecord, PredictionRecord
from app.vision.geometry import LANDMARK_NAMES, Face
from app.vision.headers import PictureFormat
from app.vision.quality import WarningCode

ExplainMode = Literal["false", "true", "grid"]
Probabilities = Annotated[dict[str, float], Field(description="Calibrated probabilities, in the model's order.")]
Emotion = Annotated[str, Field(description="The most probable label: what the face shows, not what a person feels.")]
Confidence = Annotated[float, Field(description="The calibrated probability of that label.")]
IsUncertain = Annotated[bool, Field(description="Whether the confidence is below `CONFIDENCE_THRESHOLD`.")]
Message = Annotated[str, Field(description="Names the two most probable labels when the prediction is uncertain.")]
FacesDetected = Annotated[int, Field(description="Faces found in the picture, with a prediction or without.")]
RequestId = Annotated[str, Field(description="Finds the request in the service's log.")]
TimingsMs = Annotated[
    dict[str, float], Field(description="Milliseconds by stage: `queue` is the wait for a worker, `total` the sum.")
]


class FaceBox(TypedDict):
    """A rectangle in pixels of the upright picture; it may reach beyond the picture's edge."""

    x: int
    y: int
    width: int
    height: int


# A schema of its own: schemathesis cannot read `prefixItems` in the schema of a response itself.
BoxNumbers = TypeAliasType(
    "BoxNumbers",
    Annotated[tuple[int, int, int, int], Field(description="[x, y, width, height] of a face in pixels.")],
)


class FaceLocation(TypedDict):
    """Where a face is."""

    box: FaceBox
    score: Annotated[float, Field(description="The detector's confidence; 0 without detection (`on_no_face=center`).")]
    landmarks: Annotated[
        dict[str, tuple[int, int]],
        Field(description="Points as [x, y] by name; left and right are the person's own. Empty without detection."),
    ]


class WarningEntry(TypedDict):
    """A property of the picture that makes the prediction less reliable."""

    code: WarningCode
    message: Annotated[str, Field(description="A sentence for the person who took the picture.")]


class _Explanation(TypedDict):
    method: Annotated[
        Method,
        Field(
            description="`cam`: a class-activation map; `contrast`: that map minus those of the other labels; "
            "`occlusion`: the effect of covering each part."
        ),
    ]
    label: Annotated[str, Field(description="The label that is explained.")]
    corners: Annotated[
        list[tuple[float, float]],
        Field(description="Where the map lies in the picture: top left, top right, bottom right, bottom left."),
    ]


class OverlayExplanation(_Explanation):
    """Which parts of the face support a label, as a picture (`explain=true`)."""

    overlay: Annotated[str, Field(description="The map over the face's crop, as the data URL of a PNG.")]


class GridExplanation(_Explanation):
    """Which parts of the face support a label, as numbers (`explain=grid`)."""

    grid: Annotated[list[list[float]], Field(description="The map as rows of values from 0 to 1.")]


class OutputValue(TypedDict):
    """One further number of a model."""

    value: float
    active: NotRequired[Annotated[bool, Field(description="Whether a probability reaches its threshold.")]]


class _FurtherOutputs(TypedDict, total=False):
    outputs: Annotated[
        dict[str, OutputValue],
        Field(description="What the model gives beside its labels, by name; only of models whose manifest has some."),
    ]


class Prediction(_FurtherOutputs):
    """What one model says of one face."""

    emotion: Emotion
    confidence: Confidence
    is_uncertain: IsUncertain
    probabilities: Probabilities
    message: NotRequired[Message]


class _Explained(TypedDict, total=False):
    explanation: Annotated[OverlayExplanation | GridExplanation, Field(description="Only with `explain`.")]


class PredictedFace(Prediction, _Explained, FaceDetails):
    """One face with its prediction."""

    face: FaceLocation
    warnings: list[WarningEntry]


class PictureInfo(TypedDict):
    """The decoded picture."""

    width: Annotated[int, Field(description="Pixels across, after EXIF orientation.")]
    height: int
    format: PictureFormat


class ModelVersion(TypedDict):
    """The model that made the prediction."""

    name: str
    version: str


class _EveryFace(TypedDict, total=False):
    faces: Annotated[list[PredictedFace], Field(description="All faces, largest first. Only with `faces=all`.")]


class PictureResult(PredictedFace, _EveryFace):
    """The result of one picture. Its top level is the largest face."""

    faces_detected: FacesDetected
    image: PictureInfo
    inference_time_ms: float
    timings_ms: TimingsMs


class PredictionResult(PictureResult):
    """The prediction for a picture. The top level is the largest face that was asked for."""

    success: Literal[True]
    model: ModelVersion
    request_id: RequestId


class _BatchItem(TypedDict):
    index: Annotated[int, Field(description="The item's place in the request, from 0.")]
    filename: Annotated[
        str | None, Field(description="The file's name, without folders, control characters and excess length.")
    ]


class BatchPrediction(_BatchItem, PictureResult):
    """An item of a batch with its prediction."""

    success: Literal[True]


class BatchError(_BatchItem):
    """An item of a batch with the error that it would have had alone."""

    success: Literal[False]
    error: ErrorCode
    message: Annotated[str, Field(description="A sentence for the person who sent the request.")]


BatchItem = BatchPrediction | BatchError


class BatchSummary(TypedDict):
    """Counts of the items of a batch."""

    total: int
    succeeded: int
    failed: int
    uncertain: Annotated[int, Field(description="Succeeded items whose (largest) face has an uncertain prediction.")]
    by_emotion: Annotated[dict[str, int], Field(description="Succeeded items by the emotion of their (largest) face.")]
    by_error: Annotated[dict[ErrorCode, int], Field(description="Failed items by the code of their error.")]


class BatchResult(TypedDict):
    """The results of a batch: one item a file, in the order of the request."""

    success: Annotated[Literal[True], Field(description="The batch was read; each item has its own `success`.")]
    results: list[BatchItem]
    summary: BatchSummary
    model: ModelVersion
    total_time_ms: float
    request_id: RequestId


class ComparedModel(Prediction, SpokenDetails):
    """The prediction of one of several models."""

    model: ModelVersion
    inference_time_ms: float


class ComparisonResult(MeasuredDetails):
    """The predictions of several models for one face."""

    success: Literal[True]
    agree: Annotated[bool, Field(description="Whether all models give the same emotion.")]
    models: Annotated[list[ComparedModel], Field(description="In the order in which they were asked for.")]
    by_emotion: Annotated[dict[str, list[str]], Field(description="The names of the models that give each emotion.")]
    largest_difference: Annotated[
        dict[str, float], Field(description="Between the models' probabilities of each label.")
    ]
    face: FaceLocation
    faces_detected: int
    warnings: list[WarningEntry]
    image: PictureInfo
    timings_ms: TimingsMs
    request_id: RequestId


class AnalysisResult(FaceDetails, _FurtherOutputs):
    """The prediction for one face, in the form that clients of other expression services know."""

    success: Literal[True]
    emotions: Probabilities
    dominant_emotion: Emotion
    confidence: Confidence
    is_uncertain: IsUncertain
    face_detected: Annotated[bool, Field(description="False only with `on_no_face=center`, where no face was found.")]
    face_box: BoxNumbers
    message: NotRequired[Message]
    warnings: list[WarningEntry]
    faces: Annotated[list[PredictedFace], Field(description="The face above, or with `faces=all` all, largest first.")]
    faces_detected: FacesDetected
    model: ModelVersion
    image: PictureInfo
    request_id: RequestId


class MultimodalResult(Fusion):
    """A picture, a voice and a text together."""

    success: Literal[True]
    request_id: RequestId


@dataclass(frozen=True, slots=True)
class Findings:
    """What the results of a picture are built from. ``threshold`` is the lowest confidence that is not uncertain."""

    detected: DetectedPicture
    predictions: Sequence[PicturePrediction]
    threshold: float
    timings_ms: dict[str, float]
    request_id: str
    details: DetailsRequest = NOTHING_ASKED


def json_response(
    result: Mapping[str, object], background: BackgroundTask | None = None, *, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with a result as JSON."""
    return Response(orjson.dumps(result), headers=headers, media_type="application/json", background=background)


def picture_result(findings: Findings, *, every_face: bool, explain: ExplainMode) -> PictureResult:
    """The result of one picture by one model, alone or in a batch."""
    detected, (predicted,) = findings.detected, findings.predictions
    faces = [predicted_face(face, predicted, findings.threshold, explain, findings.details) for face in predicted.faces]
    listed: _EveryFace = {"faces": faces} if every_face else {}
    return {
        **faces[0],
        "faces_detected": detected.faces_detected,
        **listed,
        "image": picture_info(detected),
        "inference_time_ms": round(predicted.inference_ms, 2),
        "timings_ms": findings.timings_ms,
    }


def prediction_result(findings: Findings, *, every_face: bool, explain: ExplainMode) -> PredictionResult:
    """The result of ``POST /predict``."""
    return {
        "success": True,
        **picture_result(findings, every_face=every_face, explain=explain),
        "model": _model_version(findings.predictions[0]),
        "request_id": findings.request_id,
    }


def analysis_result(findings: Findings) -> AnalysisResult:
    """The result of ``POST /analyze/facial``."""
    predicted = findings.predictions[0]
    faces = [predicted_face(face, predicted, findings.threshold, "false", findings.details) for face in predicted.faces]
    first = faces[0]
    box = first["face"]["box"]
    result: AnalysisResult = {
        "success": True,
        "emotions": first["probabilities"],
        "dominant_emotion": first["emotion"],
        "confidence": first["confidence"],
        "is_uncertain": first["is_uncertain"],
        "face_detected": not predicted.faces[0].face.assumed,
        "face_box": (box["x"], box["y"], box["width"], box["height"]),
        "warnings": first["warnings"],
        "faces": faces,
        "faces_detected": findings.detected.faces_detected,
        "model": _model_version(predicted),
        "image": picture_info(findings.detected),
        "request_id": findings.request_id,
    }
    optional = {name: value for name, value in first.items() if name in {"message", "outputs", *DETAILS}}
    result.update(cast(AnalysisResult, optional))
    return result


def comparison_result(findings: Findings) -> ComparisonResult:
    """The result of ``POST /predict/compare``."""
    detected, face = findings.detected, findings.predictions[0].faces[0]
    models = [_compared_model(each, findings) for each in findings.predictions]
    by_emotion: dict[str, list[str]] = {}
    by_label: dict[str, list[float]] = {}
    # Models may have different names for a label: that of the first stands for all.
    names: dict[str, str] = {}
    for each in models:
        for label, probability in each["probabilities"].items():
            by_label.setdefault(names.setdefault(usual_name(label), label), []).append(probability)
        by_emotion.setdefault(names[usual_name(each["emotion"])], []).append(each["model"]["name"])
    return {
        "success": True,
        "agree": len(by_emotion) == 1,
        "models": models,
        "by_emotion": by_emotion,
        "largest_difference": {label: round(max(given) - min(given), 4) for label, given in by_label.items()},
        "face": _location(face.face),
        "faces_detected": detected.faces_detected,
        "warnings": _warnings(face),
        **measured_details(face, findings.details),
        "image": picture_info(detected),
        "timings_ms": findings.timings_ms,
        "request_id": findings.request_id,
    }


def picture_record(findings: Findings) -> PictureRecord:
    """What metrics count of a picture, in the numbers that the result shows."""
    codes: set[str] = set()
    counted = []
    for predicted in findings.predictions:
        for face in predicted.faces:
            codes.update(warning.code for warning in face.warnings)
            label, confidence = _likeliest(face, predicted)
            name, uncertain = predicted.model.manifest.name, confidence < findings.threshold
            counted.append(PredictionRecord(name, label, confidence, uncertain))
    faces = findings.detected.faces_detected
    return PictureRecord(findings.timings_ms, faces, tuple(sorted(codes)), tuple(counted))


def prediction_of(face: FacePrediction, predicted: PicturePrediction, threshold: float) -> Prediction:
    """What a model says of a face. The threshold is compared with the rounded confidence, which the client sees."""
    label, confidence = _likeliest(face, predicted)
    probabilities = [round(probability, 4) for probability in face.probabilities]
    result: Prediction = {
        "emotion": label,
        "confidence": confidence,
        "is_uncertain": confidence < threshold,
        "probabilities": dict(zip(predicted.model.manifest.labels, probabilities, strict=True)),
    }
    if face.outputs:
        result["outputs"] = {each.name: _output(each) for each in face.outputs}
    if result["is_uncertain"]:
        ranked = sorted(result["probabilities"].items(), key=lambda pair: -pair[1])[:2]
        likeliest = " and ".join(f"{label} ({probability:.2f})" for label, probability in ranked)
        result["message"] = f"The prediction is uncertain; the likeliest are {likeliest}."
    return result


def _likeliest(face: FacePrediction, predicted: PicturePrediction) -> tuple[str, float]:
    """The likeliest label and its confidence, rounded as clients see it."""
    most = max(face.probabilities)
    return predicted.model.manifest.labels[face.probabilities.index(most)], round(most, 4)


def _output(further: FurtherValue) -> OutputValue:
    value = round(further.value, 4)
    return {"value": value} if further.active is None else {"value": value, "active": further.active}


def _model_version(predicted: PicturePrediction) -> ModelVersion:
    manifest = predicted.model.manifest
    return {"name": manifest.name, "version": manifest.version}


def predicted_face(
    face: FacePrediction,
    predicted: PicturePrediction,
    threshold: float,
    mode: ExplainMode,
    details: DetailsRequest,
) -> PredictedFace:
    explained: _Explained = {} if face.heatmap is None else {"explanation": _explanation(face, face.heatmap, mode)}
    return {
        **prediction_of(face, predicted, threshold),
        "face": _location(face.face),
        "warnings": _warnings(face),
        **explained,
        **face_details(face, predicted, threshold, details),
    }


def _compared_model(predicted: PicturePrediction, findings: Findings) -> ComparedModel:
    face, threshold = predicted.faces[0], findings.threshold
    return {
        "model": _model_version(predicted),
        **prediction_of(face, predicted, threshold),
        **spoken_details(face, predicted, threshold, findings.details),
        "inference_time_ms": round(predicted.inference_ms, 2),
    }


def _location(face: Face) -> FaceLocation:
    points = zip(LANDMARK_NAMES, face.landmarks, strict=False)
    return {
        "box": _box(face),
        "score": round(face.score, 4),
        "landmarks": {name: (round(x), round(y)) for name, (x, y) in points},
    }


def _box(face: Face) -> FaceBox:
    box = face.box
    return {"x": round(box.x), "y": round(box.y), "width": round(box.width), "height": round(box.height)}


def _warnings(face: FacePrediction) -> list[WarningEntry]:
    return [{"code": warning.code, "message": warning.message} for warning in face.warnings]


def picture_info(detected: DetectedPicture) -> PictureInfo:
    picture = detected.picture
    assert picture.format is not None, "Pictures come to the API as files."
    return {"width": picture.width, "height": picture.height, "format": picture.format}


def _explanation(face: FacePrediction, heatmap: Heatmap, mode: ExplainMode) -> OverlayExplanation | GridExplanation:
    shared: _Explanation = {
        "method": heatmap.method,
        "label": heatmap.label,
        "corners": [(round(x, 1), round(y, 1)) for x, y in face.region.corners],
    }
    if mode == "grid":
        return {**shared, "grid": [[round(value, 3) for value in row] for row in heatmap.grid.tolist()]}
    png = base64.b64encode(overlay_png(face.crop, heatmap.grid)).decode("ascii")
    return {**shared, "overlay": f"data:image/png;base64,{png}"}
