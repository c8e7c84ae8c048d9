"""Computes one row of a mixer's last tensor alone, where the network uses no other.

A mixer has a row for each part of its input, and takes turns between mixing rows and mixing what a row holds. After the
last mixing of rows, a network that slices one row out has computed all the others for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from scripts.onnx_graph import GraphRewriter


class RowKeeper(GraphRewriter):
    """Writes the end of a mixer again, whose tensors are (n, 1, rows, values) and which slices one row out.

    Its slices have bounds for the last three axes.
    """

    def __init__(self, nodes: Iterable[onnx.NodeProto], values: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(nodes, values)
        self._producers = {node.output[0]: node for node in self._given}
        self._rows: dict[str, str] = {}
        self._index = 0

    def nodes(self) -> list[onnx.NodeProto]:
        slices = [node for node in self._given if node.op_type == "Slice"][-2:]
        if slices[1].input[0] != slices[0].output[0]:
            raise ValueError("The network does not slice one row out of its last tensor.")
        last = self._given.index(slices[1])
        self._index = sum(int(self._values[node.input[1]][1]) for node in slices)
        row = self._row(slices[0].input[0])
        after = [helper.make_node("Identity", [row], slices[1].output), *self._given[last + 1 :]]
        return _needed([*self._given[:last], *self._nodes, *after], self._given[-1].output[0])

    def _row(self, name: str) -> str:
        """The row of a tensor, which may be a constant for all rows."""
        if name in self._values:
            return name
        if name not in self._rows:
            node = self._producers[name]
            if node.op_type == "Transpose":
                sources = [self._column(node.input[0])]
            elif any(self._mixes(source) for source in node.input):
                # What the rows were before they were mixed is needed whole.
                sources = [self._row(source) if self._mixes(source) else self._sliced(source) for source in node.input]
            else:
                sources = [self._row(source) for source in node.input]
            self._rows[name] = self._write(node, sources)
        return self._rows[name]

    def _column(self, name: str) -> str:
        """The row before it is turned: a column of the last product with a constant matrix."""
        node = self._producers[name]
        whole, weights = node.input
        part = self._constant(f"part_of_{weights}", self._values[weights][..., self._index : self._index + 1])
        return self._write(node, [whole if node.op_type == "MatMul" else self._column(whole), part])

    def _sliced(self, name: str) -> str:
        bounds = {"starts": self._index, "ends": self._index + 1, "axes": 2}
        stored = [self._constant(f"{key}_of_row", np.array([value], np.int64)) for key, value in bounds.items()]
        self._node("Slice", [name, *stored], f"row_of_{name}")
        return f"row_of_{name}"

    def _write(self, node: onnx.NodeProto, sources: list[str]) -> str:
        written = onnx.NodeProto()
        written.CopyFrom(node)
        written.input[:] = sources
        written.output[:] = [f"row_of_{node.output[0]}"]
        self._nodes.append(written)
        return written.output[0]

    def _mixes(self, name: str) -> bool:
        """Whether a tensor is the result of mixing rows, turned back."""
        return name in self._producers and self._producers[name].op_type == "Transpose"


def _needed(nodes: list[onnx.NodeProto], result: str) -> list[onnx.NodeProto]:
    """The nodes that a result depends on."""
    needed, kept = {result}, []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    return kept[::-1]
