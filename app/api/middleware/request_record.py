"""Around every request: its id, its line in the log and in the metrics, its security headers, and no way past them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.api.dependencies import LIMIT_HEADERS, is_page, route_path, service_of
from app.api.error_responses import CLIENT_LEFT, known_error, response_to
from app.api.routes import ROUTERS
from app.api.stream_messages import STREAM_PATH, refuse_stream
from app.service import Phase
from app.telemetry.logs import log_request
from app.telemetry.records import UNMATCHED, RequestRecord
from app.telemetry.tracing import Tracer

Headers = tuple[tuple[bytes, bytes], ...]

_SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")

_MOST_DISCARDED: Final = 1024 * 1024
"""Bytes of an unread body up to which a connection is kept. A client that has more to send is told to stop."""

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

_ENGINE: Final[Headers] = (
    *_EVERYWHERE,
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; frame-ancestors 'none'",
    ),
)
"""For the worker that reads pictures on the device: the one script that may run WebAssembly."""


_PATHS: Final = frozenset(
    route.path for router in ROUTERS for route in router.routes if isinstance(route, Route) and "{" not in route.path
)
"""The paths of routes without parameters."""


class Requests:
    """Begins and ends the record of each request, and responds to whatever escapes the layers within."""

    def __init__(self, app: ASGIApp, *, tracer: Tracer) -> None:
        self.app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await (self._stream if scope["type"] == "websocket" else self.app)(scope, receive, send)
            return
        service = service_of(scope)
        record = RequestRecord.begin(scope, _request_id(scope))
        status = CLIENT_LEFT
        ended = False
        close = _too_much_to_discard(scope)

        async def receive_noted() -> Message:
            nonlocal close, ended
            # A body that is not read to its end, once it is begun, may be one that never ends.
            close = not ended
            message = await receive()
            ended = ended or not message.get("more_body", False)
            close = not ended
            return message

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # During the drain, a connection that is kept would delay the end.
                ends = close or service.phase is Phase.DRAINING
                message["headers"] = _completed(scope, message, record.request_id, close=ends)
            await send(message)

        try:
            service.metrics.request_started()
            app = _to_the_page(scope) or self.app
            await app(scope, receive_noted, send_noted)
        except Exception as exception:
            response = response_to(scope, exception)
            # Half a response may be out: then the server breaks the connection, which says that no more will come.
            if status == CLIENT_LEFT:
                await response(scope, receive_noted, send_noted)
            # It leads to what was on the way, such as the picture, which may lead back to it.
            exception.__traceback__ = None
        finally:
            record.finish(_route_of(scope), status)
            for note in (service.metrics.request_finished, self._tracer.request_finished, log_request):
                _call(note, record)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The same for a WebSocket, whose record ends with the stream."""
        service = service_of(scope)
        record = RequestRecord.begin(scope, _request_id(scope))
        accepted = False

        async def send_noted(message: Message) -> None:
            nonlocal accepted
            if message["type"] != "websocket.accept":
                await send(message)
                return
            try:
                await send({**message, "headers": [(b"x-request-id", record.request_id.encode())]})
            except OSError:
                # The client has left meanwhile.
                raise WebSocketDisconnect from None
            accepted = True
            service.metrics.stream_opening(HTTPStatus.SWITCHING_PROTOCOLS)

        status = int(HTTPStatus.SWITCHING_PROTOCOLS)
        try:
            await self.app(scope, receive, send_noted)
        except WebSocketDisconnect:
            status = CLIENT_LEFT
            service.metrics.stream_opening(status)
        except Exception as exception:
            error = known_error(exception, record.request_id)
            record.error, status = error.code, error.status
            service.metrics.error(error.code)
            if not accepted:
                service.metrics.stream_opening(status)
            await refuse_stream(error, record.request_id, scope, receive, send, accepted=accepted)
        finally:
            record.finish(STREAM_PATH, status)
            for note in (self._tracer.request_finished, log_request):
                _call(note, record)


def _completed(scope: Scope, message: Message, request_id: str, *, close: bool) -> list[tuple[bytes, bytes]]:
    """The headers of a response with those that every response has."""
    headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
    headers += _security_headers(route_path(scope))
    headers += scope["state"].get(LIMIT_HEADERS, ())
    if close:
        headers.append((b"connection", b"close"))
    return headers


def _security_headers(path: str) -> Headers:
    """Headers that keep a browser from doing more with a response than it is meant for; ``path`` is without prefix."""
    if path.startswith("/web/edge/"):
        return _ENGINE
    return _PAGE if is_page(path) else _DATA


def _route_of(scope: Scope) -> str:
    """The route of a request, or the one that its path has where it was refused before it reached one."""
    if (route := getattr(scope.get("route"), "path", None)) is not None:
        return str(route)
    path = route_path(scope)
    return path if path in _PATHS else UNMATCHED


def _call(note: Callable[[RequestRecord], None], record: RequestRecord) -> None:
    """What telemetry does with a request that is over. If one part fails, the others still get it."""
    try:
        note(record)
    except Exception as exception:
        known_error(exception, record.request_id)


def _to_the_page(scope: Scope) -> Response | None:
    """A redirect from the prefix to the page below it. It names no host, which only a proxy would know."""
    prefix = scope.get("root_path", "")
    if not prefix or scope["path"] != prefix:
        return None
    query = scope["query_string"].decode("latin-1")
    return RedirectResponse(f"{prefix}/?{query}" if query else f"{prefix}/")


def _request_id(scope: Scope) -> str:
    """The id that the client sent, if it is harmless in a log and a header; else one of our own."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            sent: str = value.decode("ascii")
            return sent
    return secrets.token_hex(16)


def _too_much_to_discard(scope: Scope) -> bool:
    """Whether a response that leaves the body unread ends the connection. The server discards the rest of others."""
    for name, value in scope["headers"]:
        # A client that waits for "100 Continue" may send its body after a refusal, or not.
        if name in {b"transfer-encoding", b"expect"}:
            return True
        # Python reads no number of thousands of digits, be they zeros.
        if name == b"content-length" and (not value.isdigit() or len(value) > 19 or int(value) > _MOST_DISCARDED):
            return True
    return False
