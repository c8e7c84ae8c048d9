from __future__ import annotations

import numpy as np
import pytest

from training.quantize import compare

LABELS = np.array([0] * 100 + [1] * 20 + [2] * 300)


def answers(wrong: dict[int, int]) -> np.ndarray:
    """The labels, with so many faces of some labels answered wrongly."""
    given = LABELS.copy()
    for label, count in wrong.items():
        given[np.flatnonzero(label == LABELS)[:count]] = 6
    return given


def test_integers_that_lose_nothing_ship() -> None:
    assert compare(LABELS, LABELS, LABELS).reason is None


def test_integers_that_lose_too_much_in_all_do_not() -> None:
    loss = compare(LABELS, answers({0: 1, 2: 1}), LABELS)
    assert loss.accuracy == pytest.approx(2 / 420)
    assert loss.reason is not None


def test_a_label_may_lose_two_points_or_one_face() -> None:
    before = answers({2: 3})
    assert compare(before, answers({1: 1, 2: 2}), LABELS).reason is None
    reason = compare(before, answers({0: 3, 2: 0}), LABELS).reason
    assert reason is not None
    assert "angry" in reason
