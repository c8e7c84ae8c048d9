"""The figures of an audit, against values worked out by hand or found in tables."""

from __future__ import annotations

import numpy as np
import pytest

from bulk.statistics import (
    Share,
    calibration_error,
    confusion,
    difference_interval,
    fitted_temperature,
    holm,
    log_loss,
    macro_f1,
    macro_recall,
    mcnemar,
    reliability,
    sharpened,
    threshold_for,
    two_shares,
    wilson,
)

TRUTH = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 2])
EVERY = np.arange(3)


def test_intervals_of_shares() -> None:
    # Newcombe (1998), Statistics in Medicine 17, examples for single and paired proportions.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert difference_interval(Share(56, 70), Share(48, 80)) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert Share(0, 0).value is None


def test_probabilities_of_differences() -> None:
    # z = 0.2 / sqrt(0.5 * 0.5 * 2 / 50) = 2, and 4.55 % of a normal distribution lie beyond.
    assert two_shares(Share(30, 50), Share(20, 50)) == pytest.approx(0.0455, abs=1e-4)
    assert two_shares(Share(5, 5), Share(7, 7)) == 1.0
    # Two of ten: 2 * (1 + 10 + 45) / 1024.
    assert mcnemar(2, 8) == pytest.approx(112 / 1024)
    assert mcnemar(0, 0) == mcnemar(4, 4) == 1.0
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_means_over_labels() -> None:
    assert confusion(TRUTH, PREDICTED, 3).tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert macro_recall(TRUTH, PREDICTED, EVERY) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    # F1 is 2 hits / (faces + predictions): 4/6, 2/4, 2/2.
    assert macro_f1(TRUTH, PREDICTED, EVERY) == pytest.approx((4 / 6 + 2 / 4 + 1) / 3)
    assert macro_recall(TRUTH, PREDICTED, EVERY[:2]) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_calibration() -> None:
    probabilities = np.array([[0.8, 0.2]] * 10)
    truth = np.array([0] * 6 + [1] * 4)
    assert sum(each.faces for each in reliability(probabilities, truth)) == 10
    assert log_loss(probabilities, truth) == pytest.approx(-(6 * np.log(0.8) + 4 * np.log(0.2)) / 10)
    # Ten bins of one face each are right or wrong: 6 * 0.2 + 4 * 0.8, over 10.
    assert calibration_error(probabilities, truth) == pytest.approx(0.44)
    # Odds of 4 to 1 that hold as 3 to 2: the logit's divisor is ln 4 / ln 1.5.
    temperature = fitted_temperature(probabilities, truth)
    assert temperature == pytest.approx(np.log(4) / np.log(1.5), rel=1e-3)
    assert sharpened(probabilities, temperature)[0, 0] == pytest.approx(0.6, abs=1e-3)


def test_the_threshold_is_the_lowest_that_is_precise_enough() -> None:
    probabilities = np.array([[0.95, 0.05], [0.9, 0.1], [0.7, 0.3], [0.6, 0.4]])
    truth = np.array([0, 0, 1, 0])
    assert threshold_for(probabilities, truth, 0.75) == (0.0, 1.0)
    assert threshold_for(probabilities, truth, 0.9) == (0.71, 0.5)
    assert threshold_for(probabilities, np.array([1, 1, 1, 1]), 0.9) is None
