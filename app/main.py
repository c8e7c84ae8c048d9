"""The application: its layers, its routes and its lifespan, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.types import ASGIApp

from app import __version__
from app.api import notice, openapi
from app.api.dependencies import SERVICE
from app.api.middleware import layers
from app.api.routes import ROUTERS
from app.config import BadSettings, Settings, load_settings
from app.service import Factories, Service, build_service, running
from app.telemetry.tracing import make_tracer


class Application(FastAPI):
    """FastAPI with the service's own layers only."""

    def build_middleware_stack(self) -> ASGIApp:
        """The layers around the routes. Those that FastAPI adds respond to exceptions, which the outermost of ours does
        for every layer, and bound bodies, which another does."""
        stack: ASGIApp = AsyncExitStackMiddleware(self.router)
        for layer, arguments, options in reversed(self.user_middleware):
            stack = layer(stack, *arguments, **options)
        return stack


def create_app(settings: Settings | None = None, factories: Factories | None = None) -> FastAPI:
    """The service as an ASGI application. It starts, and stops, with its lifespan."""
    settings = load_settings() if settings is None else settings
    factories = Factories() if factories is None else factories
    tracer = make_tracer(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Service]]:
        service = build_service(settings, factories)
        app.state.service = service
        async with running(service, factories) as started:
            # A proxy that asks no probe would send requests, which get 503 until then.
            if not settings.drain_seconds:
                await asyncio.wait((started,))
            yield {SERVICE: service}
        tracer.close()

    app = Application(
        title="Visage",
        summary="Reads the apparent expression of a face in a photo.",
        description=notice.SUMMARY,
        version=__version__,
        lifespan=lifespan,
        middleware=layers(settings, tracer),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # A redirect would name the host that the client sent. A path with a slash more is another path.
        redirect_slashes=False,
        # Traces are the service's own; nothing else may note what a request holds, or send it anywhere.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    openapi.install(app)
    for router in ROUTERS:
        app.include_router(router)
    _set_prefix(app, settings.root_path)
    return app


def _set_prefix(app: FastAPI, prefix: str) -> None:
    """Lets paths come with this prefix or without. Raises BadSettings where a path would then have two meanings."""
    # A prefix of the server's would be put before both.
    app.root_path = prefix
    routes = [*app.routes, *(route for router in ROUTERS for route in router.routes)]
    paths = (getattr(route, "path", "") for route in routes)
    if prefix and any(path == prefix or path.startswith(f"{prefix}/") for path in paths):
        raise BadSettings(f"ROOT_PATH: {prefix} is a path of the service itself; take another one.")
