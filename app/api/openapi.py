"""What the OpenAPI document says of examples, uploads and errors, beyond what FastAPI derives from the types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI

from app import errors as catalogue
from app.api.error_responses import Error
from app.api.results import (
    AnalysisResult,
    BatchResult,
    ComparisonResult,
    MultimodalResult,
    PictureResult,
    PredictionResult,
)
from app.errors import NoFaceDetected, RetryableError, Unauthorized, VisageError
from app.sessions.fusion import Facial, Text, Voice, fuse
from app.sessions.summary import Session, SessionFace, SessionSummary

ErrorClass = type[VisageError]

ADMISSION: tuple[ErrorClass, ...] = (
    catalogue.Unauthorized,
    catalogue.RateLimited,
    catalogue.NotReady,
    catalogue.Timeout,
    catalogue.InternalError,
)
"""The errors that admission can raise on any route."""

PICTURES: tuple[ErrorClass, ...] = (
    catalogue.InvalidRequest,
    catalogue.UnsupportedMediaType,
    catalogue.FileTooLarge,
    catalogue.ModelNotFound,
    *ADMISSION,
    catalogue.Overloaded,
)
"""The errors of a whole request that sends pictures."""

ONE_PICTURE: tuple[ErrorClass, ...] = (
    catalogue.EmptyFile,
    catalogue.InvalidImage,
    catalogue.ImageTooLarge,
    catalogue.ImageTooSmall,
    catalogue.NoFaceDetected,
    catalogue.MultipleFaces,
)
"""The errors of a picture."""

_REQUEST_ID: Final = "4f7c2d9e8b1a4c6f9d3e5a7b8c0d1e2f"
_PICTURE: PictureResult = {
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
        "landmarks": {"right_eye": (143, 110), "left_eye": (184, 109)},
    },
    "warnings": [],
    "faces_detected": 1,
    "image": {"width": 640, "height": 480, "format": "jpeg"},
    "inference_time_ms": 1.1,
    "timings_ms": {"queue": 0.1, "decode": 2.0, "detect": 2.4, "prepare": 0.2, "inference": 1.1, "total": 5.8},
}
PREDICTION: Final[PredictionResult] = {
    "success": True,
    **_PICTURE,
    "model": {"name": "default", "version": "1.0.0"},
    "request_id": _REQUEST_ID,
}
BATCH: Final[BatchResult] = {
    "success": True,
    "results": [
        {"index": 0, "filename": "happy_sample.jpg", "success": True, **_PICTURE},
        {
            "index": 1,
            "filename": "no_face.jpg",
            "success": False,
            "error": NoFaceDetected.code,
            "message": NoFaceDetected.default_message,
        },
    ],
    "summary": {
        "total": 2,
        "succeeded": 1,
        "failed": 1,
        "uncertain": 0,
        "by_emotion": {"happy": 1},
        "by_error": {NoFaceDetected.code: 1},
    },
    "model": {"name": "default", "version": "1.0.0"},
    "total_time_ms": 11.4,
    "request_id": _REQUEST_ID,
}
COMPARISON: Final[ComparisonResult] = {
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
            "message": "The prediction is uncertain; the likeliest are neutral (0.55) and happy (0.45).",
            "inference_time_ms": 9.8,
        },
    ],
    "by_emotion": {"happy": ["default"], "neutral": ["other"]},
    "largest_difference": {"happy": 0.35, "neutral": 0.35},
    "face": _PICTURE["face"],
    "faces_detected": 1,
    "warnings": [],
    "image": _PICTURE["image"],
    "timings_ms": {"queue": 0.1, "decode": 2.0, "detect": 2.4, "prepare": 0.4, "inference": 10.9, "total": 15.8},
    "request_id": _REQUEST_ID,
}
ANALYSIS: Final[AnalysisResult] = {
    "success": True,
    "emotions": _PICTURE["probabilities"],
    "dominant_emotion": "happy",
    "confidence": 0.92,
    "is_uncertain": False,
    "face_detected": True,
    "face_box": (120, 80, 96, 96),
    "request_id": _REQUEST_ID,
}


def _session() -> SessionSummary:
    """The summary of the frames that the request's example has."""
    session = Session(("happy", "neutral"), None)
    session.add(0.0, [SessionFace(1, {"happy": 0.8, "neutral": 0.2}, None, False, (), None)])
    session.add(0.5, [SessionFace(1, {"happy": 0.3, "neutral": 0.7}, None, False, (), None)])
    session.add(1.0, [])
    return session.summary("end")


SESSION: Final = _session()
MULTIMODAL: Final[MultimodalResult] = {
    "success": True,
    **fuse(
        Facial(_PICTURE["probabilities"], uncertain=False),
        Voice({"happy": 0.6, "neutral": 0.3, "sad": 0.1}, 0.8),
        Text(80, "Clear and short."),
        scored=True,
    ),
    "request_id": _REQUEST_ID,
}

_KEYS: dict[str, Any] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def install(app: FastAPI) -> None:
    """Completes the document that FastAPI makes."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            _describe_keys(document)
            _close(document)
            _keep_nulls(document)
        return plain()

    app.openapi = described  # type: ignore[method-assign]


def documented(example: Mapping[str, object], *classes: ErrorClass) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: an example of its result, and its errors."""
    return {200: {"content": {"application/json": {"example": example}}}, **errors(*classes)}


def errors(*classes: ErrorClass) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may end in these errors, each with an example."""
    by_status: dict[int, list[ErrorClass]] = defaultdict(list)
    for error in classes:
        by_status[error.status].append(error)
    declared: dict[int | str, dict[str, Any]] = {}
    for status, group in sorted(by_status.items()):
        declared[status] = {
            "model": Error,
            "description": ", ".join(f"`{error.code}`" for error in group),
            "content": {
                "application/json": {
                    "examples": {error.code: {"summary": error.code, "value": _body(error)} for error in group}
                }
            },
        }
        if any(issubclass(error, RetryableError) for error in group):
            declared[status]["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
            }
    return declared


def _describe_keys(document: dict[str, Any]) -> None:
    """Says how a key is sent. It is optional, because a service without keys is open."""
    document.setdefault("components", {})["securitySchemes"] = _KEYS
    for methods in document["paths"].values():
        for operation in methods.values():
            if str(Unauthorized.status) in operation["responses"]:
                operation["security"] = [{}, *({name: []} for name in _KEYS)]


def _close(document: dict[str, Any]) -> None:
    """Says that a result has no other fields than those of its type."""
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False


def _keep_nulls(document: dict[str, Any]) -> None:
    """Puts an example back whose fields of null FastAPI has dropped."""
    said = document["paths"]["/analyze/session"]["post"]["responses"]["200"]
    said["content"]["application/json"]["example"] = SESSION


def _body(error: ErrorClass) -> Error:
    return {"success": False, "error": error.code, "message": error.default_message, "request_id": _REQUEST_ID}


def file_form(field: str, *, several: bool = False) -> dict[str, Any]:
    """The ``openapi_extra`` of a route that takes one picture, or several, as a form."""
    picture = {"type": "string", "format": "binary", "description": "A JPEG, PNG, WebP or BMP picture."}
    schema = {"type": "array", "items": picture, "minItems": 1} if several else picture
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {"type": "object", "required": [field], "properties": {field: schema}}
                }
            },
        }
    }
