from __future__ import annotations

import numpy as np
import pytest

from training.robustness import CHANGES, darkened, eye_covered, mouth_covered, rolled

FACES = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_keeps_shape_and_type(name: str) -> None:
    before = FACES.copy()
    changed = CHANGES[name](FACES)
    assert (changed.shape, changed.dtype) == (FACES.shape, FACES.dtype)
    assert (changed != FACES).any(axis=(1, 2)).all()
    assert (before == FACES).all(), "the faces that were given stay as they are"


def test_rolling_there_and_back_keeps_the_centre() -> None:
    smooth = np.tile(np.linspace(0, 255, 48, dtype=np.uint8), (1, 48, 1))
    middle = (slice(None), slice(16, 32), slice(16, 32))
    back = rolled(20)(rolled(-20)(smooth))
    assert np.abs(back[middle].astype(int) - smooth[middle]).max() <= 4


def test_half_brightness_is_half() -> None:
    assert (darkened(FACES) == FACES // 2).all()


def test_covers_lie_over_eyes_and_mouth() -> None:
    eyes = eye_covered(np.zeros((2, 48, 48), dtype=np.uint8))
    assert eyes[0, 19, 15] == 128, "the first face loses the eye on the left of the picture"
    assert eyes[0, 19, 33] == 0
    assert eyes[1, 19, 33] == 128
    mouths = mouth_covered(np.zeros((1, 48, 48), dtype=np.uint8))
    assert mouths[0, 36, 24] == 128
    assert mouths[0, 19].max() == 0
