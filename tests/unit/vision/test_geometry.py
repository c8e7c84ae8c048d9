from __future__ import annotations

import pytest

from app.vision.geometry import Box, Face


def test_overlap_is_intersection_over_union() -> None:
    box = Box(0, 0, 10, 10)

    assert box.overlap(box) == 1
    assert box.overlap(Box(5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert box.overlap(Box(10, 0, 10, 10)) == 0
    assert box.overlap(Box(-30, -30, 10, 10)) == 0


def test_cover_is_a_share_of_the_box_itself() -> None:
    small, large = Box(2, 2, 4, 4), Box(0, 0, 10, 10)

    assert small.covered_by(large) == 1
    assert large.covered_by(small) == pytest.approx(0.16)
    assert small.covered_by(Box(4, 2, 10, 10)) == pytest.approx(0.5)
    assert Box(1, 1, 0, 0).covered_by(large) == 0


def test_a_face_moves_and_scales_as_a_whole() -> None:
    face = Face(Box(10, 20, 30, 40), 0.9, ((12.0, 22.0),) * 6)

    assert face.moved(5, -5) == Face(Box(15, 15, 30, 40), 0.9, ((17.0, 17.0),) * 6)
    assert face.scaled(2, 0.5) == Face(Box(20, 10, 60, 20), 0.9, ((24.0, 11.0),) * 6)
