"""The probes: whether the process is alive, whether it should get requests, and how it is."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired

import orjson
from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from app.api.dependencies import TheService
from app.api.openapi import documented
from app.rate_limiter import Backend
from app.vision.mesh import MeshState

COLD_START_SECONDS = 60.0

Reason = Annotated[str | None, Field(description="Why it is not ok.")]

router = APIRouter(tags=["Operation"])


class Health(TypedDict):
    """How the service is."""

    status: Literal["ok", "starting", "unavailable"]
    reason: NotRequired[Reason]
    model_loaded: bool
    uptime_seconds: float
    details: Annotated[
        MeshState, Field(description="Whether details can be had; without them, the rest of the service is the same.")
    ]
    details_reason: NotRequired[Annotated[str | None, Field(description="Why details cannot be had.")]]
    is_cold_start: Annotated[bool, Field(description="True in the first minute, while caches are cold.")]
    rate_limit_storage: Annotated[Backend, Field(description="Where rate limits are counted at this moment.")]


class Probe(TypedDict):
    """The result of a probe."""

    status: Literal["ok", "unavailable"]
    reason: NotRequired[Reason]


_HEALTH: Final[Health] = {
    "status": "ok",
    "reason": None,
    "model_loaded": True,
    "uptime_seconds": 73.2,
    "details": "not_loaded",
    "details_reason": None,
    "is_cold_start": False,
    "rate_limit_storage": "memory",
}
_OK: Final[Probe] = {"status": "ok", "reason": None}
_DOWN: Final[dict[str, Any]] = {"description": "Not at this moment; `reason` says why."}


@router.get(
    "/health",
    operation_id="health",
    summary="How the service is",
    response_model=Health,
    responses={**documented(_HEALTH), 503: {"model": Health, **_DOWN}},
)
async def health(service: TheService) -> Response:
    """Responds with 503 until the service can serve."""
    reason, uptime, registry = service.unready_reason, service.uptime_seconds, service.registry_or_none
    result: Health = {
        "status": "ok" if reason is None else "starting" if service.starting else "unavailable",
        "reason": reason,
        "model_loaded": registry is not None and registry.ready,
        "uptime_seconds": round(uptime, 3),
        "details": service.mesh.state,
        "details_reason": service.mesh.failure,
        "is_cold_start": uptime < COLD_START_SECONDS,
        "rate_limit_storage": service.limiter.backend,
    }
    return _response(result)


@router.get(
    "/health/live",
    operation_id="live",
    summary="Whether the process should be left alone",
    response_model=Probe,
    responses={**documented(_OK), 503: {"model": Probe, **_DOWN}},
)
async def live(service: TheService) -> Response:
    """Responds with 503 when only a restart helps: more threads hang than can be replaced."""
    return _probe("So many workers hang that only a restart helps." if service.pool.stuck else None)


@router.get(
    "/health/ready",
    operation_id="ready",
    summary="Whether requests should be sent here",
    response_model=Probe,
    responses={**documented(_OK), 503: {"model": Probe, **_DOWN}},
)
async def ready(service: TheService) -> Response:
    """Responds with 503 while the service starts or stops, has no usable model or worker, or has a full queue."""
    return _probe(service.unready_reason)


def _probe(reason: str | None) -> Response:
    return _response({"status": "ok" if reason is None else "unavailable", "reason": reason})


def _response(result: Health | Probe) -> Response:
    return Response(orjson.dumps(result), 200 if result["status"] == "ok" else 503, media_type="application/json")
