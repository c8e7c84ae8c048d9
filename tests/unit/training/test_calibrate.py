from __future__ import annotations

import numpy as np
import pytest

from app.inference.calibration import calibrate
from app.inference.manifest import OutputSpec
from training.calibrate import fit
from training.metrics import calibration_error

PLAIN = OutputSpec(tensor="served", kind="logits")


@pytest.mark.parametrize("exponent", [0.0, 0.3])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_calibration_that_was_used_is_found(temperature: float, exponent: float) -> None:
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 2, (9000, 7))
    true = PLAIN.model_copy(update={"temperature": temperature, "entropy_exponent": exponent})
    chances = calibrate(logits, true).astype(np.float64)
    labels = np.array([generator.choice(7, p=row / row.sum()) for row in chances])

    found = fit(logits, labels, PLAIN)

    assert np.abs(calibrate(logits, found) - chances).mean() < 0.005
    assert calibration_error(calibrate(logits, found), labels) < 0.02
