"""The stream for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import TracebackType

from typing_extensions import Self
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from visage_client import _messages
from visage_client._calls import Picture
from visage_client.types import FramePrediction, SessionSummary, StreamMessage


class AsyncStream(_messages.BaseStream):
    """A stream of frames, open inside ``async with``. ``started`` says what it accepts; ``summary`` is there once it
    has ended.

    Either :meth:`read` one frame after another, or :meth:`send` frames in one task and iterate over the messages in
    another. The service reads the newest frame, and counts those that it passes over.
    """

    _socket: ClientConnection

    async def send(self, frame: Picture, *, t: float | None = None) -> int:
        """Sends a frame, at the time ``t`` in seconds or that of its arrival. Returns its number."""
        data = await asyncio.to_thread(_messages.frame_of, frame)
        try:
            if t is not None:
                await self._socket.send(_messages.time_of(t))
            await self._socket.send(data)
        except ConnectionClosed:
            # What the service has said before is still to be received.
            async for _ in self:
                pass
            raise self._conversation.ended(self._socket.close_code) from None
        return self._conversation.sending()

    async def read(self, frame: Picture, *, t: float | None = None, timeout: float = 10) -> FramePrediction:
        """Sends a frame and waits for its prediction, at the pace that the service accepts."""
        clock = asyncio.get_running_loop()
        await asyncio.sleep(max(self._due - clock.time(), 0))
        number = await self.send(frame, t=t)
        self._due = clock.time() + 1 / self.started["limits"]["frames_per_second"]
        try:
            return await asyncio.wait_for(self._prediction(number), timeout)
        except asyncio.TimeoutError:
            raise _messages.no_prediction(timeout) from None

    async def _prediction(self, number: int) -> FramePrediction:
        while True:
            try:
                text = await self._socket.recv()
            except ConnectionClosed:
                raise self._conversation.ended(self._socket.close_code) from None
            prediction = self._conversation.prediction(self._conversation.received(text), number)
            if prediction is not None:
                return prediction

    async def __aiter__(self) -> AsyncIterator[StreamMessage]:
        """The messages of the service, up to the summary."""
        while self.summary is None:
            try:
                text = await self._socket.recv()
            except ConnectionClosed:
                raise self._conversation.ended(self._socket.close_code) from None
            yield self._conversation.received(text)

    async def finish(self) -> SessionSummary:
        """Ends the stream. Returns its summary, and drops the messages before it."""
        if self.summary is None:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(_messages.END)
            async for _ in self:
                pass
        await self.close()
        assert self.summary is not None
        return self.summary

    async def close(self) -> None:
        """Closes the connection. A stream that is not finished has no summary."""
        await self._socket.close()

    async def __aenter__(self) -> Self:
        self._begin()
        try:
            self._socket = await connect(self._address, **self._connecting)
        except (OSError, asyncio.TimeoutError, WebSocketException) as error:
            raise _messages.opening_error(error) from error
        try:
            self.started = self._conversation.opened(await asyncio.wait_for(self._socket.recv(), self._timeout))
        except BaseException as error:
            await self._socket.close()
            if isinstance(error, (ConnectionClosed, asyncio.TimeoutError)):
                raise _messages.opening_error(error) from error
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
