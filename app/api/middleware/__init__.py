"""What a request passes before it reaches its endpoint, as pure ASGI; the outermost layer stands first."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from app.api.middleware.admission import Admission
from app.api.middleware.body_limits import BodyLimits
from app.api.middleware.request_record import Requests
from app.config import Settings
from app.telemetry.tracing import Tracer

_CORS_EXPOSED = ("X-Request-ID", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_CORS_ACCEPTED = ("Authorization", "X-API-Key", "X-Request-ID", "traceparent", "tracestate")


def layers(settings: Settings, tracer: Tracer) -> list[Middleware]:
    """The middleware of the service, in order."""
    stack = [
        Middleware(Requests, tracer=tracer),
        Middleware(Admission, settings=settings),
        Middleware(BodyLimits, settings=settings),
    ]
    if settings.cors_origins:
        # Outermost, so that a page can read every error; without credentials, so that `*` is harmless.
        cors = Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=_CORS_ACCEPTED,
            expose_headers=_CORS_EXPOSED,
            allow_credentials=False,
        )
        stack.insert(0, cors)
    return stack
