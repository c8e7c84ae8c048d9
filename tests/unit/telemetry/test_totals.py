"""Totals add up, and stay small."""

from __future__ import annotations

import pytest

from app.telemetry.records import FaceNote, PictureNote, ReadingNote, RequestRecord
from app.telemetry.totals import CONFIDENCE_BOUNDS, Distribution, Totals


def picture(*readings: ReadingNote, milliseconds: float = 4.0, warnings: tuple[str, ...] = ()) -> PictureNote:
    return PictureNote({"total": milliseconds}, 2, warnings, readings)


def test_pictures_are_counted_by_model() -> None:
    totals = Totals()
    happy, sad = FaceNote("happy", 0.9, False), FaceNote("sad", 0.4, True)
    totals.picture(picture(ReadingNote("a", (happy, sad)), warnings=("blurred",)))
    totals.picture(picture(ReadingNote("a", (happy,)), ReadingNote("b", (sad,)), milliseconds=40.0))
    assert (totals.pictures, totals.faces) == (2, 4)
    assert totals.warnings == {"blurred": 1}
    a, b = totals.models["a"], totals.models["b"]
    assert (a.pictures, a.faces, a.uncertain) == (2, 3, 1)
    assert a.labels == {"happy": 2, "sad": 1}
    assert a.confidence.mean == pytest.approx((0.9 + 0.4 + 0.9) / 3)
    assert a.latency_ms.mean == pytest.approx(22)
    assert (b.pictures, b.faces, b.uncertain) == (1, 1, 1)


def test_requests_and_errors_are_counted() -> None:
    totals = Totals()
    totals.request_finished(RequestRecord("1", "POST", route="/predict", status=200))
    totals.request_finished(RequestRecord("2", "POST", route="/predict", status=422, error="no_face_detected"))
    totals.error("invalid_image")
    assert totals.requests == {"/predict": 2}
    assert totals.errors == {"no_face_detected": 1, "invalid_image": 1}


@pytest.mark.parametrize(("value", "bin_"), [(0.0, 0), (0.1, 0), (0.1001, 1), (0.95, 9), (1.0, 9)])
def test_a_value_falls_into_the_first_bin_that_holds_it(value: float, bin_: int) -> None:
    distribution = Distribution(CONFIDENCE_BOUNDS)
    distribution.add(value)
    assert distribution.counts.index(1) == bin_


def test_an_empty_distribution_has_no_mean() -> None:
    assert Distribution(CONFIDENCE_BOUNDS).mean is None
