"""Two people who walk past each other, found by the real networks. `make stream` has fifty such pairs."""

from __future__ import annotations

import pytest

from app.pipeline import Pipeline
from app.vision.decode import ImageLimits
from app.vision.detectors import make_detector
from tests.crossing import numbers_kept
from tests.process import ROOT


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(make_detector(ROOT / "models", 0.5), ImageLimits(max_pixels=50_000_000))


@pytest.mark.parametrize("draw", [7, 31])
def test_both_keep_their_numbers(pipeline: Pipeline, draw: int) -> None:
    assert numbers_kept(pipeline, draw)
