"""What the routes answer, as types. Answers are written from plain dicts; these describe them, and tests hold both."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import CATALOGUE

EXAMPLE_ID = "4f7c2d9e8b1a4c6f9d3e5a7b8c0d1e2f"

_PREDICTION: Final[dict[str, Any]] = {
    "emotion": "happy",
    "confidence": 0.92,
    "is_uncertain": False,
    "probabilities": {
        "angry": 0.01,
        "disgust": 0.0,
        "fear": 0.01,
        "happy": 0.92,
        "sad": 0.02,
        "surprise": 0.02,
        "neutral": 0.02,
    },
    "face": {
        "box": {"x": 120, "y": 80, "width": 96, "height": 96},
        "score": 0.97,
        "landmarks": {"right_eye": [143, 110], "left_eye": [184, 109]},
    },
    "warnings": [],
}


class Answer(BaseModel):
    """A part of an answer. Unknown fields are an error here, so that a test finds what is not described."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Error(Answer):
    """Every error, from whatever layer, has this one shape."""

    model_config = ConfigDict(title="Error")

    success: Literal[False]
    error: str = Field(
        description="A code that stays the same.", json_schema_extra={"enum": [e.code for e in CATALOGUE]}
    )
    message: str = Field(description="A sentence for the person who sent the request.")
    request_id: str = Field(description="Finds the request in the service's log.")


class Box(Answer):
    """A rectangle in pixels of the picture as a person sees it; it may reach beyond the picture's edge."""

    x: int
    y: int
    width: int
    height: int


class Place(Answer):
    """Where a face is."""

    box: Box
    score: float = Field(
        description="How sure the detector is; 0 for a face that nobody detected (`on_no_face=center`)."
    )
    landmarks: dict[str, tuple[int, int]] = Field(
        description="Points as [x, y] by name; left and right are the person's own. Empty for an assumed face."
    )


class Warning(Answer):
    """Something about the picture that makes the reading less sure."""

    code: str
    message: str


class Explanation(Answer):
    """Which parts of the face spoke for a label."""

    method: Literal["cam", "occlusion"] = Field(
        description="`cam`: class activation map in closed form; `occlusion`: parts were covered one after another."
    )
    label: str = Field(description="The label that is explained.")
    corners: list[tuple[float, float]] = Field(
        description="The map's place in the picture: top left, top right, bottom right, bottom left."
    )
    overlay: str | None = Field(None, description="The map over the face's crop, as the data URL of a PNG.")
    grid: list[list[float]] | None = Field(None, description="The map as rows of values from 0 to 1 (`explain=grid`).")


class Verdict(Answer):
    """What one model says of one face."""

    emotion: str = Field(description="The likeliest label: the apparent expression, not what somebody feels.")
    confidence: float = Field(description="Its calibrated probability.")
    is_uncertain: bool = Field(description="Whether the confidence is below `CONFIDENCE_THRESHOLD`.")
    probabilities: dict[str, float] = Field(description="Calibrated probabilities by label, in the model's order.")
    message: str | None = Field(None, description="Names the two likeliest labels when the reading is uncertain.")


class FacePrediction(Verdict):
    """One face, as the model reads it."""

    face: Place
    warnings: list[Warning]
    explanation: Explanation | None = Field(None, description="Comes with `explain`.")


class Image(Answer):
    """The picture as it was understood."""

    width: int = Field(description="Pixels across, after EXIF orientation.")
    height: int
    format: str


class ModelName(Answer):
    name: str
    version: str


class Prediction(FacePrediction):
    """The reading of a picture. The top level is the largest face that was asked for."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                **_PREDICTION,
                "faces_detected": 1,
                "image": {"width": 640, "height": 480, "format": "jpeg"},
                "model": {"name": "default", "version": "1.0.0"},
                "inference_time_ms": 1.1,
                "timings_ms": {
                    "queue": 0.1,
                    "decode": 2.0,
                    "detect": 2.4,
                    "prepare": 0.2,
                    "inference": 1.1,
                    "total": 5.9,
                },
                "request_id": EXAMPLE_ID,
            }
        }
    )

    success: Literal[True]
    faces_detected: int = Field(description="Faces found in the picture, whether or not they were read.")
    faces: list[FacePrediction] | None = Field(None, description="All faces, largest first (`faces=all`).")
    image: Image
    model: ModelName
    inference_time_ms: float
    timings_ms: dict[str, float] = Field(
        description="Milliseconds by stage: `queue` (the wait for a worker), `decode`, `detect`, `prepare`, "
        "`inference`, `explain` when asked for, and `total`."
    )
    request_id: str


class BatchItem(Answer):
    """One file of a batch: a prediction, or the error that it would have had alone."""

    index: int = Field(description="Its place in the request, from 0.")
    filename: str | None = Field(description="Its name, without folders, control characters and excess length.")
    success: bool
    error: str | None = Field(None, description="The code of the error, when there is one.")
    message: str | None = None
    emotion: str | None = None
    confidence: float | None = None
    is_uncertain: bool | None = None
    probabilities: dict[str, float] | None = None
    face: Place | None = None
    warnings: list[Warning] | None = None
    explanation: Explanation | None = None
    faces_detected: int | None = None
    faces: list[FacePrediction] | None = None
    image: Image | None = None
    inference_time_ms: float | None = None
    timings_ms: dict[str, float] | None = None


class BatchSummary(Answer):
    total: int
    succeeded: int
    failed: int
    uncertain: int = Field(
        description="Those of the succeeded whose (largest) face was read with too little confidence."
    )
    by_emotion: dict[str, int] = Field(description="Succeeded items by the emotion of their (largest) face.")
    by_error: dict[str, int]


class Batch(Answer):
    """One result an item, in the order of the request."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                "results": [
                    {
                        "index": 0,
                        "filename": "happy_sample.jpg",
                        "success": True,
                        **_PREDICTION,
                        "faces_detected": 1,
                        "image": {"width": 640, "height": 480, "format": "jpeg"},
                        "inference_time_ms": 1.1,
                        "timings_ms": {"queue": 0.1, "decode": 2.0, "detect": 2.4, "inference": 1.1, "total": 5.9},
                    },
                    {
                        "index": 1,
                        "filename": "no_face.jpg",
                        "success": False,
                        "error": "no_face_detected",
                        "message": "No face found in the image. Use a well-lit photo in which one face looks at the "
                        "camera.",
                    },
                ],
                "summary": {
                    "total": 2,
                    "succeeded": 1,
                    "failed": 1,
                    "uncertain": 0,
                    "by_emotion": {"happy": 1},
                    "by_error": {"no_face_detected": 1},
                },
                "model": {"name": "default", "version": "1.0.0"},
                "total_time_ms": 11.4,
                "request_id": EXAMPLE_ID,
            }
        }
    )

    success: Literal[True] = Field(description="The batch was read; each item says how it went.")
    results: list[BatchItem]
    summary: BatchSummary
    model: ModelName
    total_time_ms: float
    request_id: str


class ComparedModel(Verdict):
    model: ModelName
    inference_time_ms: float


class Comparison(Answer):
    """One face, as each model reads it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                "agree": False,
                "models": [
                    {
                        "model": {"name": "default", "version": "1.0.0"},
                        "emotion": "happy",
                        "confidence": 0.8,
                        "is_uncertain": False,
                        "probabilities": {"happy": 0.8, "neutral": 0.2},
                        "inference_time_ms": 1.1,
                    },
                    {
                        "model": {"name": "other", "version": "2.1.0"},
                        "emotion": "neutral",
                        "confidence": 0.55,
                        "is_uncertain": True,
                        "probabilities": {"happy": 0.45, "neutral": 0.55},
                        "message": "The reading is uncertain; the likeliest are neutral (0.55) and happy (0.45).",
                        "inference_time_ms": 9.8,
                    },
                ],
                "by_emotion": {"happy": ["default"], "neutral": ["other"]},
                "largest_difference": {"happy": 0.35, "neutral": 0.35},
                "face": _PREDICTION["face"],
                "faces_detected": 1,
                "warnings": [],
                "image": {"width": 640, "height": 480, "format": "jpeg"},
                "timings_ms": {"queue": 0.1, "decode": 2.0, "detect": 2.4, "inference": 10.9, "total": 15.8},
                "request_id": EXAMPLE_ID,
            }
        }
    )

    success: Literal[True]
    agree: bool = Field(description="Whether all models give the same emotion.")
    models: list[ComparedModel] = Field(description="In the order in which they were asked for.")
    by_emotion: dict[str, list[str]] = Field(description="Which models say what.")
    largest_difference: dict[str, float] = Field(
        description="How far the models' probabilities of a label lie apart, for each label that any of them has."
    )
    face: Place
    faces_detected: int
    warnings: list[Warning]
    image: Image
    timings_ms: dict[str, float]
    request_id: str


class Analysis(Answer):
    """The reading of one face, in the form that front ends of other expression services know."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                "emotions": _PREDICTION["probabilities"],
                "dominant_emotion": "happy",
                "confidence": 0.92,
                "is_uncertain": False,
                "face_detected": True,
                "face_box": [120, 80, 96, 96],
                "request_id": EXAMPLE_ID,
            }
        }
    )

    success: Literal[True]
    emotions: dict[str, float] = Field(description="Calibrated probabilities from 0 to 1 by label.")
    dominant_emotion: str
    confidence: float
    is_uncertain: bool
    face_detected: bool = Field(
        description="False only with `on_no_face=center`; otherwise a picture without a face is `no_face_detected`."
    )
    face_box: list[int] = Field(
        min_length=4, max_length=4, description="[x, y, width, height] of what was read, in pixels."
    )
    request_id: str
