"""WebSockets on one connection: uvicorn's protocol with bounds on what clients send and on what they do not read."""

from __future__ import annotations

import asyncio
import socket
import time
from http import HTTPStatus
from typing import Any, Final, Protocol

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request

from app.errors import HeadersTooLarge, MalformedRequest, NotReady, Overloaded, VisageError
from app.memory_budget import process_memory
from app.server.limits import ProtocolLimits
from app.server.refusal import refusal

_PIECE: Final = 8 * 1024
"""Bytes that are parsed at once. They hold up to 1,400 messages."""

_LOOP_SHARE: Final = 0.1
"""Share of the event loop's time that parsing gets, of all connections together."""

_APPLICATION: Final = 4.0
"""What a message takes in all, as a multiple of its parsing."""

_BURST: Final = 0.1
"""Seconds of parsing that a connection may take at once."""

_QUIET: Final = 0.25
"""Seconds without data after which a connection that failed is closed."""


_NO_ROOM: Final = 1013
_MEMORY_INTERVAL, _LONGEST_STARVED = 0.05, 2.0
"""Seconds between two tries to get memory for a message, and until the stream ends without it."""

_RECEIVED_BYTES, _SENT_BYTES = 512 * 1024, 128 * 1024
"""Buffers of the kernel for what a client sends, and for what it does not read."""


class WaitingConnection(Protocol):
    """A connection that makes room for another one where there are too many."""

    def _give_up(self) -> None: ...


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket.

    - Parsing is paced: of a client that sends more than its share, no more is read than the event loop has time for.
    - A message of many fragments takes the memory of its bytes, not of its fragments.
    - A client that does not read is cut off after the write deadline. Until then its pings get no pongs.
    - After a message that is too large, or no valid one, the application may still send; the close comes last.
    - When the server ends, the application closes the connection, within a deadline.
    """

    limits: ProtocolLimits
    waiting: dict[WaitingConnection, None]
    """Shared with the connections of HTTP."""
    open: set[WebSocketProtocol]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.close_timeout = self.limits.discard_timeout
        self._unparsed = bytearray()
        self._message = bytearray()
        self._credit = _BURST
        self._credited = time.monotonic()
        self._parse_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None
        self._failure: bytes | None = None
        self._discarded = 0
        self._starved_since: float | None = None
        self._memory = process_memory().held(by_stream=True)
        """Of a message that has not arrived whole."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.open.add(self)
        sock = transport.get_extra_info("socket")
        # What waits in the kernel is old when it is read.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open.discard(self)
        self.waiting.pop(self, None)
        # This object and its parser refer to themselves, and wait for the garbage collector.
        for received in (self._unparsed, self._message, self.conn.reader.buffer):
            received.clear()
        self._memory.close()
        for timer in (self._parse_timer, self._write_timer, self._end_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    # What comes in.

    def data_received(self, data: bytes) -> None:
        if self._failure is not None:
            self._discard(len(data))
            return
        self._unparsed += data
        if self._parse_timer is None:
            self._parse()

    def _parse(self) -> None:
        self._parse_timer = None
        while self._unparsed and self._failure is None and not self.transport.is_closing():
            if (wait := self._wait() or self._wait_for_memory()) > 0:
                self._parse_timer = self.loop.call_later(wait, self._parse)
                break
            if self.read_paused or self._failure is not None:
                # The application takes a message first.
                break
            started = time.perf_counter()
            piece = bytes(self._unparsed[:_PIECE])
            del self._unparsed[:_PIECE]
            self._feed(piece)
            self._credit -= _APPLICATION * (time.perf_counter() - started)
        self._pause_or_resume()

    def _feed(self, piece: bytes) -> None:
        self.conn.receive_data(piece)
        if self.conn.handshake_exc is not None:
            # A line is too long for this parser, or there are too many.
            self._refuse(HeadersTooLarge())
            return
        # What came before a failure counts.
        self.handle_events()
        if self.conn.parser_exc is not None and self._failure is None:
            self.handle_parser_exception()

    def _wait_for_memory(self) -> float:
        """Takes the memory of what has arrived of a message and of the next piece. Returns the seconds until the next
        try where there is none, and ends the stream where there is none for long."""
        size = len(self.conn.reader.buffer) + len(self._message) + _PIECE
        if size <= self._memory.size:
            self._memory.give_back(self._memory.size - size)
            return 0.0
        try:
            self._memory.take(size - self._memory.size)
        except Overloaded:
            now = time.monotonic()
            self._starved_since = self._starved_since or now
            if now - self._starved_since < _LONGEST_STARVED:
                return _MEMORY_INTERVAL
            self.conn.fail(_NO_ROOM)
            self.handle_parser_exception()
        self._starved_since = None
        return 0.0

    def _wait(self) -> float:
        """Seconds until this connection may take more of the event loop's time."""
        now = time.monotonic()
        share = _LOOP_SHARE / len(self.open) if self.open else _LOOP_SHARE
        self._credit = min(self._credit + share * (now - self._credited), _BURST)
        self._credited = now
        return max(-self._credit / share, 0.0)

    def _pause_or_resume(self) -> None:
        if self.transport.is_closing():
            return
        if self.read_paused or self._unparsed:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def handle_connect(self, event: Request) -> None:
        if self.conn.accept(event).status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            super().handle_connect(event)
        else:
            self._refuse(MalformedRequest("This is not a valid handshake of a WebSocket."))

    def _refuse(self, error: VisageError) -> None:
        self.transport.write(refusal(error))
        self.transport.close()

    def handle_text(self, event: Frame) -> None:
        self.curr_msg_data_type = "text"
        self.handle_cont(event)

    def handle_bytes(self, event: Frame) -> None:
        self.curr_msg_data_type = "bytes"
        self.handle_cont(event)

    def handle_cont(self, event: Frame) -> None:
        data = bytes(event.data)
        # The parser refers to a frame until the next one has arrived.
        event.data = b""
        if event.fin and not self._message:
            self._deliver(data)
            return
        self._message += data
        if event.fin:
            self._deliver(bytes(self._message))
            self._message = bytearray()

    def _deliver(self, data: bytes) -> None:
        # From here on it is the application's to account for.
        self._memory.give_back(len(data))
        if self.close_sent:
            return
        if self.curr_msg_data_type == "bytes":
            self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
        else:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                self.conn.fail(1007)
                self.handle_parser_exception()
                return
            self.queue.put_nowait({"type": "websocket.receive", "text": text})
        self.read_paused = True

    async def receive(self) -> ASGIReceiveEvent:
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            if self._parse_timer is None:
                self._parse()
        return message

    def handle_ping(self) -> None:
        pong = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(pong))

    # What is not as it should be.

    def handle_parser_exception(self) -> None:
        """Keeps the close for when the application has sent what it has to say; see :meth:`send`."""
        if not self.handshake_complete or self.close_sent or self.conn.close_sent is None:
            self.transport.close()
            return
        self.stop_keepalive()
        self._failure = b"".join(self.conn.data_to_send())
        self._unparsed.clear()
        self._message.clear()
        self.transport.resume_reading()
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait(_unfinished(code, reason))

    async def send(self, message: ASGISendEvent) -> None:
        if self._failure is None:
            await super().send(message)
            if message["type"] == "websocket.close":
                self._closing()
            elif message["type"] == "websocket.http.response.body":
                # The handshake is over, with a refusal.
                self.handshake_complete = True
            return
        await self.writable.wait()
        if self.disconnected or self.close_sent:
            return
        if message["type"] == "websocket.send" and (text := message.get("text")) is not None:
            self.transport.write(Frame(Opcode.TEXT, text.encode()).serialize(mask=False))
        elif message["type"] == "websocket.close":
            self.close_sent = True
            self.transport.write(self._failure)
            self._end_timer = self.loop.call_later(_QUIET, self.transport.close)
            self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)
            self._closing()

    def _closing(self) -> None:
        """The connection is kept only for the client's part of the close."""
        if not self.transport.is_closing():
            self.waiting[self] = None
            self.read_paused = False
            self._pause_or_resume()

    def _discard(self, size: int) -> None:
        """Drops what a client sends that has not seen the close yet. A connection with unread data would be reset, and
        the reset could overtake the close."""
        self._discarded += size
        if self._discarded > self.limits.discard_bytes:
            self.transport.abort()
        elif self._end_timer is not None:
            self._end_timer.cancel()
            self._end_timer = self.loop.call_later(_QUIET, self.transport.close)

    def keepalive_timeout(self) -> None:
        # The client does not read, so that no close would reach it either.
        self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def shutdown(self) -> None:
        """The server ends: so does the application, with its last messages."""
        if not self.handshake_complete:
            self.stop_keepalive()
            self._refuse(NotReady())
            return
        if self.close_sent:
            super().shutdown()
            return
        self.stop_keepalive()
        self.queue.put_nowait(_unfinished(1012, ""))
        self._end_timer = self.loop.call_later(self.limits.discard_timeout, self.transport.abort)

    def _give_up(self) -> None:
        self.waiting.pop(self, None)
        self.transport.abort()


def _unfinished(code: int, reason: str) -> Any:
    """A disconnect before which the application may still send. ASGI knows only those after which nobody reads."""
    return {"type": "websocket.disconnect", "code": code, "reason": reason, "unfinished": True}
