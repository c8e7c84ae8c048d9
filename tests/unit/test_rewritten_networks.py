"""Networks that the scripts have rewritten give the same results as before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from scripts.keep_one_row import RowKeeper
from scripts.onnx_graph import values_of
from scripts.unfold_prelu import PreluUnfolder

ROWS, WIDTH, ROW = 7, 5, 3
RANDOM = np.random.default_rng(0)

Values = dict[str, NDArray[Any]]


def result(nodes: Iterable[Any], values: Values, given: NDArray[np.float32]) -> NDArray[np.float32]:
    source, target = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("given", "result"))
    constants = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "network", [source], [target], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["result"], {"given": given})[0])


def residual_network() -> tuple[list[Any], Values]:
    """A residual block with a narrow middle, and the pooling, the second block and the padding after it. Its slopes lie
    below 0, between 0 and 1, and above 1."""
    values: Values = {"pads": np.array([0, 0, 0, 0, 0, 16, 0, 0], np.int64)}
    nodes = []

    def conv(source: str, name: str, out: int, given: int, *, size: int = 1, groups: int = 1) -> None:
        values[f"k_{name}"] = RANDOM.normal(size=(out, given // groups, size, size)).astype(np.float32) / given**0.5
        values[f"b_{name}"] = RANDOM.normal(size=out).astype(np.float32)
        shape = {"group": groups, "kernel_shape": [size, size], "auto_pad": "SAME_UPPER"}
        nodes.append(helper.make_node("Conv", [source, f"k_{name}", f"b_{name}"], [name], **shape))

    def prelu(source: str, name: str, channels: int) -> None:
        values[f"s_{name}"] = RANDOM.uniform(-1, 2.5, size=(channels, 1, 1)).astype(np.float32)
        nodes.append(helper.make_node("PRelu", [source, f"s_{name}"], [name]))

    def block(source: str, name: str) -> None:
        conv(source, f"{name}_down", 8, 16)
        prelu(f"{name}_down", f"{name}_narrow", 8)
        conv(f"{name}_narrow", f"{name}_each", 8, 8, size=3, groups=8)
        conv(f"{name}_each", f"{name}_up", 16, 8)
        nodes.append(helper.make_node("Add", [source, f"{name}_up"], [f"{name}_sum"]))
        prelu(f"{name}_sum", name, 16)

    conv("given", "first", 16, 3, size=3)
    prelu("first", "start", 16)
    block("start", "one")
    block("one", "two")
    nodes.append(helper.make_node("MaxPool", ["two"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]))
    nodes.append(helper.make_node("Pad", ["pooled", "pads"], ["padded"]))
    conv("two", "half", 32, 16, size=2)
    nodes[-1].attribute.append(helper.make_attribute("strides", [2, 2]))
    nodes.append(helper.make_node("Add", ["padded", "half"], ["wide"]))
    prelu("wide", "last", 32)
    conv("last", "result", 5, 32)
    return nodes, values


def mixer() -> tuple[list[Any], Values]:
    """Two blocks that mix rows and then what each row holds, and the row that is used."""
    values: Values = {}
    nodes = []

    def node(kind: str, sources: list[str], name: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, sources, [name], **attributes))
        return name

    def constant(name: str, *shape: int) -> str:
        values[name] = RANDOM.normal(size=shape).astype(np.float32)
        return name

    def linear(source: str, name: str, given: int, out: int) -> str:
        product = node("MatMul", [source, constant(f"{name}_matrix", given, out)], f"{name}_product")
        return node("Add", [product, constant(f"{name}_bias", out)], name)

    def perceptron(source: str, name: str, width: int) -> str:
        middle = node("Relu", [linear(source, f"{name}_in", width, 9)], f"{name}_middle")
        return linear(middle, f"{name}_out", 9, width)

    def block(source: str, name: str) -> str:
        normal = node("LayerNormalization", [source, constant(f"{name}_scale", WIDTH)], f"{name}_normal")
        turned = node("Transpose", [normal], f"{name}_turned", perm=[0, 1, 3, 2])
        mixed = perceptron(turned, f"{name}_rows", ROWS)
        back = node("Transpose", [mixed], f"{name}_back", perm=[0, 1, 3, 2])
        rows = node("Add", [back, source], f"{name}_sum")
        normal = node("LayerNormalization", [rows, constant(f"{name}_other_scale", WIDTH)], f"{name}_other_normal")
        return node("Add", [perceptron(normal, f"{name}_values", WIDTH), rows], name)

    last = block(block("given", "one"), "two")
    for name, start, end in (("few", 1, 4), ("row", ROW - 1, ROW)):
        bounds = {"start": (0, start, 0), "end": (1, end, WIDTH), "axis": (1, 2, 3)}
        values |= {f"{name}_{key}": np.array(bound) for key, bound in bounds.items()}
        last = node("Slice", [last, *(f"{name}_{key}" for key in ("start", "end", "axis"))], name)
    linear(last, "result", WIDTH, 3)
    return nodes, values


def test_a_network_without_prelu_gives_the_same() -> None:
    nodes, values = residual_network()

    unfolder = PreluUnfolder(nodes, values)
    rewritten = unfolder.nodes()

    assert "PRelu" not in {node.op_type for node in rewritten}
    image = RANDOM.normal(size=(2, 3, 16, 16)).astype(np.float32)
    found = result(rewritten, values_of(unfolder.constants.values()), image)
    assert found == pytest.approx(result(nodes, values, image), abs=1e-4)


def test_a_mixer_without_the_rows_that_it_does_not_use_gives_the_same() -> None:
    nodes, values = mixer()

    keeper = RowKeeper(nodes, values)
    fewer = keeper.nodes()

    stored = values_of(keeper.constants.values())
    given = RANDOM.normal(size=(2, 1, ROWS, WIDTH)).astype(np.float32)
    np.testing.assert_allclose(result(fewer, values | stored, given), result(nodes, values, given), atol=1e-5)
    of_last_block = {each for node in fewer for each in node.output if each.startswith("two_values")}
    assert not of_last_block, "values of all rows"
    assert stored["part_of_two_rows_out_matrix"].shape == (9, 1)


def test_a_mixer_that_uses_all_rows_is_refused() -> None:
    nodes, values = mixer()
    values |= {f"part_{key}": np.array([value]) for key, value in (("start", 0), ("end", 2), ("axis", 3))}
    other = helper.make_node("Slice", ["given", "part_start", "part_end", "part_axis"], ["part"])
    with pytest.raises(ValueError, match="slice one row"):
        RowKeeper([*nodes, other], values).nodes()
