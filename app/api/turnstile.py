"""What a request for which there is no room is told before anything is set up for it.

The rules and the words are those of the layers that other requests pass.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

import httptools
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.api.dependencies import SERVICE
from app.api.error_responses import answer_to
from app.api.middleware.admission import READING, Rules
from app.api.middleware.cors import Cors
from app.api.middleware.prefix import put_prefix
from app.api.middleware.request_record import begin, headers_of, tell
from app.config import Settings
from app.errors import VisageError
from app.service import Phase, Service
from app.telemetry.tracing import Tracer

TURNSTILE: Final = "turnstile"
"""Where the state of the lifespan holds it."""

RawHeaders = list[tuple[bytes, bytes]]


class Turnstile:
    """Says whether there is room, which requests need some, and what those are answered for which there is none."""

    def __init__(self, service: Service, rules: Rules, tracer: Tracer, settings: Settings) -> None:
        self._service = service
        self._rules = rules
        self._tracer = tracer
        self._prefix = settings.root_path
        self._cors = Cors(_nothing, origins=settings.cors_origins) if settings.cors_origins else None
        paths = {path.encode(): path for path in READING}
        self._paths = paths | {self._prefix.encode() + raw: self._prefix + path for raw, path in paths.items()}

    @property
    def room(self) -> int:
        """How many requests may be let in now."""
        return 0 if self._service.phase is Phase.DRAINING else self._service.pool.room

    def scope_of(self, head: bytes, client: tuple[str, int]) -> Scope | None:
        """The scope of a request that needs room, from its headers and the blank line behind them.

        None for all others, and where the layers must decide: they wait for Redis, and complain of what is no request.
        """
        if self._service.limiter.backend == "redis":
            return None
        request = _Head()
        parser = httptools.HttpRequestParser(request)
        try:
            parser.feed_data(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        path = self._paths.get(request.url.partition(b"?")[0])
        if path is None or parser.get_method() != b"POST":
            return None
        scope = {"type": "http", "method": "POST", "path": path, "headers": request.headers}
        return {**scope, "client": client, "state": {SERVICE: self._service}}

    def refusal(self, scope: Scope, headers: RawHeaders) -> bytes:
        """The whole answer, with these headers first, after which the connection is closed."""
        service = self._service
        if self._prefix:
            put_prefix(scope, self._prefix)
        record = begin(scope)
        answer = answer_to(scope, self._reason(scope))
        lines = self._headers(scope, [*headers, *answer.raw_headers, *headers_of(scope, record, close=True)])
        service.metrics.request_started()
        record.finish(scope, answer.status)
        tell(record, service, self._tracer)
        return STATUS_LINE[answer.status] + b"".join(b"%b: %b\r\n" % line for line in lines) + b"\r\n" + answer.body

    def _reason(self, scope: Scope) -> VisageError:
        try:
            _at_once(self._rules.admit(scope, full=True))
        except VisageError as error:
            return error
        raise RuntimeError("a request that needs room was let in without")

    def _headers(self, scope: Scope, headers: RawHeaders) -> RawHeaders:
        if self._cors is None:
            return headers
        message: Message = {"type": "http.response.start", "headers": headers}
        _at_once(self._cors.send(message, _send_nothing, Headers(scope=scope)))
        completed: RawHeaders = message["headers"]
        return completed


class _Head:
    """What the parser reads of a request."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: RawHeaders = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))


def _at_once(coroutine: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("a refusal would have to wait")


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """What is behind the turnstile, as far as its own layers know."""


async def _send_nothing(message: Message) -> None:
    """Nothing is sent from here."""
