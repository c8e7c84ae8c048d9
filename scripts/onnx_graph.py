"""What the scripts that write ONNX graphs share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_OPSET: Final = 17


class GraphWriter:
    """The nodes of a graph and its constants by name, in the order in which they are added."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def _node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        self._constants[name] = numpy_helper.from_array(value, name)
        return name

    def _conv(self, source: str, name: str, *weights: NDArray[np.float32], **attributes: Any) -> None:
        """A convolution with a kernel and perhaps a bias. ``name`` is its output."""
        parts = zip(("kernel", "bias"), weights, strict=False)
        named = [self._constant(f"{part}_{name}", value) for part, value in parts]
        self._node("Conv", [source, *named], name, **attributes)

    def _model(
        self, name: str, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
    ) -> onnx.ModelProto:
        """The whole graph as a model, checked."""
        graph = helper.make_graph(self._nodes, name, inputs, outputs, [*self._constants.values()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


class GraphRewriter(GraphWriter):
    """Writes given nodes again. ``values`` are their constants by name; ``constants`` are those that come to them."""

    def __init__(self, nodes: Iterable[onnx.NodeProto], values: Mapping[str, NDArray[Any]]) -> None:
        super().__init__()
        self._given = [*nodes]
        self._values = values

    @property
    def constants(self) -> dict[str, onnx.TensorProto]:
        return self._constants


def values_of(constants: Iterable[onnx.TensorProto]) -> dict[str, NDArray[Any]]:
    """The values of constants by name."""
    return {constant.name: numpy_helper.to_array(constant) for constant in constants}


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
