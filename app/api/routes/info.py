"""``GET /info``: what this service is and how it is set up. ``GET /labels``: the few facts that a client needs."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Response
from pydantic import Field
from typing_extensions import TypedDict

import app
from app.api.dependencies import NoParameters, TheService
from app.api.notice import NOTICE, Notice
from app.api.openapi import ADMISSION, documented
from app.api.presentation import Label, Level, LevelName, labels, levels
from app.api.results import json_response
from app.api.routes.models import MODEL_EXAMPLE, Failures, ModelInfo, model_infos
from app.config import Settings
from app.errors import InvalidRequest
from app.expression.action_units import METHOD, methods
from app.expression.details import DETAILS
from app.inference.registry import Registry
from app.vision.headers import READABLE, PictureFormat
from app.vision.mesh import MeshState
from app.vision.quality import THRESHOLDS, WarningCode, WarningThreshold

router = APIRouter(tags=["Operation"])


class RequestLimits(TypedDict):
    """What a request may hold."""

    formats: list[PictureFormat]
    max_file_size_mb: float
    max_image_pixels: int
    max_faces: int
    max_batch_files: int
    max_batch_size_mb: float
    rate_limit: Annotated[str, Field(description="Requests a client, or `off`.")]
    request_timeout_seconds: float
    confidence_threshold: Annotated[float, Field(description="Confidence below which a prediction is uncertain.")]


class Workers(TypedDict):
    """The worker threads."""

    count: int
    alive: int
    face_detector: Literal["blazeface+yunet"]


class UnitInfo(TypedDict):
    """One action unit that `details=action_units` returns."""

    name: str
    threshold: Annotated[float, Field(description="The intensity from which it is active.")]
    experimental: Annotated[bool, Field(description="Whether its figures in docs/details.md are weak or missing.")]


class DetailsInfo(TypedDict):
    """The details of a face."""

    names: Annotated[list[str], Field(description="What `details` may name.")]
    state: MeshState
    method: str
    action_units: dict[str, UnitInfo]


class Info(TypedDict):
    """What this service is and how it is set up."""

    success: Literal[True]
    service: str
    version: str
    notice: Notice
    default_model: str
    models: list[ModelInfo]
    failures: Failures
    providers: Annotated[list[str], Field(description="Execution providers that the default model uses.")]
    workers: Workers
    limits: RequestLimits
    session_profiles: Annotated[list[str], Field(description="The profiles that sessions may ask for.")]
    labels: Annotated[list[Label], Field(description="Every label of the models that are served.")]
    levels: Annotated[list[Level], Field(description="From the least confidence to the most.")]
    details: DetailsInfo
    quality_thresholds: Annotated[dict[WarningCode, WarningThreshold], Field(description="When each warning is given.")]


class ClientThresholds(TypedDict):
    """The thresholds that decide about a prediction."""

    confidence: Annotated[float, Field(description="Confidence below which a prediction is uncertain.")]
    detection: Annotated[float, Field(description="Least score of a detected face.")]


class ClientLimits(TypedDict):
    """What a client checks before it sends pictures."""

    max_file_size_mb: float
    max_image_pixels: int
    max_batch_files: int
    max_batch_size_mb: float
    rate_limit: str


class Labels(TypedDict):
    """The few facts that a client needs."""

    success: Literal[True]
    labels: Annotated[list[str], Field(description="Every label of the models that are served.")]
    levels: Annotated[dict[LevelName, float], Field(description="The least confidence of each level.")]
    thresholds: ClientThresholds
    limits: ClientLimits


def _limits(settings: Settings) -> RequestLimits:
    return {
        "formats": [*READABLE],
        "max_file_size_mb": settings.max_file_size_mb,
        "max_image_pixels": settings.max_image_pixels,
        "max_faces": settings.max_faces,
        "max_batch_files": settings.max_batch_files,
        "max_batch_size_mb": settings.max_batch_size_mb,
        "rate_limit": settings.rate_limit,
        "request_timeout_seconds": settings.request_timeout_seconds,
        "confidence_threshold": settings.confidence_threshold,
    }


def _details(state: MeshState) -> DetailsInfo:
    return {
        "names": [*DETAILS],
        "state": state,
        "method": METHOD,
        "action_units": {
            code: {"name": method.name, "threshold": method.threshold, "experimental": method.experimental}
            for code, method in methods().items()
        },
    }


def _labels(names: list[str], settings: Settings) -> Labels:
    return {
        "success": True,
        "labels": names,
        "levels": {level["name"]: level["from"] for level in levels(settings.confidence_threshold)},
        "thresholds": {"confidence": settings.confidence_threshold, "detection": settings.detection_threshold},
        "limits": {
            "max_file_size_mb": settings.max_file_size_mb,
            "max_image_pixels": settings.max_image_pixels,
            "max_batch_files": settings.max_batch_files,
            "max_batch_size_mb": settings.max_batch_size_mb,
            "rate_limit": settings.rate_limit,
        },
    }


_EXAMPLE: Final[Info] = {
    "success": True,
    "service": "visage",
    "version": app.__version__,
    "notice": NOTICE,
    "default_model": "default",
    "models": [MODEL_EXAMPLE],
    "failures": {},
    "providers": ["cpu"],
    "workers": {"count": 2, "alive": 2, "face_detector": "blazeface+yunet"},
    "limits": _limits(Settings.model_construct()),
    "session_profiles": [],
    "labels": labels(MODEL_EXAMPLE["labels"]),
    "levels": levels(0.6),
    "details": _details("loaded"),
    "quality_thresholds": THRESHOLDS,
}


@router.get(
    "/info",
    operation_id="info",
    summary="What this service is and how it is set up",
    response_model=Info,
    responses=documented(_EXAMPLE, InvalidRequest, *ADMISSION),
    dependencies=[NoParameters],
)
async def info(service: TheService) -> Response:
    """Returns the version, the models with their figures, the limits of a request, the thresholds of the warnings, the
    execution providers in use, how labels and levels of confidence are shown, and the notice on use.
    """
    registry, settings, pool = service.registry, service.settings, service.pool
    result: Info = {
        "success": True,
        "service": "visage",
        "version": app.__version__,
        "notice": NOTICE,
        "default_model": registry.default_name,
        "models": model_infos(registry),
        "failures": registry.failures,
        "providers": [*registry.get().providers] if registry.ready else [],
        "workers": {"count": pool.size, "alive": pool.live, "face_detector": "blazeface+yunet"},
        "limits": _limits(settings),
        "session_profiles": [*settings.session_profiles],
        "labels": labels(_label_names(registry)),
        "levels": levels(settings.confidence_threshold),
        "details": _details(service.mesh.state),
        "quality_thresholds": THRESHOLDS,
    }
    return json_response(result)


@router.get(
    "/labels",
    operation_id="labels",
    summary="Labels, levels, thresholds and limits, in a few bytes",
    response_model=Labels,
    responses=documented(_labels(MODEL_EXAMPLE["labels"], Settings.model_construct()), InvalidRequest, *ADMISSION),
    dependencies=[NoParameters],
)
async def label_names(service: TheService) -> Response:
    """Returns what a client needs before its first picture: the names of the labels, the least confidence of each
    level, and the limits. `GET /info` has the rest, with colours and emoji.
    """
    return json_response(_labels(_label_names(service.registry), service.settings))


def _label_names(registry: Registry) -> list[str]:
    """The labels of all models, each once, those of the default model first."""
    return [*dict.fromkeys(label for model in registry.classifiers for label in model.manifest.labels)]
