"""What a request passes before it reaches its endpoint, as pure ASGI; the outermost layer stands first."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.middleware.admission import Admission
from app.api.middleware.body_limits import BodyLimits
from app.api.middleware.request_record import Requests
from app.config import Settings
from app.errors import InvalidRequest
from app.telemetry.tracing import Tracer

logger = logging.getLogger("visage.cors")

_CORS_EXPOSED = (
    "Link",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-ID",
)
_CORS_ACCEPTED = ("Authorization", "X-API-Key", "X-Request-ID", "traceparent", "tracestate")


def layers(settings: Settings, tracer: Tracer) -> list[Middleware]:
    """The middleware of the service, in order."""
    cors: dict[str, Any] = {
        "allow_origins": settings.cors_origins,
        "allow_methods": ("GET", "POST"),
        "allow_headers": _CORS_ACCEPTED,
        "expose_headers": _CORS_EXPOSED,
        # Without credentials, so that `*` is harmless.
        "allow_credentials": False,
    }
    stack = [
        Middleware(Requests, tracer=tracer),
        Middleware(Preflight, **cors),
        Middleware(Admission, settings=settings),
        Middleware(BodyLimits, settings=settings),
    ]
    if settings.cors_origins:
        # Outermost, so that a page can read every error.
        stack.insert(0, Middleware(CorsHeaders, **cors))
    return stack


class CorsHeaders(CORSMiddleware):
    """Adds the headers of CORS to every response."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.simple_response(scope, receive, send, request_headers=Headers(scope=scope))
        else:
            await self.app(scope, receive, send)


class Preflight(CORSMiddleware):
    """Responds to the preflights of browsers. A refusal is an error like others, and is logged."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") == "OPTIONS":
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code != HTTPStatus.OK:
            refused = bytes(response.body).decode().removeprefix("Disallowed CORS ")
            # Without their values, as every line of the log.
            logger.info("A preflight was refused: CORS does not allow its %s. Is it in CORS_ORIGINS?", refused)
            raise InvalidRequest(
                f"A page may not send this request from its origin: CORS does not allow the {refused}."
            )
        return response

    async def simple_response(self, scope: Scope, receive: Receive, send: Send, request_headers: Headers) -> None:  # noqa: ARG002
        await self.app(scope, receive, send)
