"""What a request passes before it reaches its endpoint, as pure ASGI; the outermost layer stands first."""

from __future__ import annotations

from starlette.middleware import Middleware

from app.api.middleware.admission import Admission, Rules
from app.api.middleware.body_limits import BodyLimits
from app.api.middleware.cors import Cors
from app.api.middleware.prefix import Prefix
from app.api.middleware.request_record import Requests
from app.config import Settings
from app.telemetry.tracing import Tracer


def layers(settings: Settings, tracer: Tracer, rules: Rules) -> list[Middleware]:
    """The middleware of the service, in order."""
    stack = [
        Middleware(Requests, tracer=tracer),
        Middleware(Admission, rules=rules),
        Middleware(BodyLimits, settings=settings),
    ]
    if settings.root_path:
        # Before the admission, which knows routes by their paths.
        stack.insert(1, Middleware(Prefix, prefix=settings.root_path))
    if settings.cors_origins:
        # Outermost, so that a page can read every error.
        stack.insert(0, Middleware(Cors, origins=settings.cors_origins))
    return stack
