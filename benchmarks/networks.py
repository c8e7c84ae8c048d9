"""Networks of other projects with their real layers and random weights, which do not change their speed."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_OPSET = 17

_EFFICIENTNET_B0 = (
    # expansion, channels, blocks, stride, kernel
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_VGG13 = ((64, 2), (128, 2), (256, 3), (256, 3))


class Graph:
    """Builds a network layer by layer. Batch normalisation is folded into the convolutions, as in an export."""

    def __init__(self, channels: int, side: int) -> None:
        self._input = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", channels, side, side])
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(1)
        self._channels = {"input": channels}

    def channels(self, tensor: str) -> int:
        return self._channels[tensor]

    def conv(self, source: str, channels: int, kernel: int, stride: int = 1, *, depthwise: bool = False) -> str:
        depth = 1 if depthwise else self._channels[source]
        shape = (channels, depth, kernel, kernel)
        spread = np.sqrt(2 / (depth * kernel * kernel))
        weights = self._constant(self._random.normal(0, spread, shape))
        bias = self._constant(self._random.normal(0, 0.01, channels))
        return self._add(
            "Conv",
            [source, weights, bias],
            channels,
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
            group=channels if depthwise else 1,
        )

    def relu(self, source: str) -> str:
        return self._add("Relu", [source], self._channels[source])

    def sigmoid(self, source: str) -> str:
        return self._add("Sigmoid", [source], self._channels[source])

    def silu(self, source: str) -> str:
        return self.product(source, self.sigmoid(source))

    def sum(self, first: str, second: str) -> str:
        return self._add("Add", [first, second], self._channels[first])

    def product(self, first: str, second: str) -> str:
        return self._add("Mul", [first, second], self._channels[first])

    def pool(self, source: str) -> str:
        return self._add("GlobalAveragePool", [source], self._channels[source])

    def max_pool(self, source: str, kernel: int) -> str:
        pads = [kernel // 2] * 4 if kernel % 2 else [0] * 4
        return self._add(
            "MaxPool", [source], self._channels[source], kernel_shape=[kernel, kernel], strides=[2, 2], pads=pads
        )

    def flatten(self, source: str, size: int) -> str:
        return self._add("Flatten", [source], size)

    def linear(self, source: str, size: int) -> str:
        fan_in = self._channels[source]
        weights = self._constant(self._random.normal(0, 1 / np.sqrt(fan_in), (size, fan_in)))
        return self._add("Gemm", [source, weights, self._constant(np.zeros(size))], size, transB=1)

    def save(self, output: str, path: Path) -> Path:
        self._nodes.append(helper.make_node("Identity", [output], ["logits"]))
        result = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", self._channels[output]])
        graph = helper.make_graph(self._nodes, path.stem, [self._input], [result], self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)
        return path

    def _constant(self, values: NDArray[np.float64]) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def _add(self, kind: str, sources: list[str], channels: int, **attributes: Any) -> str:
        name = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, sources, [name], **attributes))
        self._channels[name] = channels
        return name


def efficientnet_b0(path: Path) -> Path:
    """EfficientNet-B0 for 224 × 224 RGB, fp32: 5.3 million parameters with its usual head, 4.0 with seven labels."""
    graph = Graph(3, 224)
    last = graph.silu(graph.conv("input", 32, 3, 2))
    for expansion, channels, blocks, stride, kernel in _EFFICIENTNET_B0:
        for number in range(blocks):
            step = stride if number == 0 else 1
            last = _inverted_block(graph, last, expansion=expansion, channels=channels, stride=step, kernel=kernel)
    last = graph.pool(graph.silu(graph.conv(last, 1280, 1)))
    return graph.save(graph.linear(graph.flatten(last, 1280), len(LABELS)), path)


def resnet18(path: Path) -> Path:
    """ResNet18 for 224 × 224 RGB, fp32."""
    graph = Graph(3, 224)
    last = graph.max_pool(graph.relu(graph.conv("input", 64, 7, 2)), 3)
    for stage, channels in enumerate((64, 128, 256, 512)):
        for number in range(2):
            last = _basic_block(graph, last, channels, 2 if stage > 0 and number == 0 else 1)
    return graph.save(graph.linear(graph.flatten(graph.pool(last), 512), len(LABELS)), path)


def vgg13(path: Path) -> Path:
    """The network of the FER+ paper, for 64 × 64 grey, fp32, with its eight labels."""
    graph = Graph(1, 64)
    last = "input"
    for channels, convolutions in _VGG13:
        for _ in range(convolutions):
            last = graph.relu(graph.conv(last, channels, 3))
        last = graph.max_pool(last, 2)
    last = graph.flatten(last, 256 * 4 * 4)
    for _ in range(2):
        last = graph.relu(graph.linear(last, 1024))
    return graph.save(graph.linear(last, 8), path)


def int8(source: Path, path: Path) -> Path:
    """Quantises a network to int8, per channel."""
    logging.getLogger().setLevel(logging.ERROR)
    quantize_static(
        source,
        path,
        _Noise(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
    )
    return path


def resnet18_models(folder: Path, model: Path, detector: Path) -> Path:
    """A models folder with ResNet18 at 224 pixels, for Visage."""
    (folder / "face_detector").mkdir(parents=True, exist_ok=True)
    for file in detector.iterdir():
        shutil.copy(file, folder / "face_detector" / file.name)
    target = folder / "resnet18"
    target.mkdir(exist_ok=True)
    shutil.copy(model, target / "model.onnx")
    manifest = {
        "name": "resnet18",
        "version": "1.0",
        "file": "model.onnx",
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "architecture": "ResNet18 with random weights",
        "trained_on": "nothing: only its speed is measured",
        "license": "MIT",
        "labels": LABELS,
        "input": {
            "width": 224,
            "height": 224,
            "channels": "rgb",
            "scale": 1 / 255,
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
        "face": {"side": 1.16, "offset_x": -0.08, "offset_y": -0.165},
        "output": {"tensor": "logits", "kind": "logits"},
    }
    (target / "manifest.json").write_text(json.dumps(manifest))
    return folder


class _Noise(CalibrationDataReader):  # type: ignore[misc]
    """Random inputs of the usual range."""

    def __init__(self) -> None:
        random = np.random.default_rng(2)
        self._inputs: Iterator[dict[str, NDArray[np.float32]]] = (
            {"input": random.normal(0, 1, (1, 3, 224, 224)).astype(np.float32)} for _ in range(2)
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._inputs, None)


def _inverted_block(graph: Graph, source: str, *, expansion: int, channels: int, stride: int, kernel: int) -> str:
    """Expand, convolve by depth, squeeze and excite, project; a short cut where the shape allows."""
    narrow = graph.channels(source)
    wide = narrow * expansion
    last = source if expansion == 1 else graph.silu(graph.conv(source, wide, 1))
    last = graph.silu(graph.conv(last, wide, kernel, stride, depthwise=True))
    gate = graph.silu(graph.conv(graph.pool(last), max(narrow // 4, 1), 1))
    last = graph.product(last, graph.sigmoid(graph.conv(gate, wide, 1)))
    last = graph.conv(last, channels, 1)
    return graph.sum(last, source) if stride == 1 and narrow == channels else last


def _basic_block(graph: Graph, source: str, channels: int, stride: int) -> str:
    last = graph.relu(graph.conv(source, channels, 3, stride))
    last = graph.conv(last, channels, 3)
    straight = stride == 1 and graph.channels(source) == channels
    return graph.relu(graph.sum(last, source if straight else graph.conv(source, channels, 1, stride)))
