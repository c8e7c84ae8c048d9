"""A model that lies, or was tampered with, never serves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from app.inference.classifier import load_classifier
from app.inference.manifest import BadModel
from app.inference.session import SessionSpec
from app.memory_budget import process_memory
from tests import models
from tests.models import Contract, make_model, network, true_manifest, write_model

CPU = SessionSpec(("cpu",))


def _refusal(folder: Path) -> str:
    with pytest.raises(BadModel) as refusal:
        load_classifier(folder, CPU)
    message = str(refusal.value)
    assert message.startswith(f"Model {folder.name}: ")
    assert message.endswith(".")
    assert ". " not in message
    assert "\n" not in message
    return message


def _rehash(folder: Path) -> None:
    """Makes the manifest name the hash of the file as it is."""
    path = folder / "manifest.json"
    written = json.loads(path.read_text())
    written["sha256"] = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    path.write_text(json.dumps(written))


@pytest.mark.parametrize(
    ("contract", "changes", "sentence"),
    [
        (Contract(), {"sha256": "0" * 64}, "not 000000000000… as its manifest says"),
        (Contract(), {"file": "other.onnx"}, "there is no other.onnx"),
        (Contract(), {"input__width": 64}, "the manifest's input is NCHW [1, 48, 64], but the graph's is [1, 48, 48]"),
        (Contract(), {"input__channels": "rgb"}, "the manifest's input is NCHW [3, 48, 48]"),
        (Contract(), {"input__layout": "NHWC"}, "the manifest's input is NHWC [48, 48, 1]"),
        (Contract(), {"input__dtype": "uint8"}, "input.dtype is uint8, but the graph takes tensor(float)"),
        (Contract(), {"labels": ["happy", "sad"]}, "there are 2 labels, but the output is of shape"),
        (Contract(), {"output__tensor": "logits"}, "output.tensor names 'logits', but the graph gives scores."),
        (Contract(), {"output__kind": "probabilities"}, "but its outputs are not at least 0 with a sum of 1"),
        (models.NHWC_UINT8, {"output__kind": "logits"}, "output.kind is logits, but its outputs are probabilities"),
        (Contract(batch=4), {}, "its batch is fixed to 4"),
        (Contract(), {"explain__features": "nowhere"}, "which the graph does not compute"),
        (Contract(), {"explain__features": "flat"}, "explain.features is of shape (2, 6)"),
        (Contract(), {"explain__weights": "nothing"}, "which is no initializer of the graph"),
        (Contract(), {"explain__weights": "kernel"}, "explain.weights is of shape (6, 1, 8, 8)"),
    ],
)
def test_a_manifest_that_lies_is_refused(
    tmp_path: Path, contract: Contract, changes: dict[str, Any], sentence: str
) -> None:
    assert sentence in _refusal(make_model(tmp_path / "liar", contract, **changes))


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_flipped_bit_is_noticed(tmp_path: Path, place: float) -> None:
    folder = make_model(tmp_path / "tampered")
    data = bytearray((folder / "model.onnx").read_bytes())
    data[round(place * (len(data) - 1))] ^= 1
    (folder / "model.onnx").write_bytes(data)

    assert "has SHA-256" in _refusal(folder)


def test_a_swapped_file_is_noticed(tmp_path: Path) -> None:
    folder, other = make_model(tmp_path / "mine"), make_model(tmp_path / "other", Contract(seed=2))
    (folder / "model.onnx").write_bytes((other / "model.onnx").read_bytes())

    assert "has SHA-256" in _refusal(folder)


def test_a_file_that_is_large_for_the_memory_of_the_process_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_model(tmp_path / "large")
    monkeypatch.setattr(process_memory(), "limit_mb", 256)
    with (folder / "model.onnx").open("r+b") as file:
        file.truncate(43 * 2**20)
    assert "has more than" in _refusal(folder)
    monkeypatch.setattr(process_memory(), "limit_mb", 512)
    assert "has SHA-256" in _refusal(folder)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.6, 0.95, 0.999])
def test_a_truncated_file_is_refused_even_with_the_right_hash(tmp_path: Path, share: float) -> None:
    folder = make_model(tmp_path / "truncated")
    data = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(data[: int(share * len(data))])
    _rehash(folder)

    _refusal(folder)


@pytest.mark.parametrize("data", [b"", b"\x00", b"no model at all", b"\xff" * 64, b"\x08" + b"\xff" * 20])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    folder = write_model(tmp_path / "mine", data, true_manifest("mine", Contract()))

    assert "ONNX Runtime does not open it" in _refusal(folder)


@pytest.mark.parametrize(
    ("opset", "sentence"), [(1, "Relu(1)"), (6, "Gemm(6)"), (27, "support opset 27"), (99, "support opset 99")]
)
def test_an_opset_that_cannot_be_run_is_refused(tmp_path: Path, opset: int, sentence: str) -> None:
    model = network(Contract())
    model.opset_import[0].version = opset
    folder = write_model(tmp_path / "mine", model, true_manifest("mine", Contract()))

    assert sentence in _refusal(folder)


def test_an_operator_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    model = network(Contract())
    model.graph.node[0].op_type = "Convolution"
    folder = write_model(tmp_path / "mine", model, true_manifest("mine", Contract()))

    assert "ONNX Runtime does not open it" in _refusal(folder)


def _as_initializer(model: onnx.ModelProto, kernel: TensorProto) -> None:
    model.graph.initializer.append(kernel)


def _as_attribute(model: onnx.ModelProto, kernel: TensorProto) -> None:
    model.graph.node.insert(0, helper.make_node("Constant", [], [kernel.name], value=kernel))


@pytest.mark.parametrize("add", [_as_initializer, _as_attribute])
@pytest.mark.parametrize("location", ["weights.bin", "mine/weights.bin", "../weights.bin", "{folder}/weights.bin"])
def test_weights_in_another_file_are_refused_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, add: Callable[[onnx.ModelProto, TensorProto], None]
) -> None:
    model = network(Contract())
    kernel = model.graph.initializer[0]
    values = kernel.raw_data
    external_data_helper.set_external_data(kernel, location.format(folder=tmp_path))
    kernel.ClearField("raw_data")
    del model.graph.initializer[0]
    add(model, kernel)
    folder = write_model(tmp_path / "mine", model, true_manifest("mine", Contract()))
    for place in (tmp_path, folder, tmp_path.parent):
        (place / "weights.bin").write_bytes(values)
    monkeypatch.chdir(tmp_path)

    assert "it keeps weights in another file; save it as one file" in _refusal(folder)


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    folder, other = make_model(tmp_path / "mine"), make_model(tmp_path / "other")
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to(other / "model.onnx")

    assert "model.onnx leads out of the model's folder" in _refusal(folder)


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "mine")
    (folder / "..data").mkdir()
    (folder / "model.onnx").rename(folder / "..data" / "model.onnx")
    (folder / "model.onnx").symlink_to(Path("..data") / "model.onnx")

    assert load_classifier(folder, CPU).manifest.name == "mine"


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "mine")
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").mkdir()

    assert "model.onnx is not a regular file" in _refusal(folder)


def test_a_network_that_answers_nan_is_refused(tmp_path: Path) -> None:
    model = network(Contract())
    bias = model.graph.initializer[2]
    bias.CopyFrom(numpy_helper.from_array(np.full(7, np.nan, np.float32), "bias"))
    folder = write_model(tmp_path / "mine", model, true_manifest("mine", Contract()))

    assert "numbers that are not finite" in _refusal(folder)


def test_a_network_that_only_claims_a_dynamic_batch_is_refused(tmp_path: Path) -> None:
    model = network(Contract())
    shape = numpy_helper.from_array(np.array([1, -1], np.int64), "shape")
    model.graph.initializer.append(shape)
    model.graph.node[3].CopyFrom(helper.make_node("Reshape", ["pooled", "shape"], ["flat"]))
    folder = write_model(tmp_path / "mine", model, true_manifest("mine", Contract()))

    assert "it fails on a picture" in _refusal(folder)


def test_a_network_of_two_inputs_is_refused(tmp_path: Path) -> None:
    model = network(Contract())
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))
    folder = write_model(tmp_path / "mine", model, true_manifest("mine", Contract()))

    assert "the graph takes 2 inputs" in _refusal(folder)


def test_class_weights_may_lie_the_other_way_round_or_be_a_convolution_or_be_computed(tmp_path: Path) -> None:
    straight = load_classifier(make_model(tmp_path / "straight"), CPU).class_weights
    assert straight is not None

    model = network(Contract())
    model.graph.initializer.append(numpy_helper.from_array(straight.T.copy(), "turned"))
    model.graph.initializer.append(numpy_helper.from_array(straight.reshape(7, 6, 1, 1), "convolution"))
    half = numpy_helper.from_array(straight.astype(np.float16), "half")
    model.graph.initializer.append(half)
    floats = helper.make_tensor("floats", TensorProto.FLOAT, [7, 6], straight.ravel())
    model.graph.initializer.append(floats)
    long_name = "computed" * 40
    model.graph.node.append(helper.make_node("Cast", ["half"], [long_name], to=TensorProto.FLOAT))
    for name in ("turned", "convolution", "half", "floats", long_name):
        written = true_manifest(name[:20], Contract())
        folder = write_model(tmp_path / name[:20], model, written, explain__weights=name)
        found = load_classifier(folder, CPU).class_weights
        assert found is not None
        np.testing.assert_allclose(found, straight, rtol=1e-3)


def test_class_weights_of_integers_are_refused(tmp_path: Path) -> None:
    model = network(Contract())
    model.graph.initializer.append(numpy_helper.from_array(np.ones((7, 6), np.int8), "quantised"))
    folder = write_model(tmp_path / "mine", model, true_manifest("mine", Contract()), explain__weights="quantised")

    assert "its values are not of type float" in _refusal(folder)


def test_features_that_are_an_output_already_are_taken_from_there(tmp_path: Path) -> None:
    model = network(Contract())
    model.graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 6, 6, 6]))
    folder = write_model(tmp_path / "mine", model, true_manifest("mine", Contract()))

    classifier = load_classifier(folder, CPU)

    crop = np.zeros((48, 48, 3), np.uint8)
    assert classifier.infer(classifier.prepare([crop]), with_features=True).features is not None


def test_a_network_whose_old_format_lists_weights_as_inputs_is_served(tmp_path: Path) -> None:
    model = network(models.FERPLUS)
    model.ir_version = 3
    for initializer in model.graph.initializer:
        dims = list(initializer.dims)
        model.graph.input.append(helper.make_tensor_value_info(initializer.name, TensorProto.FLOAT, dims))
    folder = write_model(tmp_path / "mine", model, true_manifest("mine", models.FERPLUS))

    assert load_classifier(folder, CPU).manifest.labels == models.EIGHT
