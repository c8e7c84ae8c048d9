"""The reason: which parts of a crop speak for a label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.errors import InvalidRequest
from app.inference.classifier import Classifier, load_classifier
from app.inference.explain import Heatmap, Method, explain, rival_weights
from app.inference.session import SessionSpec
from tests import models
from tests.models import Contract, make_brightness_model, make_model

CPU = SessionSpec(("cpu",))


@pytest.fixture
def bright(tmp_path: Path) -> Classifier:
    return load_classifier(make_brightness_model(tmp_path / "default"), CPU)


@pytest.fixture
def bright_without_tensors(tmp_path: Path) -> Classifier:
    folder = make_brightness_model(tmp_path / "default")
    text = (folder / "manifest.json").read_text()
    explanation = ', "explain": {"features": "features", "weights": "class_weights"}'
    assert explanation in text
    (folder / "manifest.json").write_text(text.replace(explanation, ""))
    return load_classifier(folder, CPU)


def _half_lit(row: int, column: int) -> NDArray[np.uint8]:
    """A dark crop with one bright quarter."""
    crop = np.full((48, 48, 3), 100, np.uint8)
    crop[24 * row : 24 * row + 24, 24 * column : 24 * column + 24] = 255
    return crop


def _explained(
    model: Classifier, crops: list[NDArray[np.uint8]], label: str | None = None, method: Method | None = None
) -> list[Heatmap]:
    return explain(model, crops, model.infer(model.prepare(crops), with_features=True), label, method)


@pytest.mark.parametrize("kind", ["contrast", "cam", "occlusion"])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 1), (1, 0)])
def test_what_makes_a_face_look_happy_is_shown(
    request: pytest.FixtureRequest, kind: str, row: int, column: int
) -> None:
    model = request.getfixturevalue("bright_without_tensors" if kind == "occlusion" else "bright")

    (heatmap,) = _explained(model, [_half_lit(row, column)], method="cam" if kind == "cam" else None)

    assert (heatmap.method, heatmap.label) == (kind, "happy")
    assert heatmap.grid.dtype == np.float32
    assert heatmap.grid.min() >= 0
    assert heatmap.grid.max() == 1
    height, width = heatmap.grid.shape
    down, across = np.unravel_index(heatmap.grid.argmax(), heatmap.grid.shape)
    assert (int(down) * 2 // height, int(across) * 2 // width) == (row, column)


def test_another_label_has_another_reason(bright: Classifier) -> None:
    crop = _half_lit(0, 0)

    (happy,), (sad,) = _explained(bright, [crop], "happy"), _explained(bright, [crop], "sad")

    assert (happy.label, sad.label) == ("happy", "sad")
    assert happy.grid[:24, :24].min() == 1
    assert happy.grid[24:].max() == 0
    assert sad.grid[:24, :24].max() == 0
    assert sad.grid[24:].min() == 1


def test_a_label_that_nothing_speaks_for_has_an_empty_map(bright: Classifier) -> None:
    (heatmap,) = _explained(bright, [np.full((48, 48, 3), 20, np.uint8)], "happy")

    assert heatmap.grid.max() == 0


def test_an_unknown_label_is_refused_with_those_that_there_are(bright: Classifier) -> None:
    with pytest.raises(InvalidRequest, match="happy, sad, surprise"):
        _explained(bright, [_half_lit(0, 0)], "bored")


def test_each_face_has_its_own_map_for_its_own_label(bright: Classifier) -> None:
    dark = np.full((48, 48, 3), 30, np.uint8)

    happy, sad = _explained(bright, [_half_lit(0, 1), dark])

    assert (happy.label, sad.label) == ("happy", "sad")


def test_a_map_in_closed_form_is_the_weighted_sum_of_the_features(tmp_path: Path) -> None:
    model = load_classifier(make_model(tmp_path / "mine", models.EFFICIENTNET_B0), CPU)
    crop = np.random.default_rng(3).integers(0, 256, (224, 224, 3), np.uint8)
    scores = model.infer(model.prepare([crop]), with_features=True)
    assert scores.features is not None
    assert model.class_weights is not None

    (heatmap,) = explain(model, [crop], scores, "fear", "cam")

    weights = model.class_weights[model.manifest.labels.index("fear")].astype(np.float64)
    expected = np.maximum((scores.features[0] * weights[:, None, None]).sum(axis=0), 0)
    np.testing.assert_allclose(heatmap.grid, expected / expected.max(), atol=1e-5)


def test_the_contrast_of_a_label_is_the_slope_of_its_log_probability(tmp_path: Path) -> None:
    model = load_classifier(make_model(tmp_path / "mine", models.EFFICIENTNET_B0), CPU)
    crops = list(np.random.default_rng(5).integers(0, 256, (2, 224, 224, 3), np.uint8))
    outputs = model.infer(model.prepare(crops), with_features=True)
    assert outputs.features is not None
    assert model.class_weights is not None

    heatmaps = explain(model, crops, outputs, "fear", "contrast")

    fear = model.manifest.labels.index("fear")
    for heatmap, features, row in zip(heatmaps, outputs.features, outputs.probabilities, strict=True):
        slopes = model.class_weights[fear] - row @ model.class_weights
        expected = np.maximum(np.tensordot(slopes, features, 1), 0)
        assert heatmap.method == "contrast"
        np.testing.assert_allclose(heatmap.grid, expected / expected.max(), atol=1e-4)


def test_a_label_of_probability_one_is_contrasted_with_nothing() -> None:
    weights = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    rivals = rival_weights(weights, np.array([[1, 0], [0.25, 0.75]], np.float32), [0, 0])
    np.testing.assert_allclose(rivals, [[0, 0], [3, 4]])


@pytest.mark.parametrize("method", ["contrast", "cam"])
def test_a_model_without_features_has_no_maps_of_them(bright_without_tensors: Classifier, method: Method) -> None:
    with pytest.raises(InvalidRequest, match="this model's methods are occlusion"):
        _explained(bright_without_tensors, [_half_lit(0, 0)], method=method)


@pytest.mark.parametrize("contract", [models.FERPLUS, models.NHWC_UINT8, Contract(explain=False, side=50)])
def test_any_model_can_be_explained(tmp_path: Path, contract: Contract) -> None:
    model = load_classifier(make_model(tmp_path / "mine", contract), CPU)
    crops = list(np.random.default_rng(4).integers(0, 256, (2, contract.side, contract.side, 3), np.uint8))

    heatmaps = _explained(model, crops)

    assert [heatmap.method for heatmap in heatmaps] == ["occlusion"] * 2
    for heatmap in heatmaps:
        assert heatmap.grid.shape == (7, 7)
        assert 0 <= heatmap.grid.min() <= heatmap.grid.max() <= 1


class _Clock:
    """CPU time that passes with every pass of a model."""

    def __init__(self, model: Classifier, seconds_a_pass: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.passes = 0
        run = model.runner.run

        def slow(*arguments: Any, **options: Any) -> Any:
            self.now += seconds_a_pass
            self.passes += 1
            return run(*arguments, **options)

        monkeypatch.setattr(model.runner, "run", slow)
        monkeypatch.setattr("time.thread_time", lambda: self.now)


def test_occlusion_that_would_take_too_long_is_refused_before_it_is_done(
    bright_without_tensors: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock(bright_without_tensors, 0.18, monkeypatch)
    with pytest.raises(InvalidRequest, match="takes too long"):
        _explained(bright_without_tensors, [_half_lit(0, 0)] * 3)
    assert clock.passes == 1 + 2  # The prediction, and two to measure.
    with pytest.raises(InvalidRequest, match="takes too long"):
        _explained(bright_without_tensors, [_half_lit(0, 0)] * 3)
    assert clock.passes == 1 + 2 + 1
    assert len(_explained(bright_without_tensors, [_half_lit(0, 0)] * 2)) == 2


def test_occlusion_that_takes_longer_than_it_was_measured_to_ends(
    bright_without_tensors: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as fast:
        _Clock(bright_without_tensors, 0.01, fast)
        _explained(bright_without_tensors, [_half_lit(0, 0)])
    clock = _Clock(bright_without_tensors, 0.4, monkeypatch)
    with pytest.raises(InvalidRequest, match="takes too long"):
        _explained(bright_without_tensors, [_half_lit(0, 0)] * 2)
    assert clock.now == pytest.approx(5 * 0.4)
