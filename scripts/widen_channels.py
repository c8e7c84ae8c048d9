"""Gives a network's feature maps a multiple of 16 channels, so that ONNX Runtime keeps them in blocks.

ONNX Runtime's fastest convolutions take channels in blocks of 8 or 16, by CPU. Between maps of 24, 28 or 42 channels it
converts layouts back and forth. The added channels are zero, so the results are the same. Paddings of channels go:
either the wider map has room, or zeros are joined to it, which a 1×1 convolution makes: other operators would leave the
blocks.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from scripts.onnx_graph import GraphWriter, attributes_of, values_of

_BLOCK = 16


class Widener(GraphWriter):
    """Writes a graph of convolutions, rectifiers, sums, poolings and channel paddings again, up to some tensors.

    ``heads`` names the tensors in front of each new output, whose channels are joined in that order.
    """

    def __init__(self, model: onnx.ModelProto, heads: dict[str, tuple[str, ...]]) -> None:
        super().__init__()
        self._graph = model.graph
        self._heads = heads
        self._values = values_of(model.graph.initializer)
        self._channels: dict[str, int] = {}
        """Channels of a tensor without the added ones."""
        self._same: dict[str, str] = {}
        """Paddings for which their input has room already."""
        self._reductions = 0
        """How often the maps were made smaller so far."""

    def model(self, source: str, outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The wide model. ``source`` is the tensor from which maps are widened; what comes before it is kept."""
        made = {node.output[0]: node for node in self._graph.node}
        joined = {name for names in self._heads.values() for name in names}
        before = True
        for node in self._graph.node:
            if before:
                self._keep(node)
                before = node.output[0] != source
            elif node.op_type == "Conv" and node.output[0] not in joined:
                self._convolution(node)
            elif node.op_type == "Pad":
                self._padding(node)
            elif node.op_type in ("Relu", "Add", "MaxPool"):
                self._keep(node)
                self._channels[node.output[0]] = self._channels[node.input[0]]
        for output, names in self._heads.items():
            self._head(output, [made[name] for name in names])
        return self._model(self._graph.name, self._graph.input, outputs)

    def _keep(self, node: onnx.NodeProto) -> None:
        inputs = [self._same.get(name, name) for name in node.input]
        for name in inputs:
            if name in self._values:
                self._constant(name, self._values[name])
        self._node(node.op_type, inputs, node.output[0], **attributes_of(node))

    def _convolution(self, node: onnx.NodeProto) -> None:
        kernel, bias = (self._values[name] for name in node.input[1:])
        attributes = attributes_of(node)
        name = node.output[0]
        self._channels[name] = len(kernel)
        self._reductions += max(attributes["strides"]) > 1
        wide = _wide(len(kernel))
        if attributes["group"] > 1:
            attributes["group"] = wide
            kernel = _grown(kernel, (wide, 1))
        else:
            # The picture has three channels and is not widened.
            given = self._channels.get(node.input[0])
            kernel = _grown(kernel, (wide, _wide(given) if given else kernel.shape[1]))
        self._conv(node.input[0], name, kernel, _grown(bias, (wide,)), **attributes)

    def _padding(self, node: onnx.NodeProto) -> None:
        source, name = node.input[0], node.output[0]
        before = self._channels[source]
        after = before + int(self._values[node.input[1]][5])
        self._channels[name] = after
        if _wide(before) == _wide(after):
            self._same[name] = self._same.get(source, source)
            return
        self._node("Concat", [source, self._zeros(source, _wide(before), _wide(after))], name, axis=1)

    def _zeros(self, source: str, before: int, after: int) -> str:
        """A map of zeros to widen ``source``. Maps of one size share it."""
        name = f"zeros_{self._reductions}_{after - before}"
        if name not in self._constants:
            kernel = self._constant(name, np.zeros((after - before, before, 1, 1), np.float32))
            self._node("Conv", [source, kernel], f"map_of_{name}", kernel_shape=[1, 1])
        return f"map_of_{name}"

    def _head(self, output: str, nodes: list[onnx.NodeProto]) -> None:
        kernel, bias = (np.concatenate([self._values[node.input[part]] for node in nodes]) for part in (1, 2))
        source = nodes[0].input[0]
        kernel = _grown(kernel, (len(kernel), _wide(self._channels[source])))
        self._conv(source, output, kernel, bias, kernel_shape=[1, 1])


def _wide(channels: int) -> int:
    return -(-channels // _BLOCK) * _BLOCK


def _grown(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The values with zeros behind them in the first dimensions."""
    more = [(0, wanted - size) for wanted, size in zip(shape, values.shape, strict=False)]
    return np.pad(values, more + [(0, 0)] * (values.ndim - len(more)))
