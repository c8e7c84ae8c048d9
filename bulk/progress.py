"""How far a run is: a bar on a terminal, one line a minute elsewhere, and a summary at the end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Container, Mapping
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

_LINE_EVERY: Final = 60.0


class Progress:
    """Counts items, rows and errors. Any thread may call it."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False, markup=False)
        self._lock = threading.Lock()
        self._codes: Counter[str] = Counter()
        self._items = self._frames = self._total = 0
        self._started = self._told = time.monotonic()
        self._bar = Bar(
            TextColumn("[bold]{task.completed}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.0f}/s"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[errors]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, rate=0.0, errors="")

    def begin(self, items: int, waiting: int) -> None:
        self._total = waiting
        self._started = self._told = time.monotonic()
        if waiting < items:
            self._say(f"{items - waiting} of {items} items are done already.")
        self._bar.update(self._task, total=waiting)
        self._bar.start()

    def add(self, *, items: int = 0, frames: int = 0, codes: Mapping[str, int] | None = None) -> None:
        """Counts items, frames of videos, and rows by the code of their error."""
        with self._lock:
            self._items += items
            self._frames += frames
            self._codes.update(codes or {})
        self._tell()

    @property
    def counts(self) -> tuple[int, int, Mapping[str, int]]:
        """Items, frames, and rows by code."""
        return self._items, self._frames, self._codes

    def end(self, result: str) -> None:
        """Says what was read, and a sentence on what became of it."""
        self._bar.stop()
        line = self._line() if self._total else self._errors_line()
        self._say(f"{line} {result}".lstrip())

    def stop(self) -> None:
        self._bar.stop()

    def not_read(self, fine: Container[str]) -> int:
        """Rows with an error that is not among those that are fine."""
        return sum(count for code, count in self._codes.items() if code not in fine)

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)

    def _tell(self) -> None:
        now = time.monotonic()
        if self._console.is_terminal:
            rate = self._items / max(now - self._started, 1e-3)
            self._bar.update(self._task, completed=self._items, rate=rate, errors=self._errors())
        elif now - self._told >= _LINE_EVERY:
            with self._lock:
                if now - self._told < _LINE_EVERY:
                    return
                self._told = now
            self._say(self._line())

    def _line(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        frames = f", {self._frames} frames" if self._frames else ""
        left = self._total - self._items
        time_left = f", {seconds / self._items * left:.0f} s left" if self._items and left else ""
        rate = f"{self._items / seconds:.1f} a second"
        return f"{self._items} of {self._total} items{frames}, {rate}{time_left}.{self._errors_line()}"

    def _errors_line(self) -> str:
        return f" Errors: {self._errors()}." if self._errors() else ""

    def _errors(self) -> str:
        with self._lock:
            return ", ".join(f"{code} {count}" for code, count in sorted(self._codes.items()) if code)
