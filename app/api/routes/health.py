"""The probes: whether the process lives, whether it should get requests, and how it is."""

from __future__ import annotations

from typing import Any, Literal

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.dependencies import TheService

COLD_START_SECONDS = 60.0

router = APIRouter(tags=["Operation"])


class Health(BaseModel):
    """How the service is."""

    status: Literal["ok", "starting", "unavailable"]
    reason: str | None = Field(None, description="Why it is not ok.")
    model_loaded: bool
    uptime_seconds: float
    is_cold_start: bool = Field(description="True in the first minute, while caches are cold.")
    rate_limit_storage: str = Field(description="Where rate limits are counted at this moment.")

    model_config = {
        "protected_namespaces": (),
        "json_schema_extra": {
            "example": {
                "status": "ok",
                "reason": None,
                "model_loaded": True,
                "uptime_seconds": 73.2,
                "is_cold_start": False,
                "rate_limit_storage": "memory",
            }
        },
    }


class Probe(BaseModel):
    """What a prober wants to know."""

    status: Literal["ok", "unavailable"]
    reason: str | None = Field(None, description="Why it is not ok.")

    model_config = {"json_schema_extra": {"example": {"status": "ok", "reason": None}}}


_UNAVAILABLE: dict[int | str, dict[str, Any]] = {
    503: {
        "model": Probe,
        "description": "Not at this moment; `reason` says why.",
        "content": {"application/json": {"example": {"status": "unavailable", "reason": "The service is starting."}}},
    }
}


@router.get(
    "/health",
    operation_id="health",
    summary="How the service is",
    response_model=Health,
    responses={503: {"model": Health, "description": "It cannot serve yet, or any more; `reason` says why."}},
)
async def health(service: TheService) -> Response:
    """Answers 503 until the service can serve."""
    reason = service.unready_reason
    status: Literal["ok", "starting", "unavailable"] = "ok"
    if reason is not None:
        status = "starting" if service.starting else "unavailable"
    uptime = service.uptime_seconds
    return _answer(
        reason is None,
        {
            "status": status,
            "reason": reason,
            "model_loaded": service.model_loaded,
            "uptime_seconds": round(uptime, 3),
            "is_cold_start": uptime < COLD_START_SECONDS,
            "rate_limit_storage": service.limiter.backend,
        },
    )


@router.get(
    "/health/live",
    operation_id="live",
    summary="Whether the process should be left alone",
    response_model=Probe,
    responses=_UNAVAILABLE,
)
async def live(service: TheService) -> Response:
    """Answers 503 only when nothing but a restart helps: more threads have hung than can be replaced."""
    return _probe("So many workers hang that only a restart helps." if service.pool.stuck else None)


@router.get(
    "/health/ready",
    operation_id="ready",
    summary="Whether requests should be sent here",
    response_model=Probe,
    responses=_UNAVAILABLE,
)
async def ready(service: TheService) -> Response:
    """Answers 503 while the service starts, stops, has no working model or worker, or has had a full queue for long."""
    return _probe(service.unready_reason)


def _probe(reason: str | None) -> Response:
    return _answer(reason is None, {"status": "ok" if reason is None else "unavailable", "reason": reason})


def _answer(fine: bool, fields: dict[str, Any]) -> Response:
    return Response(orjson.dumps(fields), 200 if fine else 503, media_type="application/json")
