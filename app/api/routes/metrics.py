"""``GET /metrics``: the series that Prometheus scrapes."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.api.dependencies import TheService
from app.api.openapi import errors
from app.errors import InternalError
from app.inference.registry import Registry
from app.service import Service
from app.telemetry.metrics import CONTENT_TYPE, ModelFacts, Snapshot

router = APIRouter(tags=["Operation"])


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "All series in Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": "visage_ready 1.0\n"}},
        },
        **errors(InternalError),
    },
)
async def metrics(service: TheService) -> Response:
    """Requests, stages, predictions, load and resources. Nothing in them tells who was seen."""
    return Response(service.metrics.exposition(_snapshot(service)), media_type=CONTENT_TYPE)


def _snapshot(service: Service) -> Snapshot:
    pool = service.pool
    return Snapshot(
        ready=service.ready,
        queue_depth=pool.waiting,
        workers=pool.live,
        workers_busy=pool.busy,
        worker_restarts=pool.restarts,
        shared_state_up=service.limiter.shared_up,
        models=_facts(service.loaded) if service.loaded is not None else (),
    )


def _facts(registry: Registry) -> tuple[ModelFacts, ...]:
    models = [registry.get(name) for name in registry.names]
    return tuple(
        ModelFacts(
            model.manifest.name,
            model.manifest.version,
            model.manifest.architecture,
            model.manifest.name == registry.default_name,
            model.providers,
        )
        for model in models
    )
