"""Memory that was let go is the system's again."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from app.system import configure_allocator, trim_memory
from drills.vitals import vitals

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is told from /proc, and asked of glibc")

PIECE = 64 * 1024


def test_free_pages_between_held_ones_are_returned() -> None:
    configure_allocator()
    pieces = [np.ones(PIECE, np.uint8) for _ in range(1000)]
    before = vitals(os.getpid()).resident
    # Every tenth stays, so that no heap ends where memory is free.
    held = pieces[::10]
    pieces.clear()
    trim_memory()
    assert before - vitals(os.getpid()).resident > 0.7 * 1000 * PIECE / 2**20
    assert all(piece[0] for piece in held)
