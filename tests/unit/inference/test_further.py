"""Models that give more than their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.inference.classifier import Classifier, load_classifier
from app.inference.manifest import BadModel
from app.inference.session import SessionSpec
from tests.models import Contract, network, true_manifest, write_model

CPU = SessionSpec(("cpu",))
AFFECT = {"kind": "regression", "tensor": "affect", "names": ["valence", "arousal"], "range": [-1, 1]}
UNITS = {
    "kind": "multilabel",
    "tensor": "units",
    "names": ["AU4", "AU12", "AU26"],
    "values": "logits",
    "thresholds": [0.5, 0.5, 0.9],
}


def richer(
    contract: Contract, affect: tuple[float, ...] = (0.25, 3.0), units: tuple[float, ...] = (-2.0, 2.0, 2.0)
) -> onnx.ModelProto:
    """The network of a contract with two outputs more, which are the same for every face."""
    model = network(contract)
    for name, values in (("affect", affect), ("units", units)):
        row = np.array([values], np.float32)
        model.graph.initializer.append(numpy_helper.from_array(row, f"{name}_row"))
        model.graph.initializer.append(numpy_helper.from_array(np.zeros((6, len(values)), np.float32), f"{name}_zero"))
        model.graph.node.append(helper.make_node("MatMul", ["flat", f"{name}_zero"], [f"{name}_none"]))
        model.graph.node.append(helper.make_node("Add", [f"{name}_none", f"{name}_row"], [name]))
        shape = [contract.batch, len(values)]
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return model


def make(folder: Path, *outputs: dict[str, Any], model: onnx.ModelProto | None = None, **changes: Any) -> Path:
    contract = Contract()
    written = {**true_manifest(folder.name, contract), "outputs": list(outputs)}
    return write_model(folder, model or richer(contract), written, **changes)


def infer(model: Classifier, faces: int, *, with_features: bool = False) -> list[dict[str, tuple[float, bool | None]]]:
    crops = [np.full((48, 48, 3), 40 * number, np.uint8) for number in range(faces)]
    found = model.infer(model.prepare(crops), with_features=with_features)
    assert found.probabilities.shape == (faces, 7)
    assert (found.features is not None) == with_features
    return [{each.name: (round(each.value, 4), each.active) for each in face} for face in found.further]


@pytest.mark.parametrize("with_features", [False, True])
def test_every_face_has_them(tmp_path: Path, with_features: bool) -> None:
    model = load_classifier(make(tmp_path / "rich", AFFECT, UNITS), CPU)
    expected = {
        "valence": (0.25, None),
        "arousal": (1.0, None),
        "AU4": (0.1192, False),
        "AU12": (0.8808, True),
        "AU26": (0.8808, False),
    }
    assert infer(model, 3, with_features=with_features) == [expected] * 3


def test_their_order_is_that_of_the_manifest(tmp_path: Path) -> None:
    model = load_classifier(make(tmp_path / "rich", UNITS, AFFECT), CPU)
    assert [*infer(model, 1)[0]] == ["AU4", "AU12", "AU26", "valence", "arousal"]


def test_a_model_without_them_has_none(tmp_path: Path) -> None:
    assert infer(load_classifier(make(tmp_path / "plain"), CPU), 2) == []


def test_probabilities_are_taken_as_they_are(tmp_path: Path) -> None:
    model = richer(Contract(), units=(0.1, 0.5, 1.0))
    units = {**UNITS, "values": "probabilities"}
    (face,) = infer(load_classifier(make(tmp_path / "rich", units, model=model), CPU), 1)
    assert face == {"AU4": (0.1, False), "AU12": (0.5, True), "AU26": (1.0, True)}


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ({**AFFECT, "tensor": "mood"}, "outputs names 'mood', but the graph gives scores"),
        ({**AFFECT, "names": ["valence"]}, "outputs gives 'affect' 1 names, but it is of shape"),
        ({**AFFECT, "range": [1, -1]}, "must be a lower and a higher number"),
        ({**AFFECT, "names": ["x", "x"]}, "names two numbers alike"),
        ({**UNITS, "thresholds": [0.5]}, "thresholds has 1 numbers for 3 names"),
        ({**UNITS, "thresholds": [0.5, 0.5, 2]}, "less than or equal to 1"),
        ({**UNITS, "values": "probabilities"}, "output 'units' has numbers that are no probabilities"),
        ({"kind": "ranking", "tensor": "affect", "names": ["a"]}, "outputs.0"),
    ],
)
def test_a_manifest_that_lies_about_them_is_refused(tmp_path: Path, output: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadModel) as refusal:
        load_classifier(make(tmp_path / "liar", output), CPU)
    assert sentence in str(refusal.value)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = richer(Contract(), affect=(float("nan"), 0.0))
    with pytest.raises(BadModel, match="'affect' has numbers that are not finite"):
        load_classifier(make(tmp_path / "broken", AFFECT, model=model), CPU)
