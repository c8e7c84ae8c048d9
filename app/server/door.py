"""The listening socket: lets connections in, and turns requests away before a connection is set up for them."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from app.api.turnstile import Turnstile
from app.server.sink import Sink

logger = logging.getLogger("visage.door")

_INTERVAL = 0.04
_CROWDED_FOR = 0.1
_PATIENCE = 0.1
_MOST_A_ROUND = 256
_SEEN_OFF_A_ROUND = 2
_MOST_HEAD: Final = 8192
_END_OF_HEAD: Final = b"\r\n\r\n"
_MORE_FOLLOWS: Final = socket.MSG_MORE if sys.platform == "linux" else 0
"""On Linux the end of the answer then travels in the same packet."""


@dataclass(slots=True)
class _Visitor:
    """A connection that was accepted and not let in yet."""

    peer: socket.socket
    address: Any
    until: float


class Door:
    """Accepts connections; to uvicorn's server it is what a server of asyncio would be.

    While there is room each connection is let in as it comes. While there is none, those that came are looked at all
    together, once an interval: a request that needs room is answered from here, on the bare socket, and whatever else
    there is gets in. That takes a third of the time of a connection, and under ten times the load nine of ten requests
    take theirs from those that are served.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        turnstile: Turnstile,
        sink: Sink,
        headers: Callable[[], list[tuple[bytes, bytes]]],
    ) -> None:
        """``headers`` are those that the server gives every answer."""
        self._listener = listener
        self._protocol = protocol
        self._turnstile = turnstile
        self._sink = sink
        self._headers = headers
        self._loop = asyncio.get_running_loop()
        self._visitors: list[_Visitor] = []
        self._crowded_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._entering: set[asyncio.Task[Any]] = set()
        self._open()

    def close(self) -> None:
        """Accepts nothing more."""
        self._loop.remove_reader(self._listener.fileno())
        if self._timer is not None:
            self._timer.cancel()
        for visitor in self._visitors:
            visitor.peer.close()

    async def wait_closed(self) -> None:
        """Called when all that was let in has been answered."""
        self._sink.close()

    def _open(self) -> None:
        self._timer = None
        self._loop.add_reader(self._listener.fileno(), self._knocked)

    def _knocked(self) -> None:
        room = self._turnstile.room
        for visitor in itertools.islice(self._newcomers(), room):
            self._let_in(visitor.peer)
        if not room or self._crowded_until > self._loop.time():
            self._loop.remove_reader(self._listener.fileno())
            self._timer = self._loop.call_later(_INTERVAL, self._look)

    def _look(self) -> None:
        """One round: everybody who came since the last."""
        now = self._loop.time()
        room = self._turnstile.room
        turned_away = 0
        visitors = [*self._visitors, *itertools.islice(self._newcomers(), _MOST_A_ROUND)]
        self._visitors = []
        for visitor in visitors:
            head = _peek(visitor.peer)
            if head is None and now < visitor.until:
                self._visitors.append(visitor)
            elif not head or (scope := self._turnstile.scope_of(head, visitor.address[:2])) is None:
                self._let_in(visitor.peer)
            elif room > 0:
                room -= 1
                self._let_in(visitor.peer)
            else:
                turned_away += 1
                refusal = self._turnstile.refusal(scope, self._headers())
                self._turn_away(visitor.peer, refusal, see_off=turned_away <= _SEEN_OFF_A_ROUND)
        if turned_away:
            self._crowded_until = now + _CROWDED_FOR
        if self._visitors or now < self._crowded_until:
            self._timer = self._loop.call_later(_INTERVAL, self._look)
        else:
            self._open()

    def _newcomers(self) -> Iterator[_Visitor]:
        """Those that wait to be accepted."""
        while True:
            try:
                peer, address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of files, most likely. They wait until others have gone.
                if self._crowded_until < self._loop.time():
                    logger.warning("No connection can be accepted: %s.", error.strerror)
                self._crowded_until = self._loop.time() + _CROWDED_FOR
                return
            peer.setblocking(False)
            yield _Visitor(peer, address, self._loop.time() + _PATIENCE)

    def _let_in(self, peer: socket.socket) -> None:
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, peer))
        self._entering.add(task)
        task.add_done_callback(self._entered)

    def _entered(self, task: asyncio.Task[Any]) -> None:
        self._entering.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # It went before it was in.
            logger.debug("A connection could not be set up: %s.", type(error).__name__)

    def _turn_away(self, peer: socket.socket, refusal: bytes, *, see_off: bool) -> None:
        """Some are seen off: what they still send is read, so that even a client which looks for no answer before it
        has sent everything finds it. To do that for all would cost as much again as the answers."""
        try:
            peer.send(refusal, _MORE_FOLLOWS)
            peer.shutdown(socket.SHUT_WR)
        except OSError:
            peer.close()
            return
        if see_off:
            self._sink.drain(peer)
        else:
            self._sink.hold(peer)


def _peek(peer: socket.socket) -> bytes | None:
    """The headers of a request and the blank line behind them; None where more may come; nothing where the client has
    gone, or sends more than headers are worth here."""
    try:
        data = peer.recv(_MOST_HEAD, socket.MSG_PEEK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
    head, end, _ = data.partition(_END_OF_HEAD)
    if end:
        return head + end
    return None if 0 < len(data) < _MOST_HEAD else b""
