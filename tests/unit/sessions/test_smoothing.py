"""The exponential mean, in numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from app.sessions.smoothing import Smoother


def test_the_first_values_are_their_own_means() -> None:
    assert Smoother(0.5).add(3.0, (0.2, 0.8)) == (0.2, 0.8)


def test_a_step_is_followed_by_the_time_constant() -> None:
    smoother = Smoother(0.5)
    smoother.add(0.0, (0.0, 1.0))
    # After half a second 1/e of the old value is left: 1 - 0.3678794 = 0.6321206.
    assert smoother.add(0.5, (1.0, 0.0)) == pytest.approx((0.6321206, 0.3678794), abs=1e-6)
    # After another quarter e^-0.5 = 0.6065307 of that distance: 1 - 0.3678794 x 0.6065307 = 0.7768698.
    assert smoother.add(0.75, (1.0, 0.0)) == pytest.approx((0.7768698, 0.2231302), abs=1e-6)


def test_uneven_frames_come_to_the_same() -> None:
    times = [[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.0, 0.05, 0.3, 0.31, 0.6], [0.0, 0.6]]
    means = []
    for each in times:
        smoother = Smoother(0.4)
        smoother.add(each[0], (0.0,))
        for t in each[1:]:
            (mean,) = smoother.add(t, (1.0,))
        means.append(mean)
    # 1 - e^-1.5
    assert means == pytest.approx([0.7768698] * 3, abs=1e-6)


def test_two_frames_at_the_same_time_count_as_the_first() -> None:
    smoother = Smoother(0.5)
    smoother.add(1.0, (0.25,))
    assert smoother.add(1.0, (1.0,)) == (0.25,)


def test_means_of_probabilities_sum_to_one() -> None:
    smoother = Smoother(1e-3)
    for t, values in enumerate([(0.1, 0.2, 0.7), (0.3, 0.3, 0.4), (1.0, 0.0, 0.0)]):
        assert math.fsum(smoother.add(t, values)) == pytest.approx(1)
