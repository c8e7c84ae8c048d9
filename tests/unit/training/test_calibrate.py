from __future__ import annotations

import numpy as np
import pytest

from training.calibrate import fit
from training.metrics import calibration_error, softmax


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_was_used_is_found(temperature: float) -> None:
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 2, (6000, 7))
    labels = np.array([generator.choice(7, p=row) for row in softmax(logits, temperature)])
    found = fit(logits, labels)
    assert found == pytest.approx(temperature, rel=0.06)
    assert calibration_error(softmax(logits, found), labels) < 0.02
