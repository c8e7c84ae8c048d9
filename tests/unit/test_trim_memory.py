"""Freed memory is returned to the system."""

from __future__ import annotations

import sys

import numpy as np
import psutil
import pytest

from app.system import configure_allocator, trim_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="trimming is a function of glibc")

PIECE = 64 * 1024


def test_free_pages_between_held_ones_are_returned() -> None:
    configure_allocator()
    pieces = [np.ones(PIECE, np.uint8) for _ in range(1000)]
    before = psutil.Process().memory_info().rss
    # Every tenth stays, so that free memory lies between used memory.
    held = pieces[::10]
    pieces.clear()
    trim_memory()
    assert before - psutil.Process().memory_info().rss > 0.7 * 1000 * PIECE
    assert all(piece[0] for piece in held)
