"""Where the rest of a body goes that nobody will read."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_INTERVAL = 0.01
_MOMENT = 0.1
_ROOM: Final = bytearray(1024 * 1024)
"""Never written to where the kernel drops the bytes itself, and never read."""

_FLAGS: Final = socket.MSG_TRUNC if sys.platform == "linux" else 0
"""On Linux a TCP socket then drops what it would have copied."""


@dataclass(slots=True)
class _Drain:
    """One connection whose answer is out and whose client may still be sending."""

    peer: socket.socket
    done: Callable[[], None]
    until: float
    left: int


class Sink:
    """Takes connections over whose answer is out, and reads and drops what clients still send, all at one interval.

    Closing a socket with unread data resets the connection, and the reset may overtake the answer. Under many times
    the load this costs a fraction of being woken for each piece of each body, and of copying it.
    """

    def __init__(self, seconds: float, most_bytes: int) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._drains: dict[int, _Drain] = {}
        self._held: deque[tuple[float, socket.socket]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def drain(self, peer: socket.socket, done: Callable[[], None] = lambda: None) -> int:
        """Takes a socket over, and closes it when its client has, or has had its time or its bytes.

        ``done`` is called then, and not after :meth:`remove`, to which the number is for.
        """
        loop = asyncio.get_running_loop()
        number = peer.fileno()
        self._drains[number] = _Drain(peer, done, loop.time() + self._seconds, self._most_bytes)
        self._start(loop)
        return number

    def hold(self, peer: socket.socket) -> None:
        """Takes a socket over, reads nothing, and closes it when its client has had a moment to read the answer."""
        loop = asyncio.get_running_loop()
        self._held.append((loop.time() + _MOMENT, peer))
        self._start(loop)

    def remove(self, number: int) -> None:
        self._drains.pop(number).peer.close()

    def close(self) -> None:
        """Closes whatever is left."""
        if self._timer is not None:
            self._timer.cancel()
        for drain in self._drains.values():
            drain.peer.close()
        for _, peer in self._held:
            peer.close()

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None:
            self._timer = loop.call_later(_INTERVAL, self._drop)

    def _drop(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for number, drain in tuple(self._drains.items()):
            if self._is_done(drain, now):
                self.remove(number)
                drain.done()
        while self._held and self._held[0][0] <= now:
            self._held.popleft()[1].close()
        self._timer = loop.call_later(_INTERVAL, self._drop) if self._drains or self._held else None

    def _is_done(self, drain: _Drain, now: float) -> bool:
        try:
            size = drain.peer.recv_into(_ROOM, 0, _FLAGS)
        except BlockingIOError:
            return now >= drain.until
        except OSError:
            return True
        drain.left -= size
        return size == 0 or drain.left < 0 or now >= drain.until
