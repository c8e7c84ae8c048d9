"""The measure of heatmaps, on a model whose important pixels are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from app.inference.classifier import load_classifier
from app.inference.session import SessionSpec
from benchmarks.explanations import STEPS, Subject, correlation, measure, shuffle
from tests.models import make_brightness_model, make_model
from training import heatmaps

CHEAP = ("contrast", "cam", "occlusion", "centre", "random")


def subject_of(folder: Path) -> Subject:
    model = load_classifier(folder, SessionSpec(("cpu",)))
    methods = heatmaps.methods(model)
    return Subject(model, {name: methods[name] for name in CHEAP})


def lit(row: int, column: int) -> NDArray[np.uint8]:
    """A face that is bright in one place."""
    face = np.full((48, 48, 3), 110, np.uint8)
    face[row : row + 16, column : column + 16] = 255
    return face


@pytest.mark.parametrize("corner", [0, 32])
def test_a_true_map_beats_maps_that_know_nothing(tmp_path: Path, corner: int) -> None:
    subject = subject_of(make_brightness_model(tmp_path / "default"))

    figures = measure(subject, None, 0, lit(corner, corner))

    ahead = {
        name: np.trapezoid(each.insertion, STEPS) - np.trapezoid(each.deletion, STEPS) for name, each in figures.items()
    }
    assert min(ahead["contrast"], ahead["cam"], ahead["occlusion"]) > max(ahead["random"], ahead["centre"])
    assert all(each.deletion[0] == each.insertion[-1] for each in figures.values())
    assert all(each.mirrored is each.shuffled is None for each in figures.values())


def test_maps_are_compared_with_those_of_the_mirrored_face_and_of_another_network(tmp_path: Path) -> None:
    subject = subject_of(make_brightness_model(tmp_path / "default"))
    # It is happy about dark crops.
    opposite = make_brightness_model(tmp_path / "opposite")
    graph = onnx.load(opposite / "model.onnx")
    weights = next(each for each in graph.graph.initializer if each.name == "class_weights")
    weights.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weights), weights.name))
    onnx.save(graph, tmp_path / "opposite.onnx")
    shuffled = subject_of(_republished(opposite, tmp_path / "opposite.onnx"))

    figures = measure(subject, shuffled, 0, lit(0, 32))

    assert figures["cam"].mirrored == pytest.approx(1)
    assert figures["centre"].mirrored == figures["centre"].shuffled == pytest.approx(1)
    assert figures["cam"].shuffled is not None
    assert figures["cam"].shuffled < 0.2
    assert figures["random"].mirrored is not None
    assert abs(figures["random"].mirrored) < 0.5


def _republished(folder: Path, graph: Path) -> Path:
    from app.inference.manifest import load_manifest
    from training.model_folder import publish

    publish(folder, graph.read_bytes(), load_manifest(folder))
    return folder


def test_a_flat_map_agrees_with_nothing() -> None:
    assert correlation(np.zeros((7, 7), np.float32), np.random.default_rng(0).random((7, 7), np.float32)) == 0


def test_shuffled_weights_are_the_same_values_in_another_order(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "mine")

    shuffled = shuffle(folder, tmp_path / "shuffled")

    before, after = (
        {each.name: numpy_helper.to_array(each) for each in onnx.load(where / "model.onnx").graph.initializer}
        for where in (folder, shuffled)
    )
    assert shuffled.name == "mine"
    for name, values in before.items():
        np.testing.assert_array_equal(np.sort(values, axis=None), np.sort(after[name], axis=None))
        assert (values.ndim < 2) == bool((values == after[name]).all())
    load_classifier(shuffled, SessionSpec(("cpu",)))
