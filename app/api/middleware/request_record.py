"""Around every request: its id, its line in the log and in the metrics, its security headers, and no way past them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.dependencies import LIMIT_HEADERS, route_path, service_of
from app.api.error_responses import CLIENT_LEFT, response_to
from app.api.middleware.security_headers import headers_for
from app.service import Phase, Service
from app.telemetry.logs import log_request
from app.telemetry.records import RequestRecord
from app.telemetry.tracing import Tracer

_SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


class Requests:
    """Begins and ends the record of each request, and answers whatever escapes the layers within."""

    def __init__(self, app: ASGIApp, *, tracer: Tracer) -> None:
        self.app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        service = service_of(scope)
        record = begin(scope)
        status = CLIENT_LEFT
        started = False
        unread = _has_body(scope)

        async def receive_noted() -> Message:
            nonlocal unread
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                unread = False
            return message

        async def send_noted(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status = message["status"]
                started = True
                # What is left of the body would be read for nothing; a connection that is kept delays the end.
                close = unread or service.phase is Phase.DRAINING
                message["headers"] = [*message.get("headers", ()), *headers_of(scope, record, close=close)]
            await send(message)

        service.metrics.request_started()
        try:
            await self.app(scope, receive_noted, send_noted)
        except Exception as exception:
            response = response_to(scope, exception)
            # Half an answer may be out: then the server breaks the connection, which says that no more will come.
            if not started:
                await response(scope, receive_noted, send_noted)
        finally:
            record.finish(scope, status)
            tell(record, service, self._tracer)


def begin(scope: Scope) -> RequestRecord:
    """The record of a request that begins."""
    return RequestRecord.begin(scope, _request_id(scope))


def headers_of(scope: Scope, record: RequestRecord, *, close: bool) -> Iterator[tuple[bytes, bytes]]:
    """The headers that every answer has beside its own."""
    yield b"x-request-id", record.request_id.encode()
    yield from headers_for(route_path(scope))
    yield from scope["state"].get(LIMIT_HEADERS, ())
    if close:
        yield b"connection", b"close"


def tell(record: RequestRecord, service: Service, tracer: Tracer) -> None:
    """Counts a request that is over, traces it and writes its line."""
    service.metrics.request_finished(record)
    tracer.request_finished(record)
    log_request(record)


def _request_id(scope: Scope) -> str:
    """The id that the client sent, if it is harmless in a log and a header; else one of our own."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            sent: str = value.decode("ascii")
            return sent
    return secrets.token_hex(16)


def _has_body(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return True
    return False
