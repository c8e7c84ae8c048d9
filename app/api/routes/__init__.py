"""The routes, one module a resource."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.routes import (
    analyze,
    batch,
    health,
    info,
    metrics,
    models,
    multimodal,
    predict,
    session,
    stream,
    web,
)

ROUTERS: tuple[APIRouter, ...] = (
    predict.router,
    batch.router,
    analyze.router,
    session.router,
    multimodal.router,
    stream.router,
    models.router,
    info.router,
    metrics.router,
    health.router,
    web.router,
)
"""Every router of the service, in the order of the documentation."""
