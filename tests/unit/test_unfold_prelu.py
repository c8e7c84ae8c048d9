"""The rewriting of PRelu gives the same results as ONNX Runtime's own operator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from scripts.unfold_prelu import PreluUnfolder

RANDOM = np.random.default_rng(0)


def network() -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """A residual block with a narrow middle, and the pooling, the second block and the padding after it. Its slopes lie
    below 0, between 0 and 1, and above 1."""
    values: dict[str, NDArray[Any]] = {"pads": np.array([0, 0, 0, 0, 0, 16, 0, 0], np.int64)}
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

    conv("image", "first", 16, 3, size=3)
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


def result(nodes: list[Any], values: dict[str, NDArray[Any]], image: NDArray[np.float32]) -> NDArray[np.float32]:
    source, target = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("image", "result"))
    constants = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "network", [source], [target], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(["result"], {"image": image})[0]
    return found


def test_the_rewritten_network_gives_the_same() -> None:
    nodes, values = network()
    written: dict[str, NDArray[Any]] = {}

    def constant(name: str, value: NDArray[Any]) -> str:
        written[name] = np.ascontiguousarray(value)
        return name

    rewritten = PreluUnfolder(nodes, values, constant).nodes()
    assert "PRelu" not in {node.op_type for node in rewritten}
    image = RANDOM.normal(size=(2, 3, 16, 16)).astype(np.float32)
    assert result(rewritten, written, image) == pytest.approx(result(nodes, values, image), abs=1e-4)
