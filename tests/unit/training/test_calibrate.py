from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from app.inference.calibration import calibrate
from app.inference.manifest import BadModel, OutputSpec, load_manifest
from tests.unit.training.synthetic import write_data
from training import model_folder
from training.calibrate import fit, main
from training.evaluate import evaluate
from training.labels import FER2013
from training.metrics import calibration_error

ROOT = Path(__file__).parents[3]

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


def test_a_model_with_the_labels_in_another_order_is_refused(tmp_path: Path) -> None:
    """Its figures would be those of other labels, and its calibration the one that fits them."""
    model, data = tmp_path / "default", write_data(tmp_path)
    shutil.copytree(ROOT / "models" / "default", model)
    written = model_folder.amend(model, labels=FER2013[::-1]).output
    with pytest.raises(BadModel, match="its labels are not angry, disgust"):
        main(["--model", str(model), "--data", str(data)])
    with pytest.raises(BadModel, match="its labels are not angry, disgust"):
        evaluate(model, data, "valid")
    assert load_manifest(model).output == written
