"""What pages of other origins may ask and read."""

from __future__ import annotations

from collections.abc import Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_EXPOSED = ("X-Request-ID", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_ACCEPTED = ("Authorization", "X-API-Key", "X-Request-ID", "traceparent", "tracestate")


class Cors(CORSMiddleware):
    """Starlette's middleware with what this service allows; without credentials, so that `*` is harmless."""

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=_ACCEPTED,
            expose_headers=_EXPOSED,
            allow_credentials=False,
        )
