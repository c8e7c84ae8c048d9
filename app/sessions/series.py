"""Numbers over time in bounded memory: means by equal spans of time, for a whole session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

MOST_POINTS: Final = 600
"""Most points of a series. Up to as many rows, the points are the rows themselves."""

_NARROWEST: Final = 1e-9
"""Least seconds of a span, so that the number of each later span is finite."""


@dataclass(frozen=True, slots=True)
class Point:
    """The means of the rows of one track in one span of time."""

    t: float
    track: int
    values: tuple[float, ...]


@dataclass(slots=True)
class _Sums:
    """The rows of a span, added up."""

    count: int
    t: float
    values: list[float]

    def add(self, count: int, t: float, values: Iterable[float]) -> None:
        self.count += count
        self.t += t
        self.values = [mine + other for mine, other in zip(self.values, values, strict=True)]


class Series:
    """Rows of numbers, each with its time and track, whose times do not fall.

    When there would be more than ``MOST_POINTS``, all spans become twice as wide. Every row counts in its span's mean.
    """

    def __init__(self) -> None:
        self._first = 0.0
        self._rows = 0
        self._width = 0.0
        """Seconds of a span; 0 while each row is a point."""
        self._spans: dict[tuple[int, int], _Sums] = {}

    def add(self, t: float, track: int, values: Sequence[float]) -> None:
        if not self._rows:
            self._first = t
        span = int((t - self._first) / self._width) if self._width else self._rows
        self._rows += 1
        self._put((span, track), _Sums(1, t, list(values)))
        while len(self._spans) > MOST_POINTS:
            self._widen(t)

    def drop(self, track: int) -> None:
        """Forgets the rows of a track."""
        self._spans = {key: sums for key, sums in self._spans.items() if key[1] != track}

    def points(self) -> Iterator[Point]:
        for (_, track), sums in self._spans.items():
            yield Point(sums.t / sums.count, track, tuple(value / sums.count for value in sums.values))

    def _widen(self, last: float) -> None:
        spans, self._spans = self._spans, {}
        if self._width:
            self._width *= 2
            for (span, track), sums in spans.items():
                self._put((span // 2, track), sums)
            return
        self._width = max((last - self._first) / (MOST_POINTS // 2), _NARROWEST)
        for (_, track), sums in spans.items():
            self._put((int((sums.t - self._first) / self._width), track), sums)

    def _put(self, key: tuple[int, int], sums: _Sums) -> None:
        found = self._spans.setdefault(key, sums)
        if found is not sums:
            found.add(sums.count, sums.t, sums.values)
