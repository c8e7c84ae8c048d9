"""``GET /info``: what this service is and how it is set up."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Response
from pydantic import Field
from typing_extensions import TypedDict

import app
from app.api.dependencies import TheService
from app.api.openapi import ADMISSION, NOTICE, documented
from app.api.results import json_response
from app.api.routes.models import MODEL_EXAMPLE, Failures, ModelInfo, model_infos
from app.config import Settings
from app.vision.headers import READABLE, PictureFormat
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
    face_detector: str


class Info(TypedDict):
    """What this service is and how it is set up."""

    success: Literal[True]
    service: str
    version: str
    notice: Annotated[str, Field(description="What every user of the service has to know.")]
    default_model: str
    models: list[ModelInfo]
    failures: Failures
    providers: Annotated[list[str], Field(description="Execution providers that the default model uses.")]
    workers: Workers
    limits: RequestLimits
    quality_thresholds: Annotated[dict[WarningCode, WarningThreshold], Field(description="When each warning is given.")]


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


_EXAMPLE: Final[Info] = {
    "success": True,
    "service": "visage",
    "version": app.__version__,
    "notice": NOTICE,
    "default_model": "default",
    "models": [MODEL_EXAMPLE],
    "failures": {},
    "providers": ["cpu"],
    "workers": {"count": 2, "alive": 2, "face_detector": "mediapipe"},
    "limits": _limits(Settings.model_construct()),
    "quality_thresholds": THRESHOLDS,
}


@router.get(
    "/info",
    operation_id="info",
    summary="What this service is and how it is set up",
    response_model=Info,
    responses=documented(_EXAMPLE, *ADMISSION),
)
async def info(service: TheService) -> Response:
    """Returns the version, the models with their figures, the limits of a request, the thresholds of the warnings, the
    execution providers in use, and the notice on use.
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
        "workers": {"count": pool.size, "alive": pool.live, "face_detector": settings.face_detector},
        "limits": _limits(settings),
        "quality_thresholds": THRESHOLDS,
    }
    return json_response(result)
