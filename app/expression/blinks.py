"""Blinks: eyes that close and open again, which only a series of frames shows."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.expression.action_units import ActionUnit, methods

BLINK: Final = "AU45"
LONGEST_BLINK: Final = 0.5
"""Seconds after which closed eyes are no blink. The longest blinks of people who are awake take 0.4 s."""

_LONGEST_GAP: Final = 0.4
"""Seconds between two frames in which a blink may pass unseen, so that nothing is known of those before."""


@dataclass(frozen=True, slots=True)
class SeriesUnit:
    """An action unit of a series of frames: its usual name, and the intensity above which it is active."""

    name: str
    threshold: float


@functools.cache
def series_units() -> Mapping[str, SeriesUnit]:
    """The units that a series of frames shows, in order of number: those of a picture, and the blink."""
    units = {code: SeriesUnit(method.name, method.threshold) for code, method in methods().items()}
    return {**units, BLINK: SeriesUnit("blink", 0.0)}


class Blinks:
    """Follows the eyes of one face."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._closed_since: float | None = None
        self._peak = 0.0

    def add(self, t: float, closed: ActionUnit) -> ActionUnit:
        """The blink that ends with the frame at ``t`` seconds, given how far its eyes are closed (AU43)."""
        known = self._last is not None and t - self._last <= _LONGEST_GAP
        self._last = t
        if not known:
            self._closed_since = None
        if closed.active:
            if self._closed_since is None:
                # Eyes that are closed in the first frame may have been closed for long.
                self._closed_since, self._peak = t if known else -math.inf, 0.0
            self._peak = max(self._peak, closed.intensity)
            return ActionUnit("blink", 0.0, active=False)
        since, self._closed_since = self._closed_since, None
        if since is None or t - since > LONGEST_BLINK:
            return ActionUnit("blink", 0.0, active=False)
        return ActionUnit("blink", self._peak, active=True)
