"""Where the rest of a body goes that nobody will read."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import Final

_INTERVAL = 0.01
_ROOM: Final = bytearray(1024 * 1024)
"""Never written to where the kernel drops the bytes itself, and never read."""

_FLAGS: Final = socket.MSG_TRUNC if sys.platform == "linux" else 0
"""On Linux a TCP socket then drops what it would have copied."""


class Sink:
    """Reads and drops what clients still send, all of them at one interval.

    Under many times the load it costs a fraction of being woken for each piece of each body, and of copying it.
    """

    def __init__(self) -> None:
        self._drains: dict[int, tuple[socket.socket, Callable[[int], None]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, transport: asyncio.Transport, dropped: Callable[[int], None]) -> int:
        """Takes over the reading side of a transport until :meth:`remove`, to which the number is for.

        ``dropped`` is told how many bytes there were; 0 is the end.
        """
        peer = transport.get_extra_info("socket")
        # A descriptor of its own cannot be closed, and given to another connection, in between.
        drain = socket.fromfd(peer.fileno(), peer.family, peer.type)
        transport.pause_reading()
        self._drains[drain.fileno()] = drain, dropped
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._drop)
        return drain.fileno()

    def remove(self, number: int) -> None:
        drain, _ = self._drains.pop(number)
        drain.close()

    def _drop(self) -> None:
        for drain, dropped in tuple(self._drains.values()):
            try:
                size = drain.recv_into(_ROOM, 0, _FLAGS)
            except BlockingIOError:
                continue
            except OSError:
                size = 0
            dropped(size)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_INTERVAL, self._drop) if self._drains else None
