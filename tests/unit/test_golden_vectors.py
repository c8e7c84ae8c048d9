"""The golden vectors for ports of the pipeline are those of this pipeline."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from scripts.golden_vectors import GOLDEN, Reference

WRITE_AGAIN = "Run: python scripts/golden_vectors.py write"
PICTURES = json.loads((GOLDEN / "pictures.json").read_bytes())


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference()


def test_they_belong_to_the_default_model(reference: Reference) -> None:
    head = reference.head()
    assert {name: PICTURES[name] for name in head} == head, WRITE_AGAIN


@pytest.mark.parametrize("picture", PICTURES["pictures"], ids=lambda picture: str(picture["file"]))
def test_they_are_what_the_pipeline_makes(reference: Reference, picture: dict[str, object]) -> None:
    stages = reference.stages((GOLDEN / str(picture["file"])).read_bytes())
    golden = picture["faces"]
    assert isinstance(golden, list)
    assert len(stages["faces"]) == len(golden), WRITE_AGAIN
    for found, face in zip(stages["faces"], golden, strict=True):
        np.testing.assert_allclose(found["box"], face["box"], atol=0.1, err_msg=WRITE_AGAIN)
        np.testing.assert_allclose(_crop(found), _crop(face), atol=1, err_msg=WRITE_AGAIN)
        np.testing.assert_allclose(found["probabilities"], face["probabilities"], atol=0.03, err_msg=WRITE_AGAIN)
        np.testing.assert_allclose(found["heatmap"], face["heatmap"], atol=0.1, err_msg=WRITE_AGAIN)
        assert found["warnings"] == face["warnings"], WRITE_AGAIN
        units, expected = found["details"]["action_units"], face["details"]["action_units"]
        assert units == pytest.approx(expected, abs=0.02), WRITE_AGAIN


def _crop(face: dict[str, str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.frombuffer(base64.b64decode(face["crop"]), np.uint8).astype(np.float64)
