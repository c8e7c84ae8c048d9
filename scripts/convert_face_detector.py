"""Converts the face detector's TFLite file to ONNX without TensorFlow.

    python -m scripts.convert_face_detector

The ONNX file takes uint8 (1, 128, 128, 3) RGB and scales it to [-1, 1] itself. TFLite has the layout NHWC and ONNX has
NCHW, so the axes of the weights and of the channel paddings are transposed. The service's file takes any height and
width that 16 divides. It has wider maps, of zeros (:mod:`scripts.widen_channels`), and two outputs in place of the four
heads of TFLite: ``fine`` (1, 34, h/8, w/8) and ``coarse`` (1, 102, h/16, w/16) have the logits of each cell's 2 and 6
anchors, then 16 numbers for each anchor.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from flatbuffers import encode, packer
from flatbuffers.number_types import Int8Flags, Int32Flags, Uint32Flags
from flatbuffers.table import Table
from numpy.typing import NDArray
from onnx import TensorProto, helper

from scripts.onnx_graph import GraphWriter
from scripts.widen_channels import Widener

FOLDER = Path("models/face_detector")
SOURCE = FOLDER / "face_detection_short_range.tflite"
TARGET = FOLDER / "face_detection_short_range.onnx"

ADD, CONCATENATION, CONV_2D, DEPTHWISE_CONV_2D, DEQUANTIZE = 0, 2, 3, 4, 6
MAX_POOL_2D, RELU, RESHAPE, PAD = 17, 19, 22, 34
SAME_PADDING, NO_ACTIVATION = 0, 0
TYPES: dict[int, type[np.generic]] = {0: np.float32, 1: np.float16, 2: np.int32}


class Node:
    """A table of the flatbuffer; fields are read by their number in TensorFlow Lite's schema."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._table = Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> Node:
        return cls(data, encode.Get(packer.uoffset, data, 0))

    def _offset(self, field: int) -> int:
        return int(self._table.Offset(4 + 2 * field))

    def number(self, field: int, flags: Any, default: int = 0) -> int:
        offset = self._offset(field)
        return int(self._table.Get(flags, offset + self._table.Pos)) if offset else default

    def text(self, field: int) -> str:
        return str(self._table.String(self._offset(field) + self._table.Pos).decode())

    def child(self, field: int) -> Node:
        return Node(self._data, self._table.Indirect(self._offset(field) + self._table.Pos))

    def children(self, field: int) -> list[Node]:
        start, count = self._vector(field)
        return [Node(self._data, self._table.Indirect(start + 4 * number)) for number in range(count)]

    def numbers(self, field: int) -> list[int]:
        start, count = self._vector(field)
        return [int(value) for value in np.frombuffer(self._data, "<i4", count, start)]

    def content(self, field: int) -> bytes:
        start, count = self._vector(field)
        return self._data[start : start + count]

    def _vector(self, field: int) -> tuple[int, int]:
        offset = self._offset(field)
        return (self._table.Vector(offset), self._table.VectorLen(offset)) if offset else (0, 0)


Writer = Callable[[list[int], int, Node], None]
"""Writes an operator: its inputs, its output, and its table."""


class Converter(GraphWriter):
    """Writes one ONNX node or constant for each operator of the TFLite graph."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        model = Node.root(data)
        self._graph = model.children(2)[0]
        self._tensors = self._graph.children(0)
        self._buffers = model.children(4)
        # The field of one byte came first; a newer one of four bytes holds the larger codes.
        self._codes = [max(code.number(0, Int8Flags), code.number(3, Int32Flags)) for code in model.children(1)]
        self._weights: dict[int, NDArray[Any]] = {}

    def model(self) -> onnx.ModelProto:
        (source,) = self._graph.numbers(1)
        self._scale_input(source)
        self._write_operators()
        return self._model(
            "face_detection_short_range",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", *self._shape(source)[1:]])],
            [
                helper.make_tensor_value_info(self._name(output), TensorProto.FLOAT, ["n", *self._shape(output)[1:]])
                for output in self._graph.numbers(2)
            ],
        )

    def _write_operators(self) -> None:
        write = self._writers()
        for operator in self._graph.children(3):
            (output,) = operator.numbers(2)
            write[self._codes[operator.number(0, Uint32Flags)]](operator.numbers(1), output, operator)

    def _writers(self) -> dict[int, Writer]:
        return {
            ADD: self._add,
            CONCATENATION: self._concatenate,
            CONV_2D: self._convolve,
            DEPTHWISE_CONV_2D: self._convolve_each_channel,
            DEQUANTIZE: self._dequantize,
            MAX_POOL_2D: self._pool,
            RELU: self._relu,
            RESHAPE: self._reshape,
            PAD: self._pad_channels,
        }

    def _scale_input(self, source: int) -> None:
        self._node("Cast", ["image"], "image_float", to=TensorProto.FLOAT)
        scale, one = np.array([2 / 255], np.float32), np.array([1], np.float32)
        self._node("Mul", ["image_float", self._constant("input_scale", scale)], "image_scaled")
        self._node("Sub", ["image_scaled", self._constant("input_shift", one)], "image_shifted")
        self._node("Transpose", ["image_shifted"], self._name(source), perm=[0, 3, 1, 2])

    def _dequantize(self, inputs: list[int], output: int, _: Node) -> None:
        self._weights[output] = self._stored(inputs[0]).astype(np.float32)

    def _convolve(self, inputs: list[int], output: int, operator: Node) -> None:
        kernel = self._weights[inputs[1]].transpose(0, 3, 1, 2)
        self._convolution(inputs, output, kernel, operator, groups=1)

    def _convolve_each_channel(self, inputs: list[int], output: int, operator: Node) -> None:
        kernel = self._weights[inputs[1]].transpose(3, 0, 1, 2)
        self._convolution(inputs, output, kernel, operator, groups=kernel.shape[0])

    def _convolution(self, inputs: list[int], output: int, kernel: NDArray[Any], operator: Node, groups: int) -> None:
        options = operator.child(4)
        require(options.number(4 if groups > 1 else 3, Int8Flags) == NO_ACTIVATION, "a convolution with an activation")
        require(groups == 1 or options.number(3, Int32Flags) == 1, "more than one filter a channel")
        strides = [options.number(2, Int32Flags), options.number(1, Int32Flags)]
        size = list(kernel.shape[2:])
        self._node(
            "Conv",
            [
                self._name(inputs[0]),
                self._constant(f"kernel_{output}", kernel),
                self._constant(f"bias_{output}", self._weights[inputs[2]]),
            ],
            self._name(output),
            group=groups,
            kernel_shape=size,
            strides=strides,
            auto_pad=_padding(options),
        )

    def _pool(self, inputs: list[int], output: int, operator: Node) -> None:
        options = operator.child(4)
        strides = [options.number(2, Int32Flags), options.number(1, Int32Flags)]
        size = [options.number(4, Int32Flags), options.number(3, Int32Flags)]
        self._node(
            "MaxPool",
            [self._name(inputs[0])],
            self._name(output),
            kernel_shape=size,
            strides=strides,
            auto_pad=_padding(options),
        )

    def _add(self, inputs: list[int], output: int, _: Node) -> None:
        self._node("Add", [self._name(number) for number in inputs], self._name(output))

    def _relu(self, inputs: list[int], output: int, _: Node) -> None:
        self._node("Relu", [self._name(inputs[0])], self._name(output))

    def _pad_channels(self, inputs: list[int], output: int, _: Node) -> None:
        before_after = self._stored(inputs[1])[[0, 3, 1, 2]].T.astype(np.int64).ravel()
        self._node("Pad", [self._name(inputs[0]), self._constant(f"pads_{output}", before_after)], self._name(output))

    def _reshape(self, inputs: list[int], output: int, _: Node) -> None:
        """Transposes first, because boxes are ordered by row, column and channel, as in NHWC."""
        flat = f"nhwc_{output}"
        self._node("Transpose", [self._name(inputs[0])], flat, perm=[0, 2, 3, 1])
        shape = np.array([0, *self._shape(output)[1:]], np.int64)
        self._node("Reshape", [flat, self._constant(f"shape_{output}", shape)], self._name(output))

    def _concatenate(self, inputs: list[int], output: int, operator: Node) -> None:
        axis = operator.child(4).number(0, Int32Flags)
        self._node("Concat", [self._name(number) for number in inputs], self._name(output), axis=axis)

    def _stored(self, number: int) -> NDArray[Any]:
        tensor = self._tensors[number]
        content = self._buffers[tensor.number(2, Uint32Flags)].content(0)
        return np.frombuffer(content, TYPES[tensor.number(1, Int8Flags)]).reshape(tensor.numbers(0))

    def _shape(self, number: int) -> list[int]:
        return self._tensors[number].numbers(0)

    def _name(self, number: int) -> str:
        return self._tensors[number].text(3) if number in self._graph.numbers(2) else f"tensor_{number}"


def _padding(options: Node) -> str:
    """ONNX's name of TensorFlow's padding. SAME is the least that covers the input, with the odd pixel at the end."""
    return "SAME_UPPER" if options.number(0, Int8Flags) == SAME_PADDING else "VALID"


def service_model(data: bytes) -> onnx.ModelProto:
    """The network as the service runs it."""
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, f"{name}_rows", f"{name}_columns"])
        for name, channels in (("fine", 34), ("coarse", 102))
    ]
    converted = Converter(data).model()
    count, height, width, _ = converted.graph.input[0].type.tensor_type.shape.dim
    count.dim_value, height.dim_param, width.dim_param = 1, "height", "width"
    heads = {"fine": ("tensor_160", "tensor_166"), "coarse": ("tensor_163", "tensor_169")}
    return Widener(converted, heads).model("tensor_0", infos)


def require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(f"This file has {otherwise}, which the converter does not support.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--source", type=Path, default=SOURCE)
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args()
    content = service_model(options.source.read_bytes()).SerializeToString(deterministic=True)
    options.target.write_bytes(content)
    print(f"{options.target}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
