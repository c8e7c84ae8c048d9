"""What a request passes before it reaches its endpoint, as pure ASGI; the outermost layer stands first."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from app.api.middleware.admission import Admission
from app.api.middleware.body import BodyLimits
from app.api.middleware.prefix import Prefix
from app.api.middleware.request import Requests
from app.config import Settings
from app.observe.tracing import Tracer

_EXPOSED = ("X-Request-ID", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_ACCEPTED = ("Authorization", "X-API-Key", "X-Request-ID", "traceparent", "tracestate")


def layers(settings: Settings, tracer: Tracer) -> list[Middleware]:
    """The middleware of the service, in order."""
    stack = [
        Middleware(Requests, tracer=tracer),
        Middleware(Admission, settings=settings),
        Middleware(BodyLimits, settings=settings),
    ]
    if settings.root_path:
        # Before the admission, which knows routes by their paths.
        stack.insert(1, Middleware(Prefix, prefix=settings.root_path))
    if settings.cors_origins:
        # Outermost, so that a page can read every error; without credentials, so that `*` is harmless.
        cors = Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=_ACCEPTED,
            expose_headers=_EXPOSED,
            allow_credentials=False,
        )
        stack.insert(0, cors)
    return stack
