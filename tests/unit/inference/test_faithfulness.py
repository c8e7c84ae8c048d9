"""The measure of heatmaps, on a model whose important pixels are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.inference.classifier import load_classifier
from app.inference.session import SessionSpec
from benchmarks.explanations import measure
from tests.models import make_brightness_model


@pytest.mark.parametrize("corner", [(0, 0), (1, 1)])
def test_a_true_map_beats_maps_that_know_nothing(tmp_path: Path, corner: tuple[int, int]) -> None:
    model = load_classifier(make_brightness_model(tmp_path / "default"), SessionSpec(("cpu",)))
    face = np.full((48, 48, 3), 110, np.uint8)
    row, column = 32 * corner[0], 32 * corner[1]
    face[row : row + 16, column : column + 16] = 255

    curves = measure(model, [face, face])

    ahead = {kind: float(curve.areas[:, 2].mean()) for kind, curve in curves.items()}
    assert min(ahead["cam"], ahead["occlusion"]) > max(ahead["random"], ahead["blob"])
    assert all(curve.deletion[0, 0] == curve.insertion[0, -1] for curve in curves.values())
