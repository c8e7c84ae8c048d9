"""An exponential mean of probabilities over time."""

from __future__ import annotations

import math
from collections.abc import Sequence


class Smoother:
    """Means whose weights fall by a factor of e each ``seconds``, whatever the times between the values.

    A value counts for the time since the one before it, so a gap of two frames weighs as much as both would have.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._means: tuple[float, ...] | None = None
        self._time = 0.0

    def add(self, t: float, values: Sequence[float]) -> tuple[float, ...]:
        """The means after the values of time ``t``, in seconds, which does not fall. The first are their own means."""
        if self._means is None:
            self._means = tuple(values)
        else:
            share = -math.expm1((self._time - t) / self._seconds)
            self._means = tuple(mean + share * (value - mean) for mean, value in zip(self._means, values, strict=True))
        self._time = t
        return self._means
