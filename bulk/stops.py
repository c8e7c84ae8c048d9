"""What ends a run: one sentence for the person who started it, and the exit status."""

from __future__ import annotations

BAD_INPUT = 2


class Stop(Exception):
    """The run cannot go on. The message says why and what to do."""

    def __init__(self, message: str, status: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.status = status
