"""The head pose, against faces that are turned by known angles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from app.expression import head_pose as module
from app.expression.head_pose import fit


def turned(yaw: float, pitch: float, roll: float, scale: float = 20.0) -> NDArray[np.float64]:
    """The fixed face as a mesh of a picture, turned by degrees of a head: yaw, then pitch, then roll."""
    a, b, c = (math.radians(each) for each in (yaw, -pitch, roll))
    about_y = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    about_z = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    mesh = np.zeros((478, 3))
    mesh[module._POINTS] = scale * module._AT @ (about_y @ about_x @ about_z).T * (1, -1, -1) + (300, 200, 0)
    return mesh


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (-30, 0, 0), (0, 20, 0), (0, 0, 25), (20, -15, 10)])
def test_known_angles_are_found(angles: tuple[float, float, float]) -> None:
    pose = fit(turned(*angles)).pose
    assert (pose.yaw, pose.pitch - module._LEVEL_PITCH, pose.roll) == pytest.approx(angles, abs=1e-6)


def test_the_signs_are_those_of_the_person() -> None:
    nose = 4
    assert turned(20, 0, 0)[nose, 0] > turned(0, 0, 0)[nose, 0], "their own left is on the right of the picture"
    assert turned(0, 20, 0)[nose, 1] < turned(0, 0, 0)[nose, 1], "up is up"
    forehead = 10
    assert turned(0, 0, 20)[forehead, 0] < turned(0, 0, 0)[forehead, 0], "the right shoulder is on the left"


def test_the_frontal_face_is_the_same_however_it_was_turned() -> None:
    front = fit(turned(0, 0, 0)).frontal(turned(0, 0, 0))
    for mesh in (turned(25, -10, 15), turned(-20, 5, 0, scale=3.0)):
        assert np.allclose(fit(mesh).frontal(mesh)[module._POINTS], front[module._POINTS], atol=1e-6)
