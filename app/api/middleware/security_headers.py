"""Headers that keep a browser from doing more with an answer than it is meant for."""

from __future__ import annotations

from typing import Final

Headers = tuple[tuple[bytes, bytes], ...]

_EVERYWHERE: Final[Headers] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
)

_DATA: Final[Headers] = (
    *_EVERYWHERE,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""For JSON, CSV and metrics: nothing in it may run, and nothing about a picture is kept by a cache."""

_PAGE: Final[Headers] = (
    *_EVERYWHERE,
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        b"connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
        b"form-action 'none'; frame-ancestors 'none'",
    ),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
)
"""For the built-in page: its own files, and the pictures that a person picked."""


def headers_for(path: str) -> Headers:
    """The headers of an answer at a path below the service's prefix."""
    if path in {"/", "/favicon.ico", "/docs", "/openapi.json"} or path.startswith(("/web/", "/docs/", "/samples/")):
        return _PAGE
    return _DATA
