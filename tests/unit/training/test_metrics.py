from __future__ import annotations

import numpy as np
import pytest

from training import metrics


def test_accuracy_lies_in_its_interval() -> None:
    predicted = np.array([0, 1, 1, 0] * 50)
    figure = metrics.accuracy(predicted, np.array([0, 1, 0, 0] * 50))
    assert figure.value == pytest.approx(0.75)
    assert figure.low < 0.75 < figure.high
    assert figure.faces == 200


def test_macro_recall_counts_labels_alike_and_leaves_rare_ones_out() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    predicted = np.zeros(100, dtype=np.int64)
    assert metrics.macro_recall(predicted, labels).value == pytest.approx(0.5)
    assert metrics.macro_recall(predicted, labels, at_least=20).value == pytest.approx(1)


def test_by_class_gives_none_for_labels_that_do_not_occur() -> None:
    first, second, third = metrics.by_class(np.array([0, 0, 1]), np.array([0, 1, 1]), ("a", "b", "c"))
    assert (first.precision, first.recall) == (0.5, 1.0)
    assert second.f1 == pytest.approx(2 / 3)
    assert (third.precision, third.recall, third.f1) == (None, None, None)


def test_confusion_has_a_row_a_label() -> None:
    assert metrics.confusion(np.array([1, 1]), np.array([0, 1]), 2).tolist() == [[0, 1], [0, 1]]


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    sure = np.tile([0.9, 0.1], (10, 1))
    assert metrics.calibration_error(sure, np.array([0] * 9 + [1])) == pytest.approx(0)
    assert metrics.calibration_error(sure, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.4)


def test_a_confidence_of_one_falls_into_the_last_bin() -> None:
    (part,) = metrics.reliability(np.array([1.0]), np.array([True]))
    assert (part.high, part.faces) == (1.0, 1)


def test_jensen_shannon_runs_from_zero_to_one() -> None:
    left, right = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert metrics.jensen_shannon(left, left) == 0
    assert metrics.jensen_shannon(left, right) == pytest.approx(1)


def test_ranking_is_the_share_of_pairs_in_the_right_order() -> None:
    positive = np.array([True, True, False, False])
    assert metrics.ranking(np.array([4.0, 3.0, 2.0, 1.0]), positive) == 1
    assert metrics.ranking(np.array([1.0, 1.0, 1.0, 1.0]), positive) == 0.5
    assert metrics.ranking(np.array([4.0, 1.0, 3.0, 2.0]), positive) == 0.5
    assert metrics.ranking(np.array([1.0]), np.array([True])) is None


def test_log_loss_of_the_truth_is_its_entropy() -> None:
    half = np.array([[0.5, 0.5]])
    assert metrics.log_loss(half, half) == pytest.approx(np.log(2))


def test_macro_f1_is_the_mean_over_labels() -> None:
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert metrics.macro_f1(predicted, labels).value == pytest.approx((2 / 3 + 4 / 5) / 2)
