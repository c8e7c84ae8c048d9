"""Examples of results, for the OpenAPI document: what the shipped models say of ``sample_images/happy_sample.jpg``."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.api.details import ActionUnitEntry
from app.api.results import (
    AnalysisResult,
    BatchResult,
    ComparisonResult,
    FaceLocation,
    MultimodalResult,
    PictureInfo,
    PictureResult,
    PredictedFace,
    PredictionResult,
    WarningEntry,
)
from app.errors import NoFaceDetected
from app.expression.action_units import methods
from app.sessions.fusion import Facial, Text, Voice, fuse
from app.sessions.summary import Session, SessionFace, SessionSummary

_FILE: Final = Path(__file__).with_name("example.jpg")
PICTURE: Final = f"data:image/jpeg;base64,{b64encode(_FILE.read_bytes()).decode('ascii')}"
"""The example of a picture inside JSON."""

REQUEST_ID: Final = "4f7c2d9e8b1a4c6f9d3e5a7b8c0d1e2f"
_HAPPY: Final = {"angry": 0.0, "disgust": 0.0, "fear": 0.0, "happy": 0.9999, "sad": 0.0, "surprise": 0.0}
_FACE: Final[FaceLocation] = {
    "box": {"x": 177, "y": 83, "width": 95, "height": 95},
    "score": 0.9223,
    "landmarks": {
        "right_eye": (201, 105),
        "left_eye": (246, 110),
        "nose_tip": (220, 128),
        "mouth_center": (219, 149),
        "right_ear": (177, 114),
        "left_ear": (271, 124),
    },
}
_IMAGE: Final[PictureInfo] = {"width": 512, "height": 512, "format": "jpeg"}
_PICTURE: Final[PictureResult] = {
    "emotion": "happy",
    "confidence": 0.9999,
    "is_uncertain": False,
    "probabilities": {**_HAPPY, "neutral": 0.0001},
    "face": _FACE,
    "warnings": [],
    "faces_detected": 1,
    "image": _IMAGE,
    "inference_time_ms": 1.8,
    "timings_ms": {"queue": 0.07, "decode": 1.6, "detect": 2.0, "prepare": 0.49, "inference": 1.8, "total": 5.96},
}
PREDICTION: Final[PredictionResult] = {
    "success": True,
    **_PICTURE,
    "model": {"name": "default", "version": "0.6.0"},
    "request_id": REQUEST_ID,
}
_INTENSITIES: Final[Mapping[str, tuple[float, float]]] = {
    **{"AU1": (0.0, 0.0), "AU2": (0.096, 0.028), "AU4": (0.0, 0.0), "AU5": (0.0, 0.0), "AU6": (0.829, 0.821)},
    **{"AU7": (0.178, 0.25), "AU9": (0.0, 0.064), "AU10": (0.014, 0.058), "AU12": (0.957, 0.947)},
    **{"AU14": (0.117, 0.105), "AU15": (0.0, 0.0), "AU16": (0.082, 0.18), "AU17": (0.03, 0.03), "AU18": (0.0, 0.0)},
    **{"AU20": (0.0, 0.0), "AU22": (0.037, 0.037), "AU23": (0.156, 0.156), "AU24": (0.197, 0.424)},
    **{"AU25": (0.18, 0.18), "AU26": (0.0, 0.0), "AU27": (0.0, 0.0), "AU28": (0.0, 0.0), "AU43": (0.0, 0.0)},
}
"""Of both sides."""


def _units() -> dict[str, ActionUnitEntry]:
    units: dict[str, ActionUnitEntry] = {}
    for code, method in methods().items():
        left, right = _INTENSITIES[code]
        intensity = round((left + right) / 2, 3)
        units[code] = {"name": method.name, "intensity": intensity, "active": intensity > method.threshold}
        if method.sided:
            units[code]["left"], units[code]["right"] = left, right
    return units


DETAILED_PREDICTION: Final[PredictionResult] = {
    **PREDICTION,
    "timings_ms": {
        "queue": 0.07,
        "decode": 1.6,
        "detect": 2.0,
        "mesh": 6.0,
        "prepare": 0.49,
        "inference": 1.8,
        "total": 11.96,
    },
    "action_units": _units(),
    "head_pose": {"yaw": -1.4, "pitch": -7.3, "roll": -2.8},
    "emotion_vector": {
        "happiness": 0.9999,
        "sadness": 0.0,
        "anger": 0.0,
        "fear": 0.0,
        "surprise": 0.0,
        "disgust": 0.0,
    },
    "description": "Apparent expression: clearly happy (over 99 %). "
    "Movements that commonly go with it: raised lip corners and raised cheeks.",
}
"""With `details=action_units,head_pose,emotion_vector,description`."""
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
    "model": {"name": "default", "version": "0.6.0"},
    "total_time_ms": 70.91,
    "request_id": REQUEST_ID,
}
BATCH_TABLE: Final = (
    "index,filename,success,emotion,confidence,is_uncertain,p_angry,p_disgust,p_fear,p_happy,p_sad,p_surprise,"
    "p_neutral,faces_detected,x,y,width,height,warnings,error,message\r\n"
    "0,happy_sample.jpg,true,happy,0.9999,false,0.0,0.0,0.0,0.9999,0.0,0.0,0.0001,1,176,82,96,96,,,\r\n"
    f"1,no_face.jpg,false,,,,,,,,,,,,,,,,,{NoFaceDetected.code},{NoFaceDetected.default_message}\r\n"
)
COMPARISON: Final[ComparisonResult] = {
    "success": True,
    "agree": True,
    "models": [
        {
            "model": {"name": "default", "version": "0.6.0"},
            "emotion": "happy",
            "confidence": 0.9999,
            "is_uncertain": False,
            "probabilities": _PICTURE["probabilities"],
            "inference_time_ms": 1.99,
        },
        {
            "model": {"name": "accurate", "version": "0.4.0"},
            "emotion": "happy",
            "confidence": 0.9999,
            "is_uncertain": False,
            "probabilities": {**_HAPPY, "neutral": 0.0},
            "inference_time_ms": 10.2,
        },
    ],
    "by_emotion": {"happy": ["default", "accurate"]},
    "largest_difference": {**dict.fromkeys(_HAPPY, 0.0), "neutral": 0.0001},
    "face": _FACE,
    "faces_detected": 1,
    "warnings": [],
    "image": _IMAGE,
    "timings_ms": {"queue": 0.18, "decode": 1.65, "detect": 2.34, "prepare": 0.94, "inference": 12.19, "total": 17.3},
    "request_id": REQUEST_ID,
}

_SMALL: Final[WarningEntry] = {
    "code": "face_too_small",
    "message": "The face is small. Move closer, or send the picture in its full size.",
}
_SMALL_FACE: Final[PredictedFace] = {
    "emotion": "happy",
    "confidence": 0.9988,
    "is_uncertain": False,
    "probabilities": {
        "angry": 0.0002,
        "disgust": 0.0001,
        "fear": 0.0001,
        "happy": 0.9988,
        "sad": 0.0001,
        "surprise": 0.0003,
        "neutral": 0.0004,
    },
    "face": {
        "box": {"x": 36, "y": 32, "width": 44, "height": 44},
        "score": 0.8737,
        "landmarks": {
            "right_eye": (47, 43),
            "left_eye": (65, 44),
            "nose_tip": (55, 54),
            "mouth_center": (55, 63),
            "right_ear": (37, 47),
            "left_ear": (76, 49),
        },
    },
    "warnings": [_SMALL],
}
ANALYSIS: Final[AnalysisResult] = {
    "success": True,
    "emotions": _SMALL_FACE["probabilities"],
    "dominant_emotion": "happy",
    "confidence": 0.9988,
    "is_uncertain": False,
    "face_detected": True,
    "face_box": (36, 32, 44, 44),
    "warnings": [_SMALL],
    "faces": [_SMALL_FACE],
    "faces_detected": 1,
    "model": {"name": "default", "version": "0.6.0"},
    "image": {"width": 112, "height": 112, "format": "jpeg"},
    "request_id": REQUEST_ID,
}
"""Of `PICTURE`."""


def _session() -> SessionSummary:
    """The summary of the frames that the request's example has."""
    session = Session(("happy", "neutral"), None)
    session.add(0.0, [SessionFace(1, {"happy": 0.8, "neutral": 0.2}, False, (), None, {"AU6": 0.55, "AU12": 0.72})])
    session.add(0.5, [SessionFace(1, {"happy": 0.3, "neutral": 0.7}, False, (), None, {"AU6": 0.1, "AU12": 0.2})])
    session.add(1.0, [])
    return session.summary("end")


SESSION: Final = _session()
MULTIMODAL: Final[MultimodalResult] = {
    "success": True,
    **fuse(
        Facial(ANALYSIS["emotions"], uncertain=False),
        Voice({"happy": 0.6, "neutral": 0.3, "sad": 0.1}, 0.8),
        Text(80, "Clear and short."),
        scored=True,
    ),
    "request_id": REQUEST_ID,
}
