"""Rewrites a network of convolutions and PRelu so that ONNX Runtime takes less time for it, with the same results.

ONNX Runtime has no PRelu for maps in blocks of channels: around each one it converts layouts back and forth. So no
PRelu is left, and a tensor's channels are a matrix times what is stored of it. The next convolution's weights include
that matrix.

- A convolution to fewer channels than a block gives its result and the negative of it, both through a Relu, which ONNX
  Runtime joins to the convolution: ``PRelu(x) = relu(x) - slope × relu(-x)``.
- Elsewhere ``PRelu(x) = slope × x + (1 - slope) × relu(x)`` is two convolutions of single channels. ONNX Runtime joins
  the Relu to the first and the sum to the second. Where a slope above 1 makes it a difference, the negative of that
  channel is stored. The largest of negatives would be the smallest: before a pooling, one convolution more turns them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from scripts.onnx_graph import GraphRewriter, attributes_of

_BLOCK = 16


class PreluUnfolder(GraphRewriter):
    """Writes a graph of convolutions, PRelus, sums, poolings and paddings of channels again. Other nodes are kept."""

    def __init__(self, nodes: Iterable[onnx.NodeProto], values: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(nodes, values)
        self._slopes = {node.input[0]: self._slope(node) for node in self._given if node.op_type == "PRelu"}
        self._pooled = {node.input[0] for node in self._given if node.op_type == "MaxPool"}
        self._partners = {node.input[1]: node.input[0] for node in self._given if node.op_type == "Add"}
        """What the result of each convolution is added to."""
        self._matrices: dict[str, NDArray[np.float32]] = {}
        """From what is stored of a tensor to its channels (channels, stored)."""

    def nodes(self) -> list[onnx.NodeProto]:
        writers = {"Conv": self._convolve, "PRelu": self._unfold, "Pad": self._widen, "Add": self._keep_matrix}
        for node in self._given:
            writers.get(node.op_type, self._keep_matrix)(node)
        return self._nodes

    def _slope(self, node: onnx.NodeProto) -> NDArray[np.float32]:
        return self._values[node.input[1]].ravel()

    def _keep_matrix(self, node: onnx.NodeProto) -> None:
        if node.input[0] in self._matrices:
            self._matrices[node.output[0]] = self._matrices[node.input[0]]
        self._nodes.append(node)

    def _convolve(self, node: onnx.NodeProto) -> None:
        source, name = node.input[0], node.output[0]
        attributes = attributes_of(node)
        kernel, bias = (self._values[weights] for weights in node.input[1:])
        if attributes["group"] > 1:
            matrix = self._matrices[name] = self._matrices[source]
            # The first stored part of each channel has its sign and takes the bias.
            kernel, bias = (
                kernel[np.abs(matrix).argmax(axis=0)],
                np.pad(bias * np.sign(matrix.diagonal()), (0, matrix.shape[1] - len(bias))),
            )
            attributes["group"] = len(kernel)
        else:
            if source in self._matrices:
                kernel = np.einsum("oihw,is->oshw", kernel, self._matrices[source])
            stored = self._stored_as(name, len(kernel))
            kernel, bias = np.tensordot(stored, kernel, 1), stored @ bias
            self._matrices[name] = np.linalg.pinv(stored).astype(np.float32).round(6)
        self._conv(source, name, kernel.astype(np.float32), bias.astype(np.float32), **attributes)

    def _stored_as(self, name: str, channels: int) -> NDArray[np.float32]:
        """From the channels of a convolution's result to what is stored of it."""
        same = np.eye(channels, dtype=np.float32)
        if name in self._slopes and channels < _BLOCK:
            return np.concatenate([same, -same])
        return self._matrices[self._partners[name]] if name in self._partners else same

    def _unfold(self, node: onnx.NodeProto) -> None:
        source, name, slope = node.input[0], node.output[0], self._slope(node)
        before = self._matrices[source]
        if before.shape[1] > len(before):
            self._matrices[name] = np.concatenate([np.eye(len(slope)), -np.diag(slope)], axis=1).astype(np.float32)
            self._node("Relu", [source], name)
            return
        turned, signs = np.where(slope > 1, -1, 1), np.sign(before.diagonal())
        steep, bent, linear = (f"{part}_{name}" for part in ("steep", "bent", "linear"))
        self._scale(source, steep, np.abs(1 - slope) * signs)
        self._node("Relu", [steep], bent)
        if name in self._pooled:
            self._scale(bent, f"upright_{name}", turned)
            bent, turned = f"upright_{name}", np.ones(len(slope))
        self._scale(source, linear, slope * signs * turned)
        self._node("Add", [bent, linear], name)
        self._matrices[name] = np.diag(turned).astype(np.float32)

    def _widen(self, node: onnx.NodeProto) -> None:
        """A 1×1 convolution that copies the channels is faster than leaving the blocks for a padding."""
        source, name = node.input[0], node.output[0]
        channels = len(self._matrices[source])
        more = int(self._values[node.input[1]][5])
        self._matrices[name] = np.eye(channels + more, dtype=np.float32)
        kernel = np.eye(channels + more, channels, dtype=np.float32)[:, :, None, None]
        self._conv(source, name, kernel, kernel_shape=[1, 1])

    def _scale(self, source: str, name: str, factors: NDArray[np.float32]) -> None:
        kernel = factors.reshape(-1, 1, 1, 1).astype(np.float32)
        self._conv(source, name, kernel, group=len(kernel), kernel_shape=[1, 1])
