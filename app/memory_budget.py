"""One budget of memory for the process. Whatever a client can make large is taken from it before it is there.

There are two ways to take from it:

- Work, such as decoding: ``with process_memory().take(size):`` on a worker's thread. It never waits. While others hold
  too much it raises :class:`NotEnoughMemory`, and the worker pool runs the job again once there is enough. So a job
  must hold no other memory of the budget when it takes some, and be able to run twice.
- What a request or a connection holds: its body, its result, a frame. A route gets ``memory_of(request.scope)`` with
  its body in it, calls ``take(size)`` before it builds anything else of more than some kilobytes, and may give back
  early what it drops; the rest is given back at the end of the request. A WebSocket uses
  ``with process_memory().held(by_stream=True) as memory:``. Both raise Overloaded when there is no room. All of this
  together gets at most half of the budget, so that work can always go on, and several
  streams half of that.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from app.errors import ImageTooLarge, Overloaded
from app.system import memory_limit, resident_memory

LARGEST: Final = 250_000_000
"""Bytes that the budget has at least where the limit allows it. The largest PNG of 50 million pixels needs 229 MB."""

_SHARE, _MOST = 0.75, 0.87
"""Shares of the limit: for the process in general, and at most, so that the largest picture fits."""

_LEFT_TO_REQUESTS = 1 / 12
"""Share of the budget that work leaves, so that requests can arrive meanwhile."""


class NotEnoughMemory(Exception):
    """Others hold the memory that a job needs at this moment. The job has to run again when ``size`` bytes are free."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class MemoryBudget:
    """Bytes that threads share. ``held_at_most``, and half of the total, bound what requests and connections hold.

    ``limit_mb`` is the memory of the process in megabytes; 0 stands for the container's limit. ``reserved`` are bytes
    that networks take while they run, beside what the process holds at rest.
    """

    def __init__(self, total: int = LARGEST) -> None:
        self.total = total
        self.used = 0
        self.held_at_most = total
        self.limit_mb = 0
        self.reserved = 0
        self._held = 0
        self._streams = 0
        # Reentrant: the garbage collector may give memory back while its own thread takes some.
        self._lock = threading.RLock()

    @property
    def limit(self) -> int:
        """Bytes that the process may take."""
        return self.limit_mb * 1_048_576 or memory_limit()

    @property
    def largest(self) -> int:
        """Bytes that all work together gets at most."""
        return int(self.total * (1 - _LEFT_TO_REQUESTS))

    @property
    def exceeded(self) -> bool:
        """Whether requests and connections hold more than they may."""
        return self._held > self.most_held

    @property
    def most_held(self) -> int:
        """Bytes that requests and connections may hold together."""
        return min(self.held_at_most, self.total // 2)

    def has_room(self, size: int) -> bool:
        """Whether work gets so many bytes."""
        return self.used - self._held + size <= self.largest and self.used + size <= self.total

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Holds so many bytes for a piece of work. Raises NotEnoughMemory when they are not free, and ImageTooLarge
        for more than there ever are."""
        if size > self.largest:
            raise ImageTooLarge(
                f"Decoding this picture takes {size / 1e6:.0f} MB of memory, more than this service has. "
                "Scale it down, or save it as an ordinary JPEG."
            )
        with self._lock:
            if not self.has_room(size):
                raise NotEnoughMemory(size)
            self.used += size
        try:
            yield
        finally:
            self._give_back(size)

    def keep(self, size: int, owner: object) -> None:
        """Counts so many bytes as used for as long as ``owner`` exists. Never fails: they are part of those taken."""
        with self._lock:
            self.used += size
        weakref.finalize(owner, self._give_back, size).atexit = False

    def held(self, *, by_stream: bool = False) -> HeldMemory:
        """An account of what one request or connection holds; nothing at first."""
        return HeldMemory(self, by_stream=by_stream)

    def shrink(self, size: int, owner: object) -> None:
        """Takes bytes that ``owner`` will hold for long out of the total. The next ``follow`` finds them at rest."""
        with self._lock:
            self.total -= size
        weakref.finalize(owner, self._grow, size).atexit = False

    def follow(self) -> None:
        """Sets the total to what the limit leaves beside what the process holds at rest.

        To be called when no work runs. Does nothing while requests hold memory, as not all of it may be resident.
        """
        if self._held:
            return
        limit = self.limit
        at_rest = max(resident_memory() - self.used, 0) + self.reserved
        self.total = max(int(min(max(_SHARE * limit - at_rest, LARGEST), _MOST * limit - at_rest)), 0)

    def _grow(self, size: int) -> None:
        with self._lock:
            self.total += size

    def _give_back(self, size: int) -> None:
        with self._lock:
            self.used -= size


class HeldMemory:
    """What one request or connection holds of the budget. Safe from any thread."""

    def __init__(self, budget: MemoryBudget, *, by_stream: bool) -> None:
        self._budget = budget
        self._by_stream = by_stream
        self._closed = False
        self.size = 0

    def __enter__(self) -> HeldMemory:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def take(self, size: int) -> None:
        """Holds so many bytes more, or raises Overloaded."""
        budget = self._budget
        with budget._lock:
            # A job may still run when its request is over.
            if self._closed or budget._held + size > budget.most_held or budget.used + size > budget.total:
                raise Overloaded
            if self._by_stream and self.size < budget._streams > budget.most_held // 2 - size:
                raise Overloaded
            self._add(size)

    def keep(self, size: int) -> None:
        """Counts so many bytes that are there already. Never fails; see ``MemoryBudget.exceeded``."""
        with self._budget._lock:
            self._add(size)

    def give_back(self, size: int) -> None:
        """Holds so many bytes less, but never less than none."""
        with self._budget._lock:
            self._add(-min(size, self.size))

    def close(self) -> None:
        """Gives everything back. Nothing can be taken any more."""
        with self._budget._lock:
            self._closed = True
            self._add(-self.size)

    def _add(self, size: int) -> None:
        self.size += size
        self._budget._held += size
        self._budget._streams += size * self._by_stream
        self._budget.used += size


@functools.cache
def process_memory() -> MemoryBudget:
    """The budget of this process."""
    return MemoryBudget()
