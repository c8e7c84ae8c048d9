"""``GET /info``: what this service is and how it is set up."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

import app
from app.api.dependencies import TheService
from app.api.model_info import MODEL_EXAMPLE, ModelFacts, facts_of
from app.api.notice import NOTICE
from app.api.openapi import ADMISSION, errors
from app.api.responses import json_response
from app.api.schemas import Answer
from app.config import Settings
from app.vision.quality import THRESHOLDS

router = APIRouter(tags=["Operation"])

FORMATS = ("jpeg", "png", "webp", "bmp")


class Limits(Answer):
    """What a request may hold."""

    formats: list[str]
    max_file_size_mb: float
    max_image_pixels: int
    max_faces: int
    max_batch_files: int
    max_batch_size_mb: float
    rate_limit: str = Field(description="Requests a client, or `off`.")
    request_timeout_seconds: float
    confidence_threshold: float = Field(description="Confidence below which a reading is uncertain.")


class Threshold(Answer):
    value: float = Field(description="The value at which the warning is given.")
    meaning: str


class Workers(Answer):
    count: int
    alive: int
    face_detector: str


class Info(Answer):
    """What this service is and how it is set up."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                "service": "visage",
                "version": app.__version__,
                "notice": NOTICE,
                "default_model": "default",
                "models": [MODEL_EXAMPLE],
                "failures": {},
                "providers": ["cpu"],
                "workers": {"count": 2, "alive": 2, "face_detector": "mediapipe"},
                "limits": {
                    "formats": list(FORMATS),
                    "max_file_size_mb": 5,
                    "max_image_pixels": 50_000_000,
                    "max_faces": 50,
                    "max_batch_files": 32,
                    "max_batch_size_mb": 64,
                    "rate_limit": "600/minute",
                    "request_timeout_seconds": 30,
                    "confidence_threshold": 0.6,
                },
                "quality_thresholds": {"blurred": {"value": 20.0, "meaning": "…"}},
            }
        }
    )

    success: bool
    service: str
    version: str
    notice: str = Field(description="What every user of the service has to know.")
    default_model: str
    models: list[ModelFacts]
    failures: dict[str, str] = Field(description="What is wrong with each model that is not served, in one sentence.")
    providers: list[str] = Field(description="Execution providers that the default model really uses.")
    workers: Workers
    limits: Limits
    quality_thresholds: dict[str, Threshold] = Field(description="When each warning is given.")


@router.get(
    "/info",
    operation_id="info",
    summary="What this service is and how it is set up",
    response_model=Info,
    responses=errors(*ADMISSION),
)
async def info(service: TheService) -> Response:
    """The version, the models with their figures, the limits of a request, the thresholds of the warnings, the
    execution providers really in use, and the notice on use.
    """
    registry, settings, pool = service.registry, service.settings, service.pool
    return json_response(
        {
            "success": True,
            "service": "visage",
            "version": app.__version__,
            "notice": NOTICE,
            "default_model": registry.default_name,
            "models": facts_of(registry),
            "failures": registry.failures,
            "providers": registry.get().providers if registry.ready else [],
            "workers": {"count": pool.size, "alive": pool.live, "face_detector": settings.face_detector},
            "limits": _limits(settings),
            "quality_thresholds": THRESHOLDS,
        }
    )


def _limits(settings: Settings) -> dict[str, Any]:
    names = Limits.model_fields.keys() - {"formats"}
    return {"formats": FORMATS, **settings.model_dump(include=set(names))}
