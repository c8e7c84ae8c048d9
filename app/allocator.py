"""How the C library treats the memory that pictures take and leave."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MAPPED_FROM: Final = 8 * 1024 * 1024
_KEPT_FREE: Final = 16 * 1024 * 1024
"""What each thread's heap may keep for its next picture: to hand the pages back and have them filled with zeros again
took every request half a millisecond, and a fifth of the throughput."""


def give_memory_back() -> None:
    """Has the C library return what a large picture took as soon as it is let go, instead of keeping it."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE)
