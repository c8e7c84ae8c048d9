"""The stream that blocks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any

from typing_extensions import Self
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from visage_client import _messages
from visage_client._calls import Picture, Service
from visage_client.types import FramePrediction, SessionSummary, StreamEvent, StreamMessage


class Stream(_messages.BaseStream):
    """A stream of frames, open inside ``with``. ``started`` says what it accepts; ``summary`` is there once it has
    ended.

    Either :meth:`read` one frame after another, or :meth:`send` frames on one thread and iterate over the messages on
    another. The service reads the newest frame, and counts those that it passes over.
    """

    _socket: Connection

    def __init__(
        self, service: Service, options: Mapping[str, Any], on_event: Callable[[StreamEvent], None] | None
    ) -> None:
        super().__init__(service, options, on_event)
        self._open = contextlib.ExitStack()

    def send(self, frame: Picture, *, t: float | None = None) -> int:
        """Sends a frame, at the time ``t`` in seconds or that of its arrival. Returns its number."""
        data = _messages.frame_of(frame)
        try:
            if t is not None:
                self._socket.send(_messages.time_of(t))
            self._socket.send(data)
        except ConnectionClosed:
            # What the service has said before is still to be received.
            for _ in self:
                pass
            raise self._conversation.ended(self._socket.close_code) from None
        return self._conversation.sending()

    def read(self, frame: Picture, *, t: float | None = None, timeout: float = 10) -> FramePrediction:
        """Sends a frame and waits for its prediction, at the pace that the service accepts."""
        time.sleep(max(self._due - time.monotonic(), 0))
        number = self.send(frame, t=t)
        self._due = time.monotonic() + 1 / self.started["limits"]["frames_per_second"]
        deadline = time.monotonic() + timeout
        while True:
            try:
                text = self._socket.recv(max(deadline - time.monotonic(), 0))
            except TimeoutError:
                raise _messages.no_prediction(timeout) from None
            except ConnectionClosed:
                raise self._conversation.ended(self._socket.close_code) from None
            prediction = self._conversation.prediction(self._conversation.received(text), number)
            if prediction is not None:
                return prediction

    def __iter__(self) -> Iterator[StreamMessage]:
        """The messages of the service, up to the summary."""
        while self.summary is None:
            try:
                text = self._socket.recv()
            except ConnectionClosed:
                raise self._conversation.ended(self._socket.close_code) from None
            yield self._conversation.received(text)

    def finish(self) -> SessionSummary:
        """Ends the stream. Returns its summary, and drops the messages before it."""
        if self.summary is None:
            with contextlib.suppress(ConnectionClosed):
                self._socket.send(_messages.END)
            for _ in self:
                pass
        self.close()
        assert self.summary is not None
        return self.summary

    def close(self) -> None:
        """Closes the connection. A stream that is not finished has no summary."""
        self._open.close()

    def __enter__(self) -> Self:
        self._begin()
        try:
            self._socket = self._open.enter_context(connect(self._address, **self._connecting))
        except (OSError, WebSocketException) as error:
            raise _messages.opening_error(error) from error
        try:
            self.started = self._conversation.opened(self._socket.recv(self._timeout))
        except BaseException as error:
            self.close()
            if isinstance(error, (ConnectionClosed, TimeoutError)):
                raise _messages.opening_error(error) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
