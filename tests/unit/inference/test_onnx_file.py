"""What is read from an ONNX file without the ``onnx`` package, against that package, and on hostile bytes."""

from __future__ import annotations

import contextlib

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from app.inference import onnx_file
from app.inference.onnx_file import NotOnnx
from tests.models import Contract, network

MODEL = network(Contract())
BYTES = MODEL.SerializeToString()


def test_a_graph_is_read_as_the_onnx_package_reads_it() -> None:
    file = onnx_file.read(BYTES)

    assert file.opset == 17
    assert file.external == ()
    assert file.tensors == {name for node in MODEL.graph.node for name in node.output}
    assert file.outputs == {"scores"}
    for initializer in MODEL.graph.initializer:
        np.testing.assert_array_equal(file.initializer(initializer.name), numpy_helper.to_array(initializer))
    assert file.initializer("scores") is None


def test_one_more_output_is_what_the_onnx_package_reads_too() -> None:
    longer = onnx.load_from_string(onnx_file.read(BYTES).with_output("features"))

    assert [output.name for output in longer.graph.output] == ["scores", "features"]
    assert longer.graph.node == MODEL.graph.node


def test_operators_of_other_domains_do_not_count() -> None:
    model = network(Contract())
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))

    assert onnx_file.read(model.SerializeToString()).opset == 17


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0, 4)])
@pytest.mark.parametrize("raw", [True, False])
def test_values_are_read_in_either_way_of_writing_them(shape: tuple[int, ...], raw: bool) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    data = values.tobytes() if raw else values.ravel().tolist()
    model = network(Contract())
    model.graph.initializer.append(helper.make_tensor("mine", TensorProto.FLOAT, shape, data, raw=raw))

    np.testing.assert_array_equal(onnx_file.read(model.SerializeToString()).initializer("mine"), values)


@pytest.mark.parametrize(("dims", "size"), [([2, 2], 12), ([2, 2], 15), ([-1, -4], 16), ([2**40, 2**40], 16)])
def test_values_that_do_not_fill_their_shape_are_refused(dims: list[int], size: int) -> None:
    model = network(Contract())
    model.graph.initializer.append(TensorProto(name="mine", data_type=1, dims=dims, raw_data=bytes(size)))

    with pytest.raises(NotOnnx, match="do not fill its shape"):
        onnx_file.read(model.SerializeToString()).initializer("mine")


def test_subgraphs_may_nest_deeper_than_python_recurses() -> None:
    graph = helper.make_graph([], "innermost", [], [])
    data = graph.SerializeToString()
    for _ in range(3000):
        attribute = _field(6, data)
        node = _field(5, attribute)
        data = _field(1, node)
    opset = _field(8, helper.make_opsetid("", 17).SerializeToString())

    assert onnx_file.read(opset + _field(7, data)).external == ()


def _field(number: int, body: bytes) -> bytes:
    size, out = len(body), bytearray([number << 3 | 2])
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(out) + bytes([size]) + body


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(NotOnnx):
        onnx_file.read(data).initializer("x")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(BYTES) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_any_spoilt_model_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(BYTES)
    for place, value in changes:
        data[place] = value
    with contextlib.suppress(NotOnnx):
        onnx_file.read(bytes(data)).initializer("class_weights")
