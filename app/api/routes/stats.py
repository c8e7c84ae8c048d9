"""``GET /stats``: totals since the start."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from app.api.dependencies import TheService
from app.api.openapi import ADMISSION, errors
from app.api.responses import json_response
from app.api.schemas import Answer
from app.errors import NotFound
from app.telemetry.totals import CONFIDENCE_BOUNDS, LATENCY_BOUNDS_MS, Distribution, ModelTotals

router = APIRouter(tags=["Operation"])


class Histogram(Answer):
    """Counts by bins: each value counts in the first bin whose bound it does not exceed, or in the last."""

    mean: float | None
    bounds: list[float]
    counts: list[int] = Field(description="One more than there are bounds: the last bin is open.")


class ModelStats(Answer):
    """What one model answered."""

    pictures: int
    faces: int
    labels: dict[str, int] = Field(description="Faces by their likeliest label.")
    uncertain: int
    uncertain_share: float | None
    confidence: Histogram
    latency_ms: Histogram = Field(description="Milliseconds a picture, the wait for a worker included.")


class Stats(Answer):
    """Totals of this process since its start. Aggregates only, nothing about anyone."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                "uptime_seconds": 3600.0,
                "requests": {"/predict": 2},
                "errors": {"no_face_detected": 1},
                "warnings": {"blurred": 1},
                "pictures": 1,
                "faces": 1,
                "models": {
                    "default": {
                        "pictures": 1,
                        "faces": 1,
                        "labels": {"happy": 1},
                        "uncertain": 0,
                        "uncertain_share": 0.0,
                        "confidence": {
                            "mean": 0.92,
                            "bounds": [*CONFIDENCE_BOUNDS],
                            "counts": [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
                        },
                        "latency_ms": {
                            "mean": 5.9,
                            "bounds": [*LATENCY_BOUNDS_MS],
                            "counts": [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                        },
                    }
                },
            }
        }
    )

    success: bool
    uptime_seconds: float
    requests: dict[str, int] = Field(description="Requests by route.")
    errors: dict[str, int] = Field(description="Errors of requests and of items of a batch, by code.")
    warnings: dict[str, int] = Field(description="Pictures with a warning on their quality, by code.")
    pictures: int = Field(description="Pictures that were answered.")
    faces: int = Field(description="Faces found in them.")
    models: dict[str, ModelStats]


@router.get(
    "/stats",
    operation_id="stats",
    summary="Totals since the start",
    response_model=Stats,
    responses=errors(NotFound, *ADMISSION),
)
async def stats(service: TheService) -> Response:
    """How many pictures were read and how, by model. Every process counts for itself, and forgets when it ends.

    With `STATS=false` this is `not_found`.
    """
    if not service.settings.stats:
        raise NotFound
    totals = service.totals
    return json_response(
        {
            "success": True,
            "uptime_seconds": round(service.uptime_seconds, 1),
            "requests": totals.requests,
            "errors": totals.errors,
            "warnings": totals.warnings,
            "pictures": totals.pictures,
            "faces": totals.faces,
            "models": {name: _model(model) for name, model in totals.models.items()},
        }
    )


def _model(model: ModelTotals) -> dict[str, Any]:
    return {
        "pictures": model.pictures,
        "faces": model.faces,
        "labels": model.labels,
        "uncertain": model.uncertain,
        "uncertain_share": round(model.uncertain / model.faces, 4) if model.faces else None,
        "confidence": _histogram(model.confidence, 4),
        "latency_ms": _histogram(model.latency_ms, 2),
    }


def _histogram(distribution: Distribution, digits: int) -> dict[str, Any]:
    mean = distribution.mean
    return {
        "mean": None if mean is None else round(mean, digits),
        "bounds": distribution.bounds,
        "counts": distribution.counts,
    }
