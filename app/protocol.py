"""HTTP/1.1 on one connection: uvicorn's protocol with deadlines, bounded headers and an end that loses nothing."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any, cast

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from app.api.errors import body_of
from app.api.turnstile import TURNSTILE, Turnstile
from app.errors import HeadersTooLarge, MalformedRequest, VisageError
from app.sink import Sink


@dataclass(frozen=True, slots=True)
class ProtocolLimits:
    """What one connection, and all of them, may take."""

    header_timeout: float
    write_timeout: float
    connections: int
    header_bytes: int = 16 * 1024
    linger_timeout: float = 2.0
    linger_bytes: int = 16 * 1024 * 1024


class Protocol(HttpToolsProtocol):
    """One connection. A request's headers must be complete by a deadline that starts with the connection, and again
    with the first byte after an answer."""

    limits: ProtocolLimits
    sink: Sink

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._in_headers = False
        self._header_size = 0
        self._refused: VisageError | None = None
        self._turnstile: Turnstile | None = app_state.get(TURNSTILE)
        self._turned_away = False
        self._body_complete = False

    @property
    def idle(self) -> bool:
        """No request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def unread(self) -> bool:
        """The client may still be sending what nobody will read."""
        if self._turned_away:
            return not self._body_complete
        return self._refused is not None or (self.cycle is not None and self.cycle.more_body)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= self.limits.connections:
            self._make_room()
        super().connection_made(_PoliteTransport(transport, self))
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timers()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        begun, before = self._in_headers, self._header_size
        super().data_received(data)
        if self._turned_away:
            self.transport.close()
        elif self._in_headers:
            # A field that is still incomplete is held by the parser, and only here is it known to grow.
            self._header_size = max(self._header_size, before + len(data) if begun else 0)
            if self._header_size > self.limits.header_bytes:
                self._refuse(HeadersTooLarge())
        elif self.idle and self._header_timer is None and self.timeout_keep_alive_task is None:
            self._await_headers()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers = True
        self._body_complete = False
        self._header_size = 0
        if self._header_timer is None:
            self._await_headers()

    def on_url(self, url: bytes) -> None:
        self._header_size += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_size += len(name) + len(value) + 4
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._cancel_header_timer()
        if self._header_size > self.limits.header_bytes:
            self._refused = HeadersTooLarge()
            raise ValueError("headers too large")
        if self._turned_away or self._turn_away():
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._turned_away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._turned_away:
            self._body_complete = True
        else:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """What uvicorn calls when the parser gives up."""
        self._refuse(self._refused or MalformedRequest())

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.write_timeout, self._abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def timeout_keep_alive_handler(self) -> None:
        # A client that does not read its answer would keep a polite close waiting for ever.
        self._abort()

    def _await_headers(self) -> None:
        self._header_timer = self.loop.call_later(self.limits.header_timeout, self._headers_late)

    def _headers_late(self) -> None:
        self._header_timer = None
        if self.idle:
            self._abort()
        else:
            # The half request came behind one that is being answered, which ends first.
            self.cycle.keep_alive = False

    def _turn_away(self) -> bool:
        """Answers a request that cannot be let in, unless another is being answered before it."""
        if self._turnstile is None or not self.idle:
            return False
        self.scope["method"] = self.parser.get_method().decode("ascii")
        refusal = self._turnstile.turn_away(cast("Scope", self.scope), self.url)
        if refusal is None:
            return False
        status, headers, body = refusal
        self._turned_away = True
        lines = b"".join(b"%b: %b\r\n" % header for header in [*self.server_state.default_headers, *headers])
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + body)
        return True

    def _refuse(self, error: VisageError) -> None:
        """Answers what never became a request."""
        self._refused = error
        self._cancel_header_timer()
        self._in_headers = False
        if not self.idle:
            self.transport.close()
            return
        request_id = uuid.uuid4().hex
        body = body_of(error, request_id)
        self.transport.write(
            STATUS_LINE[error.status]
            + b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
            + b"x-request-id: %s\r\nconnection: close\r\n\r\n" % request_id.encode()
            + body
        )
        self.transport.close()

    def _make_room(self) -> None:
        """Ends a connection on which nothing is being answered; without one, the new one is one too many."""
        waiting = next((peer for peer in self.connections if isinstance(peer, Protocol) and peer.idle), None)
        if waiting is not None:
            waiting._abort()

    def _abort(self) -> None:
        self._cancel_timers()
        self.transport.abort()

    def _cancel_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _cancel_timers(self) -> None:
        self._cancel_header_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


class _PoliteTransport(asyncio.Transport):
    """A transport that does not slam the door on a client which is still sending.

    Closing a socket with unread data resets the connection, and the reset overtakes the answer. So the writing side
    is closed first, and for a moment what arrives is read and dropped.
    """

    def __init__(self, transport: asyncio.Transport, protocol: Protocol) -> None:
        super().__init__()
        self._transport = transport
        self._protocol = protocol
        self._timer: asyncio.TimerHandle | None = None
        self._drain: int | None = None
        self._left = protocol.limits.linger_bytes

    def close(self) -> None:
        if self._timer is not None or not self._protocol.unread or self._transport.is_closing():
            self._end()
            return
        self._timer = self._protocol.loop.call_later(self._protocol.limits.linger_timeout, self._end)
        self._transport.write_eof()
        self._drain = self._protocol.sink.add(self._transport, self._dropped)

    def is_closing(self) -> bool:
        return self._timer is not None or self._transport.is_closing()

    def abort(self) -> None:
        self._let_go()
        self._transport.abort()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(data)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)

    def _end(self) -> None:
        if self._timer is None:
            self._transport.close()
        else:
            self.abort()

    def _dropped(self, size: int) -> None:
        self._left -= size
        if size == 0 or self._left < 0:
            self.abort()

    def _let_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._drain is not None:
            self._protocol.sink.remove(self._drain)
            self._drain = None


def protocol_class(limits: ProtocolLimits) -> type[Protocol]:
    """The protocol with its limits, as uvicorn wants it."""

    class LimitedProtocol(Protocol):
        pass

    LimitedProtocol.limits = limits
    LimitedProtocol.sink = Sink()
    return LimitedProtocol
