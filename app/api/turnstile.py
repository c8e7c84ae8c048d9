"""Turns away, before anything is set up for it, a request for which there is no room.

Under ten times the load nine of ten requests end here, and each takes its time from those that are served. The rules
and the words are those of the layers that other requests pass.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from app.api.errors import answer_to
from app.api.middleware.admission import READING, Rules
from app.api.middleware.cors import Cors
from app.api.middleware.prefix import put_prefix
from app.api.middleware.request import begin, headers_of, tell
from app.config import Settings
from app.errors import VisageError
from app.observe.tracing import Tracer
from app.state import Phase, Service

RawHeaders = list[tuple[bytes, bytes]]

TURNSTILE: Final = "turnstile"
"""Where the state of the lifespan holds it."""


class Turnstile:
    """Asked by each connection for each request, before the request becomes a task."""

    def __init__(self, service: Service, rules: Rules, tracer: Tracer, settings: Settings) -> None:
        self._service = service
        self._rules = rules
        self._tracer = tracer
        self._prefix = settings.root_path
        self._cors = Cors(_nothing, origins=settings.cors_origins) if settings.cors_origins else None
        paths = {path.encode(): path for path in READING}
        self._paths = paths | {self._prefix.encode() + raw: self._prefix + path for raw, path in paths.items()}

    def turn_away(self, scope: Scope, url: bytes) -> tuple[int, RawHeaders, bytes] | None:
        """The status, headers and body of a refusal that closes the connection; None for whatever may be let in.

        ``scope`` has its method and headers. Its path is set where the answer is not None.
        """
        service = self._service
        if service.phase is not Phase.DRAINING and service.pool.has_room():
            return None
        path = self._paths.get(url.partition(b"?")[0])
        if path is None or scope["method"] != "POST" or service.limiter.backend == "redis":
            return None
        scope["path"] = path
        if self._prefix:
            put_prefix(scope, self._prefix)
        record = begin(scope)
        try:
            _at_once(self._rules.admit(scope))
        except VisageError as error:
            answer = answer_to(scope, error)
        else:
            # A worker came free in between.
            return None
        headers = self._headers(scope, [*answer.raw_headers, *headers_of(scope, record, close=True)])
        service.metrics.request_started()
        record.finish(scope, answer.status)
        tell(record, service, self._tracer)
        return answer.status, headers, answer.body

    def _headers(self, scope: Scope, headers: RawHeaders) -> RawHeaders:
        if self._cors is None:
            return headers
        message: Message = {"type": "http.response.start", "headers": headers}
        _at_once(self._cors.send(message, _send_nothing, Headers(scope=scope)))
        completed: RawHeaders = message["headers"]
        return completed


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
