"""A mixer without the rows that it does not use gives the same result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from scripts.keep_one_row import RowKeeper

ROWS, WIDTH, ROW = 7, 5, 3
RANDOM = np.random.default_rng(0)


def network() -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """Two blocks that mix rows and then what each row holds, and the row that is used."""
    values: dict[str, NDArray[Any]] = {}
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


def result(nodes: list[Any], values: dict[str, NDArray[Any]], given: NDArray[np.float32]) -> NDArray[np.float32]:
    source, target = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("given", "result"))
    constants = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "network", [source], [target], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["result"], {"given": given})[0])


def test_the_result_is_the_same_from_fewer_values() -> None:
    nodes, values = network()
    stored: dict[str, NDArray[Any]] = {}

    def constant(name: str, value: NDArray[Any]) -> str:
        stored[name] = value
        return name

    fewer = RowKeeper(nodes, values, constant).nodes()
    given = RANDOM.normal(size=(2, 1, ROWS, WIDTH)).astype(np.float32)
    np.testing.assert_allclose(result(fewer, values | stored, given), result(nodes, values, given), atol=1e-5)
    of_last_block = {each for node in fewer for each in node.output if each.startswith("two_values")}
    assert not of_last_block, "values of all rows"
    assert stored["part_of_two_rows_out_matrix"].shape == (9, 1)


def test_a_network_that_uses_all_rows_is_refused() -> None:
    nodes, values = network()
    values |= {f"part_{key}": np.array([value]) for key, value in (("start", 0), ("end", 2), ("axis", 3))}
    other = helper.make_node("Slice", ["given", "part_start", "part_end", "part_axis"], ["part"])
    with pytest.raises(ValueError, match="slice one row"):
        RowKeeper([*nodes, other], values, lambda name, _: name).nodes()
