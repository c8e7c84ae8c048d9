"""The routes, one module a resource. Probes are beside them, in the module of the service's life."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.routes import analyze, batch, compare, info, metrics, models, predict, stats, web

ROUTERS: tuple[APIRouter, ...] = (
    predict.router,
    batch.router,
    compare.router,
    analyze.router,
    models.router,
    info.router,
    stats.router,
    metrics.router,
    web.router,
)
"""Every router of the service, in the order of the documentation."""
