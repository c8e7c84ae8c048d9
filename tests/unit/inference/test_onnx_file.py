"""Tensors that are read out of a file's bytes, against what the onnx package reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.inference.onnx_file import initializer, with_output
from app.inference.session import constant

MODELS = Path(__file__).resolve().parents[3] / "models"


def _model(*tensors: onnx.TensorProto) -> bytes:
    numbers = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [numbers], [], list(tensors))
    content: bytes = helper.make_model(graph).SerializeToString()
    return content


@pytest.mark.parametrize("name", ["default", "accurate"])
def test_the_weights_of_shipped_models_are_those_that_onnx_runtime_gives(name: str) -> None:
    model = (MODELS / name / "model.onnx").read_bytes()

    found = initializer(model, "class_weights")

    assert found is not None
    np.testing.assert_array_equal(found, constant(model, "class_weights"))


def test_floats_are_read_in_each_form_that_a_file_may_have() -> None:
    values = np.arange(6).reshape(2, 3)
    stored = [numpy_helper.from_array(values.astype(kind), kind) for kind in ("float16", "float32", "float64")]
    stored.append(helper.make_tensor("numbers", TensorProto.FLOAT, [2, 3], values.ravel().astype(float)))
    model = _model(*stored)

    for tensor in stored:
        found = initializer(with_output(model, "other"), tensor.name)
        assert found is not None
        np.testing.assert_array_equal(found, values)


def test_what_is_no_float_or_is_not_there_is_left_to_onnx_runtime() -> None:
    model = _model(numpy_helper.from_array(np.ones(3, np.int8), "integers"))

    assert initializer(model, "integers") is None
    assert initializer(model, "missing") is None


@pytest.mark.parametrize("kept", range(0, 90, 3))
def test_a_file_that_is_cut_off_is_left_to_onnx_runtime(kept: int) -> None:
    model = _model(numpy_helper.from_array(np.ones(30, np.float32), "floats"))

    found = initializer(model[:kept] + b"\xff\x0f", "floats")

    assert found is None
