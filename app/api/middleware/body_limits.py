"""What may arrive as a body: how much, how fast, and how much at the same time."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.base64_image import longest_base64
from app.api.dependencies import MEMORY, RESERVATION, route_path, service_of
from app.api.session_body import BYTES_A_FRAME, MOST_FRAMES
from app.config import Settings
from app.errors import FileTooLarge, InvalidRequest, Overloaded, Timeout
from app.memory_budget import HeldMemory, process_memory
from app.worker_pool import Reservation

_FORM_OVERHEAD = 64 * 1024
"""Boundaries, headers and the few other fields of a form."""

_WATCHED_AFTER: Final = 0.05
"""Seconds from the end of a body until its client's leaving is noticed. Most requests have their response before."""


class BodyLimits:
    """Counts what arrives, whatever the headers say, and ends the request when it is too much or too slow.

    A slow upload takes up the memory of what it has sent, not of what it has announced.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        self._timeout = settings.body_timeout_seconds
        picture = settings.max_file_bytes + _FORM_OVERHEAD
        base64 = longest_base64(settings.max_file_bytes) + _FORM_OVERHEAD
        self._default = picture
        self._by_path = {
            "/predict/batch": settings.max_batch_bytes + _FORM_OVERHEAD,
            "/analyze/facial": base64,
            "/analyze/multimodal": base64,
            "/analyze/session": MOST_FRAMES * BYTES_A_FRAME + _FORM_OVERHEAD,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self._by_path.get(route_path(scope), self._default)
        if _declared(scope) > limit:
            raise _too_large(limit)
        with process_memory().held() as memory:
            scope["state"][MEMORY] = memory
            body = _Body(scope, receive, limit, self._timeout, memory)
            try:
                await self.app(scope, body.receive, send)
            finally:
                body.close()


class _Body:
    """One body as it arrives; after its end, the place where the client's leaving is noticed."""

    def __init__(self, scope: Scope, receive: Receive, limit: int, timeout: float, memory: HeldMemory) -> None:
        self._scope = scope
        self._receive = receive
        self._limit = limit
        self._patience = timeout
        self._memory = memory
        self._reservation: Reservation | None = scope["state"].get(RESERVATION)
        self._size = 0
        self._watch_timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[Message] | None = None

    async def receive(self) -> Message:
        if self._watch_timer is not None:
            return await asyncio.shield(self._begin_to_watch())
        # Only the time spent waiting for the client counts: a batch is read no faster than it is worked off.
        started = time.monotonic()
        left = self._patience
        if self._reservation is not None:
            left = min(left, self._reservation.deadline - started)
        try:
            async with asyncio.timeout(left):
                message = await self._receive()
        except TimeoutError:
            raise Timeout("The body took too long to arrive. Send it again over a faster connection.") from None
        self._patience -= time.monotonic() - started
        if message["type"] == "http.disconnect":
            self._left()
            return message
        self._count(len(message.get("body", b"")))
        if not message.get("more_body", False) and self._reservation is not None:
            self._watch_timer = asyncio.get_running_loop().call_later(_WATCHED_AFTER, self._begin_to_watch)
        return message

    def close(self) -> None:
        if self._watch_timer is not None:
            self._watch_timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
            # What cancels it leads back here.
            self._watch = None

    def _count(self, size: int) -> None:
        if self._size + size > self._limit:
            raise _too_large(self._limit)
        try:
            self._memory.take(size)
        except Overloaded:
            service_of(self._scope).metrics.shed("memory")
            raise
        self._size += size

    def _begin_to_watch(self) -> asyncio.Task[Message]:
        self._watch = self._watch or asyncio.get_running_loop().create_task(self._wait_for_leaving())
        return self._watch

    async def _wait_for_leaving(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._left()
        return message

    def _left(self) -> None:
        if self._reservation is not None:
            self._reservation.cancel()


def _declared(scope: Scope) -> int:
    """The length that the headers announce; 0 for none."""
    lengths = {value for name, value in scope["headers"] if name == b"content-length"}
    if not lengths:
        return 0
    text = lengths.pop()
    if lengths or not text.isdigit() or len(text) > 19:
        raise InvalidRequest("The Content-Length header is not a number of bytes.")
    return int(text)


def _too_large(limit: int) -> FileTooLarge:
    return FileTooLarge(f"The upload is larger than {(limit - _FORM_OVERHEAD) / 1024 / 1024:g} MB.")
