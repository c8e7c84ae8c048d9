"""Blinks in series of frames."""

from __future__ import annotations

import pytest

from app.expression.action_units import ActionUnit
from app.expression.blinks import Blinks


def blinks(frames: list[tuple[float, float]]) -> list[float]:
    """The times of the frames with a blink, for frames of a time and how far the eyes are closed."""
    follower = Blinks()
    found = [(t, follower.add(t, ActionUnit("eyes closed", closed, closed > 0.6))) for t, closed in frames]
    assert all(unit.active == (unit.intensity > 0) for _, unit in found)
    return [t for t, unit in found if unit.active]


def every(seconds: float, *closed: float) -> list[tuple[float, float]]:
    return [(number * seconds, value) for number, value in enumerate(closed)]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (every(0.1, 0, 0.9, 0.8, 0), [0.3]),
        (every(0.1, 0, 0, 0.5, 0), []),
        (every(0.1, 0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0), []),
        (every(0.1, 0.9, 0.9, 0), []),
        (every(0.1, 0, 0.9, 0, 0.9, 0), [0.2, 0.4]),
        (every(0.5, 0, 0.9, 0), []),
        ([(0.0, 0.0), (0.1, 0.9), (0.9, 0.0)], []),
        ([(0.0, 0.0), (0.1, 0.9), (0.9, 0.9), (1.0, 0.0)], []),
    ],
)
def test_a_blink_is_a_short_closing_between_open_eyes(frames: list[tuple[float, float]], expected: list[float]) -> None:
    assert blinks(frames) == pytest.approx(expected)


def test_its_intensity_is_how_far_the_eyes_closed() -> None:
    follower = Blinks()
    for t, closed in every(0.1, 0.1, 0.7, 0.95, 0.8):
        follower.add(t, ActionUnit("eyes closed", closed, closed > 0.6))
    assert follower.add(0.4, ActionUnit("eyes closed", 0.1, active=False)).intensity == 0.95
