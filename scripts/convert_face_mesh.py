"""Converts the two networks of ``face_landmarker.task`` to ONNX without TensorFlow.

    python -m scripts.convert_face_mesh

``face_mesh.onnx`` takes uint8 (n, 256, 256, 3) RGB, scales it to [0, 1] itself, and gives ``points`` (n, 478, 3) in
pixels of its input and ``presence`` (n, 1), a logit. ``blendshapes.onnx`` takes these ``points``, in pixels of any
square, and gives ``blendshapes`` (n, 52). Weights stay in 16 bits, as in the TFLite files; ONNX Runtime widens them
when it loads them. ``app/expression/canonical_face.json`` holds the points of MediaPipe's fixed 3-D face that the head
pose is fitted to, with their weights.
"""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from flatbuffers.number_types import Int8Flags, Int32Flags
from numpy.typing import NDArray
from onnx import TensorProto, helper

from scripts.convert_face_detector import (
    ADD,
    CONCATENATION,
    CONV_2D,
    DEQUANTIZE,
    NO_ACTIVATION,
    RESHAPE,
    Converter,
    Node,
    Writer,
    require,
)
from scripts.keep_one_row import RowKeeper
from scripts.onnx_graph import GraphRewriter, attributes_of, values_of
from scripts.unfold_prelu import PreluUnfolder

FOLDER = Path("models/face_mesh")
SOURCE = FOLDER / "face_landmarker.task"
CANONICAL = Path("app/expression/canonical_face.json")
POINTS = 478

USED_POINTS = (
    *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80),
    *(81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153),
    *(154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249),
    *(251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314),
    *(317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382),
    *(384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, *range(468, POINTS)),
)
"""The points of the mesh that the blendshapes are computed from, in the order of their network's input. They stand in
MediaPipe's graph (``face_blendshapes_graph.cc``), not in its files."""

LOGISTIC, MUL, TRANSPOSE, MEAN, SUB, DIV, STRIDED_SLICE = 14, 18, 39, 40, 41, 42, 45
PRELU, NEG, SUM, SQRT, RSQRT, SQUARED_DIFFERENCE = 54, 59, 74, 75, 76, 99
RELU_ACTIVATION = 1

_LAYER_NORM = (
    *("ReduceMean", "Neg", "Sub", "Mul", "ReduceMean", "Add", "Sqrt", "Reciprocal"),
    *("Mul", "Mul", "Mul", "Add"),
)
"""What TFLite writes for a normalisation over the last axis."""


class _HalfWeights(Converter):
    """Stores weights that 16 bits hold exactly in 16 bits."""

    def _logistic(self, inputs: list[int], output: int, _: Node) -> None:
        self._node("Sigmoid", [self._name(inputs[0])], self._name(output))

    def _finished(self, name: str, source: onnx.ValueInfoProto, results: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        used = {each for node in self._nodes for each in node.input}
        casts = []
        given, self._constants = values_of(self._constants.values()), {}
        for constant, value in given.items():
            half = value.astype(np.float16) if value.dtype == np.float32 else value
            if constant in used and half.dtype != value.dtype and np.array_equal(half.astype(np.float32), value):
                self._constant(f"{constant}_half", half)
                casts.append(helper.make_node("Cast", [f"{constant}_half"], [constant], to=TensorProto.FLOAT))
            elif constant in used:
                self._constant(constant, value)
        self._nodes = casts + self._nodes
        return self._model(name, [source], results)

    def _rewrite(self, kind: type[GraphRewriter]) -> None:
        rewriter = kind(self._nodes, values_of(self._constants.values()))
        self._nodes = rewriter.nodes()
        self._constants |= rewriter.constants


class MeshConverter(_HalfWeights):
    """The mesh: convolutions in NCHW, as the detector's."""

    def model(self) -> onnx.ModelProto:
        (source,) = self._graph.numbers(1)
        points, presence, _ = self._graph.numbers(2)
        _, height, width, colours = self._shape(source)
        rows = self._constant("rows", np.array([0, 1, height, width * colours], np.int64))
        self._node("Reshape", ["image", rows], "image_rows")
        self._node("Cast", ["image_rows"], self._name(source), to=TensorProto.FLOAT)
        self._write_operators()
        for tensor, name, shape in ((points, "points", [0, POINTS, 3]), (presence, "presence", [0, 1])):
            shape_name = self._constant(f"{name}_shape", np.array(shape, np.int64))
            self._node("Reshape", [self._name(tensor), shape_name], name)
        self._rewrite(PreluUnfolder)
        return self._finished(
            "face_mesh",
            helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", *self._shape(source)[1:]]),
            [
                helper.make_tensor_value_info("points", TensorProto.FLOAT, ["n", POINTS, 3]),
                helper.make_tensor_value_info("presence", TensorProto.FLOAT, ["n", 1]),
            ],
        )

    def _writers(self) -> dict[int, Writer]:
        # The third output is of no use here: whether the tongue is out.
        return super()._writers() | {PRELU: self._prelu, LOGISTIC: self._skip, RESHAPE: self._skip}

    def _skip(self, inputs: list[int], output: int, operator: Node) -> None:
        """Leaves out the operators after the third output's convolution."""

    def _prelu(self, inputs: list[int], output: int, _: Node) -> None:
        slope = self._weights[inputs[1]].reshape(-1, 1, 1)
        self._node("PRelu", [self._name(inputs[0]), self._constant(f"slope_{output}", slope)], self._name(output))

    def _convolution(self, inputs: list[int], output: int, kernel: NDArray[Any], operator: Node, groups: int) -> None:
        super()._convolution(inputs, output, kernel, operator, groups)
        if inputs[0] in self._graph.numbers(1):
            self._nodes[-1] = self._over_rows(self._nodes[-1], kernel)

    def _over_rows(self, node: onnx.NodeProto, kernel: NDArray[Any]) -> onnx.NodeProto:
        """The first convolution, over rows in which the colours stay beside each other: a kernel that is three times as
        wide saves transposing the picture. It scales the picture to [0, 1] too."""
        filters, colours, rows, columns = kernel.shape
        wide = kernel.transpose(0, 2, 3, 1).reshape(filters, 1, rows, columns * colours) / np.float32(255)
        down, across = attributes_of(node)["strides"]
        _, height, width, _ = self._shape(self._graph.numbers(1)[0])
        (top, bottom), (left, right) = _padding(height, rows, down), _padding(width, columns, across)
        return helper.make_node(
            "Conv",
            [node.input[0], self._constant(f"wide_{node.input[1]}", wide), node.input[2]],
            node.output,
            group=1,
            kernel_shape=wide.shape[2:],
            strides=[down, across * colours],
            pads=[top, left * colours, bottom, right * colours],
        )


def _padding(length: int, window: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME, before and after: the least that covers the input, with the odd pixel at the end."""
    missing = max((-(-length // stride) - 1) * stride + window - length, 0)
    return missing // 2, missing - missing // 2


class BlendshapesConverter(_HalfWeights):
    """The blendshapes: a mixer of 1×1 convolutions, which are matrix products in the layout of TFLite."""

    def model(self) -> onnx.ModelProto:
        (source,) = self._graph.numbers(1)
        require(self._shape(source) == [1, len(USED_POINTS), 2], "an input of another shape")
        used = self._constant("used_points", np.array(USED_POINTS, np.int64))
        axes = {"starts": 0, "ends": 2, "axes": 2}
        flat = [self._constant(f"flat_{name}", np.array([value], np.int64)) for name, value in axes.items()]
        self._node("Gather", ["points", used], "used", axis=1)
        self._node("Slice", ["used", *flat], self._name(source))
        self._write_operators()
        self._nodes = [*_with_layer_norms(self._nodes, values_of(self._constants.values()))]
        self._rewrite(RowKeeper)
        return self._finished(
            "blendshapes",
            helper.make_tensor_value_info("points", TensorProto.FLOAT, ["n", POINTS, 3]),
            [helper.make_tensor_value_info("blendshapes", TensorProto.FLOAT, ["n", 52])],
        )

    def _writers(self) -> dict[int, Writer]:
        plain = {MUL: "Mul", SUB: "Sub", DIV: "Div", NEG: "Neg", SQRT: "Sqrt", ADD: "Add"}
        return {number: self._plain(kind) for number, kind in plain.items()} | {
            CONCATENATION: self._put_before,
            CONV_2D: self._multiply,
            DEQUANTIZE: self._dequantize,
            LOGISTIC: self._logistic,
            MEAN: self._mean,
            RESHAPE: self._reshape,
            RSQRT: self._rsqrt,
            SQUARED_DIFFERENCE: self._squared_difference,
            STRIDED_SLICE: self._slice,
            SUM: self._sum,
            TRANSPOSE: self._transpose,
        }

    def _plain(self, kind: str) -> Writer:
        def write(inputs: list[int], output: int, _: Node) -> None:
            self._node(kind, [self._value(number) for number in inputs], self._name(output))

        return write

    def _value(self, number: int) -> str:
        """The name of a tensor, computed or constant."""
        return (
            self._constant(f"constant_{number}", self._weights[number])
            if number in self._weights
            else self._name(number)
        )

    def _mean(self, inputs: list[int], output: int, _: Node) -> None:
        axes = [int(axis) for axis in self._stored(inputs[1]).ravel()]
        self._node("ReduceMean", [self._name(inputs[0])], self._name(output), axes=axes, keepdims=1)

    def _sum(self, inputs: list[int], output: int, _: Node) -> None:
        axes = self._constant(f"axes_{output}", self._stored(inputs[1]).ravel().astype(np.int64))
        self._node("ReduceSum", [self._name(inputs[0]), axes], self._name(output), keepdims=1)

    def _rsqrt(self, inputs: list[int], output: int, _: Node) -> None:
        self._node("Sqrt", [self._name(inputs[0])], f"root_{output}")
        self._node("Reciprocal", [f"root_{output}"], self._name(output))

    def _squared_difference(self, inputs: list[int], output: int, _: Node) -> None:
        self._node("Sub", [self._name(number) for number in inputs], f"difference_{output}")
        self._node("Mul", [f"difference_{output}", f"difference_{output}"], self._name(output))

    def _transpose(self, inputs: list[int], output: int, _: Node) -> None:
        order = [int(axis) for axis in self._stored(inputs[1])]
        self._node("Transpose", [self._name(inputs[0])], self._name(output), perm=order)

    def _multiply(self, inputs: list[int], output: int, operator: Node) -> None:
        kernel = self._weights[inputs[1]]
        require(kernel.shape[1:3] == (1, 1), "a convolution that is no matrix product")
        activation = operator.child(4).number(3, Int8Flags)
        require(activation in (NO_ACTIVATION, RELU_ACTIVATION), "an unknown activation")
        matrix = self._constant(f"kernel_{output}", kernel[:, 0, 0].T)
        bias = self._constant(f"bias_{output}", self._weights[inputs[2]])
        result = self._name(output) if activation == NO_ACTIVATION else f"linear_{output}"
        self._node("MatMul", [self._name(inputs[0]), matrix], f"product_{output}")
        self._node("Add", [f"product_{output}", bias], result)
        if activation == RELU_ACTIVATION:
            self._node("Relu", [result], self._name(output))

    def _put_before(self, inputs: list[int], output: int, operator: Node) -> None:
        """Puts a constant row before the others, for any number of faces: pads with zeros and adds it."""
        axis = operator.child(4).number(0, Int32Flags)
        row = self._weights[inputs[0]]
        pads = np.zeros((2, row.ndim), np.int64)
        pads[0, axis] = row.shape[axis]
        added = np.zeros((1, *self._shape(output)[1:]), np.float32)
        added[tuple(slice(0, size) for size in row.shape)] = row
        self._node("Pad", [self._name(inputs[1]), self._constant(f"pads_{output}", pads.ravel())], f"padded_{output}")
        self._node("Add", [f"padded_{output}", self._constant(f"row_{output}", added)], self._name(output))

    def _reshape(self, inputs: list[int], output: int, _: Node) -> None:
        shape = np.array([0, *self._shape(output)[1:]], np.int64)
        self._node("Reshape", [self._name(inputs[0]), self._constant(f"shape_{output}", shape)], self._name(output))

    def _slice(self, inputs: list[int], output: int, _: Node) -> None:
        if output in self._graph.numbers(2):
            # TFLite takes the one face out of its axis; here the axis holds all faces.
            self._node("Identity", [self._name(inputs[0])], "blendshapes")
            return
        starts = self._stored(inputs[1]).astype(np.int64)
        ends = starts + np.array(self._shape(output), np.int64) * self._stored(inputs[3])
        axes = np.arange(1, len(starts), dtype=np.int64)
        bounds = [
            self._constant(f"{name}_{output}", values)
            for name, values in (("starts", starts[1:]), ("ends", ends[1:]), ("axes", axes))
        ]
        self._node("Slice", [self._name(inputs[0]), *bounds], self._name(output))


def _with_layer_norms(nodes: list[onnx.NodeProto], values: dict[str, NDArray[Any]]) -> Iterator[onnx.NodeProto]:
    """The nodes with one LayerNormalization for each that TFLite spells out from its mean to its last sum."""
    rest = iter(nodes)
    for node in rest:
        following = [*islice(nodes, nodes.index(node) + 1, None)][: len(_LAYER_NORM) - 1]
        if (node.op_type, *(each.op_type for each in following)) != _LAYER_NORM:
            yield node
            continue
        epsilon, factors = float(values[following[4].input[1]]), following[7].input[1]
        yield helper.make_node("LayerNormalization", [node.input[0], factors], following[-1].output, epsilon=epsilon)
        for _ in following:
            next(rest)


def canonical_face(metadata: bytes) -> list[dict[str, Any]]:
    """The weighted points of ``geometry_pipeline_metadata_landmarks.binarypb``: index, weight, and x, y, z in cm."""
    mesh, basis = None, []
    for field, value in _fields(metadata):
        if field == 1:
            mesh = value
        elif field == 2:
            pair = dict(_fields(value))
            basis.append((pair.get(1, 0), pair[2]))
    vertices = np.array([value for field, value in _fields(mesh) if field == 3], np.float32).reshape(-1, 5)[:, :3]
    return [
        {"index": index, "weight": round(float(weight), 6), "at": [round(float(each), 4) for each in vertices[index]]}
        for index, weight in basis
    ]


def _fields(message: Any) -> Any:
    """The fields of a protobuf message as (number, value): varints, floats and bytes."""
    stream = io.BytesIO(message)
    while (key := _varint(stream)) is not None:
        if key & 7 == 0:
            yield key >> 3, _varint(stream)
        elif key & 7 == 5:
            yield key >> 3, float(np.frombuffer(stream.read(4), "<f4")[0])
        else:
            require(key & 7 == 2, "a field of an unknown kind")
            yield key >> 3, stream.read(_varint(stream) or 0)


def _varint(stream: io.BytesIO) -> int | None:
    result = shift = 0
    while byte := stream.read(1):
        result |= (byte[0] & 127) << shift
        shift += 7
        if byte[0] < 128:
            return result
    return None


def convert(task: bytes) -> dict[Path, bytes]:
    """The files that are made from the bundle."""
    with zipfile.ZipFile(io.BytesIO(task)) as bundle:
        mesh = MeshConverter(bundle.read("face_landmarks_detector.tflite")).model()
        blendshapes = BlendshapesConverter(bundle.read("face_blendshapes.tflite")).model()
        canonical = canonical_face(bundle.read("geometry_pipeline_metadata_landmarks.binarypb"))
    rows = ",\n".join(json.dumps(row) for row in canonical)
    return {
        FOLDER / "face_mesh.onnx": mesh.SerializeToString(deterministic=True),
        FOLDER / "blendshapes.onnx": blendshapes.SerializeToString(deterministic=True),
        CANONICAL: f"[\n{rows}\n]\n".encode(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--source", type=Path, default=SOURCE)
    options = parser.parse_args()
    for path, content in convert(options.source.read_bytes()).items():
        path.write_bytes(content)
        print(f"{path}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
