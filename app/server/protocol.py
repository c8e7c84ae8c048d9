"""HTTP/1.1 on one connection: uvicorn's protocol with deadlines, bounded headers and an end that loses nothing."""

from __future__ import annotations

import asyncio
import socket
import uuid
from dataclasses import dataclass
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from app.api.error_responses import body_of
from app.errors import HeadersTooLarge, MalformedRequest, VisageError
from app.server.sink import Sink


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

    @property
    def idle(self) -> bool:
        """No request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def unread(self) -> bool:
        """The client may still be sending what nobody will read."""
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
        if self._in_headers:
            # A field that is still incomplete is held by the parser, and only here is it known to grow.
            self._header_size = max(self._header_size, before + len(data) if begun else 0)
            if self._header_size > self.limits.header_bytes:
                self._refuse(HeadersTooLarge())
        elif self.idle and self._header_timer is None and self.timeout_keep_alive_task is None:
            self._await_headers()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers = True
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
        super().on_headers_complete()

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

    The writing side is closed first, and for a moment what arrives is read and dropped.
    """

    def __init__(self, transport: asyncio.Transport, protocol: Protocol) -> None:
        super().__init__()
        self._transport = transport
        self._protocol = protocol
        self._drain: int | None = None

    def close(self) -> None:
        if self._drain is not None:
            self.abort()
        elif not self._protocol.unread or self._transport.is_closing():
            self._transport.close()
        else:
            self._transport.write_eof()
            self._transport.pause_reading()
            peer = self._transport.get_extra_info("socket")
            # A descriptor of its own cannot be closed, and given to another connection, in between.
            drained = socket.fromfd(peer.fileno(), peer.family, peer.type)
            self._drain = self._protocol.sink.drain(drained, self._drained)

    def is_closing(self) -> bool:
        return self._drain is not None or self._transport.is_closing()

    def abort(self) -> None:
        if self._drain is not None:
            self._protocol.sink.remove(self._drain)
            self._drain = None
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

    def _drained(self) -> None:
        self._drain = None
        self._transport.abort()


def protocol_class(limits: ProtocolLimits) -> type[Protocol]:
    """The protocol with its limits, as uvicorn wants it."""

    class LimitedProtocol(Protocol):
        pass

    LimitedProtocol.limits = limits
    LimitedProtocol.sink = Sink(limits.linger_timeout, limits.linger_bytes)
    return LimitedProtocol
