"""HTTP/1.1 on one connection: uvicorn's protocol with deadlines, bounded headers, and no response lost to a reset."""

from __future__ import annotations

import asyncio
import functools
import itertools
from array import array
from collections.abc import Callable
from typing import Any, Final, cast

import httptools
from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.api.dependencies import route_path
from app.api.middleware.admission import PROBES
from app.errors import HeadersTooLarge, MalformedRequest, Overloaded, VisageError
from app.memory_budget import process_memory
from app.server.limits import ProtocolLimits
from app.server.refusal import refusal
from app.server.websocket import WaitingConnection, WebSocketProtocol

_CONTINUE = b"HTTP/1.1 100 "
_STARTS: Final = 8
"""Requests that are started in one pass of the event loop. Each takes a millisecond of it at most."""


class Flow(FlowControl):
    """Does not read on while requests wait, whatever the one that is processed asks for."""

    held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class Unread:
    """The connections whose clients do not read; the one that has waited longest is the first."""

    def __init__(self) -> None:
        self.sizes: dict[Protocol, int] = {}
        self._memory = process_memory().held()

    def add(self, connection: Protocol, size: int, most: int) -> None:
        """Counts what waits for a client. The first ones make room where that is too much."""
        self.sizes[connection] = size
        self._memory.keep(size)
        while len(self.sizes) > 1 and (len(self.sizes) > most or self._too_large()):
            next(iter(self.sizes))._give_up()

    def remove(self, connection: Protocol) -> None:
        self._memory.give_back(self.sizes.pop(connection, 0))

    def _too_large(self) -> bool:
        """Whether what waits leaves too little memory to other requests."""
        budget = process_memory()
        return budget.exceeded or self._memory.size > budget.most_held // 2


class Starts:
    """Starts a few requests in each pass of the event loop, which so gets back to its sockets soon: a probe does not
    wait for a burst of other requests."""

    def __init__(self) -> None:
        self._waiting: dict[Protocol, Callable[[], None]] = {}
        self._left = _STARTS

    def add(self, connection: Protocol, start: Callable[[], None]) -> None:
        if self._left == _STARTS:
            connection.loop.call_soon(self._next_pass, connection.loop)
        if self._left:
            self._left -= 1
            start()
        else:
            self._waiting[connection] = start

    def remove(self, connection: Protocol) -> None:
        self._waiting.pop(connection, None)

    def _next_pass(self, loop: asyncio.AbstractEventLoop) -> None:
        first = list(itertools.islice(self._waiting, _STARTS))
        self._left = _STARTS - len(first)
        if first:
            loop.call_soon(self._next_pass, loop)
        for connection in first:
            self._waiting.pop(connection)()


class Parser(httptools.HttpRequestParser):
    """Reads on where a request offers another protocol than HTTP/1.1. httptools would skip its body."""

    def __init__(self, protocol: Protocol) -> None:
        super().__init__(protocol)
        self._protocol = protocol
        self.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed_data(self, data: bytes | bytearray | memoryview | array[int]) -> None:
        rest = memoryview(data)
        while True:
            try:
                return httptools.HttpRequestParser.feed_data(self._protocol.parser, rest)
            except httptools.HttpParserUpgrade as offer:
                if not self._protocol.repeat_head():
                    raise
                rest = rest[offer.args[0] :]


class Protocol(HttpToolsProtocol):
    """One connection. A request's headers must be complete by a deadline that starts with the connection, and again
    with the first byte after a response.

    Closing a socket with unread data resets the connection, and the reset may overtake the response. So what is left
    of a body after its response is read and discarded, within bounds. Then the connection is kept or closed.

    Where there are too many connections, the one that has waited longest for its client makes room for a newcomer:
    it is idle, or its request is not complete, or its response is not read. A request that is processed is never
    given up.
    """

    limits: ProtocolLimits
    flow: Flow
    waiting: dict[WaitingConnection, None]
    """The connections that wait for their clients to send; the one that has waited longest is the first."""
    unread: Unread
    starts: Starts

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = Parser(self)
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._discard_timer: asyncio.TimerHandle | None = None
        self._eof_timer: asyncio.TimerHandle | None = None
        self._in_headers = False
        self._in_body = False
        self._invalid = False
        self._closing = False
        self._upgraded = False
        self._ignored_offer = False
        self._repeating = False
        self._header_size = 0
        self._framing = 0
        self._waiting_bytes = 0
        self._discarded = 0
        self._error: VisageError | None = None
        self._unsent: list[bytes | memoryview] = []
        self._flush_timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """No request is being processed."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport)
        if len(self.connections) > self.limits.connections and not self._make_room():
            self.transport.write(refusal(Overloaded()))
            self.transport.close()
        else:
            self._wait()
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.pop(self, None)
        self.unread.remove(self)
        self.starts.remove(self)
        self._cancel_timers()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._invalid or self.is_closing():
            self._count_discarded(len(data))
            return
        before = self._header_size if self._in_headers else None
        self._framing += len(data)
        super().data_received(data)
        if self._upgraded:
            return
        if self._in_body and not self._invalid and self._framing > self.limits.header_bytes:
            # The size of a chunk, or a trailer, that does not end. The parser holds a part of it.
            self._refuse(HeadersTooLarge())
            return
        if self._in_body and not self.idle and len(self.cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        if self._in_headers:
            if self._header_timer is None:
                self._await_headers()
            # A line that is still incomplete is held by the parser, and only here is it known to grow.
            held = len(data) - data.rfind(b"\n") - 1 if before is None else before + len(data)
            self._header_size = max(self._header_size, held)
            if self._header_size > self.limits.header_bytes:
                self._refuse(HeadersTooLarge())
        elif self.idle and not self._in_body and self._header_timer is None and self.timeout_keep_alive_task is None:
            self._await_headers()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more. It may have closed its side only, and still wait for a response that comes soon."""
        if self.idle or self._in_body:
            self._flush()
            return False
        self.cycle.keep_alive = False
        self._eof_timer = self.loop.call_later(self.limits.eof_timeout, self._leave_unanswered)
        return True

    def on_message_begin(self) -> None:
        if self._repeating:
            return
        super().on_message_begin()
        if self.idle:
            self._wait()
        self._in_headers = True
        self._header_size = 0
        self._discarded = 0

    def on_url(self, url: bytes) -> None:
        if self._repeating:
            return
        self._header_size += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_size += len(name) + len(value) + 4
        if self._in_body:
            # A trailer. Nobody reads it, but it would be kept.
            if not self._repeating:
                self._check_header_size()
            return
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._repeating:
            return
        self._in_headers = False
        self._cancel_header_timer()
        self._framing = 0
        self._check_header_size()
        self._check_host()
        if not self.idle:
            self._count_waiting()
        offers = self.parser.should_upgrade()
        upgrades = offers and self._should_upgrade()
        if upgrades and (not self.idle or _framing(self.headers)):
            # The parser would take the body for WebSocket messages.
            self._error = MalformedRequest("A request for a WebSocket has no body, and is the first of a connection.")
            raise ValueError("an upgrade with a body")
        super().on_headers_complete()
        if upgrades:
            return
        self._ignored_offer = offers
        self._in_body = True
        # The cycle closes the connection through the protocol, which knows whether the client is still sending.
        self.cycle.transport = self  # type: ignore[assignment]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        start = functools.partial(super()._start_asgi_task, cycle, app)
        if route_path(cast("Scope", cycle.scope)) in PROBES:
            start()
        else:
            self.starts.add(self, start)

    def _should_upgrade(self) -> bool:
        path = self.url.partition(b"?")[0]
        return self.parser.get_method() == b"GET" and path.endswith(b"/stream") and super()._should_upgrade()

    def repeat_head(self) -> bool:
        """Gives a fresh parser what frames the body of a request, without the offer of another protocol.

        False if there was no offer, or one that is accepted.
        """
        if not self._ignored_offer:
            return False
        self._ignored_offer = False
        head = b"POST / HTTP/%b\r\n" % self.parser.get_http_version().encode() + _framing(self.headers)
        if not self.parser.should_keep_alive():
            head += b"connection: close\r\n"
        self.parser = Parser(self)
        self._repeating = True
        self.parser.feed_data(head + b"\r\n")
        self._repeating = False
        return True

    def handle_websocket_upgrade(self) -> None:
        self.waiting.pop(self, None)
        self.unread.remove(self)
        self._cancel_timers()
        self._upgraded = True
        super().handle_websocket_upgrade()

    def on_body(self, body: bytes) -> None:
        self._framing = 0
        if self.cycle.response_complete:
            self._count_discarded(len(body))
        elif self.cycle.body:
            # Bytes would be copied with every chunk that is added to them.
            self.cycle.body = bytearray(self.cycle.body) if isinstance(self.cycle.body, bytes) else self.cycle.body
            super().on_body(body)
        else:
            # As uvicorn does it, without a copy of each piece on its way in and another on its way out.
            self.cycle.body = body  # type: ignore[assignment]
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self._ignored_offer:
            return
        self._in_body = False
        if not self.idle:
            self.waiting.pop(self, None)
        self._flush()
        super().on_message_complete()
        if self._discard_timer is not None:
            self._discard_timer.cancel()
            self._discard_timer = None
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        if self.is_closing() or (self._invalid and not self.pipeline):
            self.close()
            return
        self.flow.held = len(self.pipeline) > 1
        super().on_response_complete()
        if not self.flow.held:
            self._waiting_bytes = 0
        if self.idle or (self._in_body and not self.pipeline):
            self._wait()
        if self._in_body and self.idle:
            self._discard()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """What uvicorn calls when the parser gives up."""
        self._refuse(self._error or MalformedRequest())

    def pause_writing(self) -> None:
        super().pause_writing()
        self.unread.add(self, self.transport.get_write_buffer_size(), self.limits.unread_responses)
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.write_timeout, self._abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.unread.remove(self)
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def timeout_keep_alive_handler(self) -> None:
        # A client that does not read its response would keep an orderly close waiting for ever.
        self._abort()

    def shutdown(self) -> None:
        if self.idle:
            self.close()
        else:
            super().shutdown()

    # What a cycle needs of a transport.

    def write(self, data: bytes | memoryview) -> None:
        """Sends the headers of a response together with the beginning of its body.

        A client that is still sending gets them when it is done, or soon: proxies close a connection on which a
        response comes before the end of its request.
        """
        self._unsent.append(data)
        count = len(self._unsent)
        if data[: len(_CONTINUE)] == _CONTINUE or (count == 2 and not self._in_body) or count > 2:
            self._flush()
        elif self._flush_timer is None:
            self._flush_timer = self.loop.call_later(self.limits.response_delay if self._in_body else 0, self._flush)

    def _flush(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        if self._unsent and not self.transport.is_closing():
            # Together, but without a copy: the same file of the page may go to many clients.
            self.transport.writelines(self._unsent)
        self._unsent.clear()

    def is_closing(self) -> bool:
        return self._closing or self.transport.is_closing()

    def close(self) -> None:
        """Closes the connection, once the client has stopped sending."""
        if self.is_closing():
            return
        self._flush()
        if self._in_body or self._invalid:
            self._closing = True
            self.transport.write_eof()
            self._discard()
        else:
            self.transport.close()

    def _discard(self) -> None:
        """Reads what still comes, until the client is done or a bound is reached."""
        self._unset_keepalive_if_required()
        self.flow.held = False
        self.flow.resume_reading()
        if self._discard_timer is None:
            self._discard_timer = self.loop.call_later(self.limits.discard_timeout, self._abort)

    def _count_discarded(self, size: int) -> None:
        self._discarded += size
        if self._discarded > self.limits.discard_bytes:
            self._abort()

    def _await_headers(self) -> None:
        self._header_timer = self.loop.call_later(self.limits.header_timeout, self._headers_late)

    def _headers_late(self) -> None:
        self._header_timer = None
        if self.idle:
            self._abort()
        else:
            # The half request came behind one that is being processed, which ends first.
            self.cycle.keep_alive = False

    def _refuse(self, error: VisageError) -> None:
        """Ends a connection on which something came that is no valid request. Valid ones before it are processed."""
        self._invalid = True
        self._in_headers = False
        self._cancel_header_timer()
        if self._in_body and self.pipeline:
            self.pipeline.popleft()
        elif self._in_body or self.idle:
            if not (self._in_body and self.cycle.response_started):
                self.transport.write(refusal(error))
            if self._in_body:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            self.close()
        else:
            self.cycle.keep_alive = False

    def _check_header_size(self) -> None:
        """Raises when headers and trailers are too large, and the parser gives up."""
        if self._header_size > self.limits.header_bytes:
            self._error = HeadersTooLarge()
            raise ValueError("headers too large")

    def _check_host(self) -> None:
        """Raises for a request without the one Host header that HTTP/1.1 requires, and the parser gives up."""
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            self._error = MalformedRequest("A request has one Host header.")
            raise ValueError("not one Host header")

    def _count_waiting(self) -> None:
        """Counts a request behind the one that is processed. Raises when too much waits, and the parser gives up."""
        self._waiting_bytes += self._header_size
        if len(self.pipeline) >= self.limits.waiting_requests or self._waiting_bytes > self.limits.waiting_bytes:
            raise ValueError("too many requests wait")
        self.flow.held = True

    def _leave_unanswered(self) -> None:
        self._eof_timer = None
        if not self.cycle.response_started:
            self.transport.close()

    def _wait(self) -> None:
        """From here on the connection waits for its client."""
        self.waiting.pop(self, None)
        self.waiting[self] = None

    def _make_room(self) -> bool:
        """Closes the connection that has waited longest for its client, if there is one."""
        peer = next(iter(self.waiting or self.unread.sizes), None)
        if peer is not None:
            peer._give_up()
        return peer is not None

    def _give_up(self) -> None:
        self.waiting.pop(self, None)
        self.unread.remove(self)
        self._abort()

    def _abort(self) -> None:
        self._cancel_timers()
        self.transport.abort()

    def _cancel_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _cancel_timers(self) -> None:
        timers = (self._header_timer, self._write_timer, self._discard_timer, self._flush_timer, self._eof_timer)
        for timer in timers:
            if timer is not None:
                timer.cancel()
        self._header_timer = self._write_timer = self._discard_timer = self._flush_timer = self._eof_timer = None


def _framing(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The headers that say where a body ends."""
    return b"".join(
        b"%b: %b\r\n" % (name, value)
        for name, value in headers
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
    )


def protocol_classes(limits: ProtocolLimits) -> tuple[type[Protocol], type[WebSocketProtocol]]:
    """The protocols of HTTP and of WebSockets with their limits, as uvicorn wants them."""
    shared: dict[str, Any] = {"limits": limits, "waiting": {}}
    return (
        type("LimitedProtocol", (Protocol,), {**shared, "unread": Unread(), "starts": Starts()}),
        type("LimitedWebSocket", (WebSocketProtocol,), {**shared, "open": set()}),
    )
