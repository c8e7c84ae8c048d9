"""One budget of memory for the process: whoever needs much of it takes its share first, and waits while others hold it.

What a picture needs at its worst is known from its header, so no input can make the process exceed its container.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from app.errors import ImageTooLarge
from app.system import memory_limit, resident_memory

LARGEST: Final = 240_000_000
"""Bytes that the budget has at least where the limit allows it. The largest PNG of 50 million pixels needs 230 MB."""

_SHARE, _MOST = 0.75, 0.87
"""Shares of the limit: for the process in general, and at most, so that the largest picture fits."""

_CHECK_INTERVAL = 0.1
"""Seconds after which a waiting thread checks whether its result is still wanted."""


class MemoryBudget:
    """Bytes that threads share."""

    def __init__(self, total: int = LARGEST) -> None:
        self.total = total
        self.used = 0
        # The lock of a Condition is reentrant: the garbage collector may return memory while its own thread takes some.
        self._changed = threading.Condition()

    @contextmanager
    def take(self, size: int, checkpoint: Callable[[], None]) -> Iterator[None]:
        """Waits until ``size`` bytes are free, and holds them. Raises ImageTooLarge for more than there ever are.

        Calls ``checkpoint`` while it waits. A thread must not wait while it holds memory.
        """
        with self._changed:
            while self.used + size > self.total:
                if size > self.total:
                    raise ImageTooLarge(
                        f"Decoding this picture takes {size / 1e6:.0f} MB of memory, more than this service has. "
                        "Scale it down, or save it as an ordinary JPEG."
                    )
                self._changed.wait(_CHECK_INTERVAL)
                checkpoint()
            self.used += size
        try:
            yield
        finally:
            self._give_back(size)

    def keep(self, size: int, owner: object) -> None:
        """Counts ``size`` bytes as used for as long as ``owner`` exists. Never waits: they are part of those taken."""
        with self._changed:
            self.used += size
        weakref.finalize(owner, self._give_back, size).atexit = False

    def follow(self, limit_mb: int) -> None:
        """Sets the total to what the limit leaves beside what the process holds at rest; 0: the container's limit."""
        limit = limit_mb * 1_048_576 or memory_limit()
        at_rest = max(resident_memory() - self.used, 0)
        self.total = max(int(min(max(_SHARE * limit - at_rest, LARGEST), _MOST * limit - at_rest)), 0)

    def _give_back(self, size: int) -> None:
        with self._changed:
            self.used -= size
            self._changed.notify_all()


@functools.cache
def process_memory() -> MemoryBudget:
    """The budget that all workers share."""
    return MemoryBudget()
