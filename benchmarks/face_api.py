"""The expression network of face-api as ONNX, from the weights in its npm package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE: Final = 112
MEAN: Final = (122.782, 117.001, 104.298)
MANIFEST: Final = "face_expression_model-weights_manifest.json"
_OPSET: Final = 17
_BLOCKS, _CONVOLUTIONS = 4, 4


def read_weights(folder: Path) -> dict[str, NDArray[np.float32]]:
    """The weights of the package by name: 8-bit integers with a scale and a minimum, or floats."""
    (listing,) = json.loads((folder / MANIFEST).read_text())
    data = b"".join((folder / name).read_bytes() for name in listing["paths"])
    found, place = {}, 0
    for entry in listing["weights"]:
        packed = entry.get("quantization")
        kind = np.dtype(packed["dtype"] if packed else entry["dtype"])
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(data, kind, count, place).reshape(entry["shape"]).astype(np.float32)
        found[entry["name"]] = values * packed["scale"] + packed["min"] if packed else values
        place += count * kind.itemsize
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


class _Builder:
    """Adds the layers of the network to a graph."""

    def __init__(self, weights: dict[str, NDArray[np.float32]]) -> None:
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *sources: str, **attributes: object) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, sources, [name], **attributes))
        return name

    def constant(self, values: NDArray[np.float32]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def block(self, source: str, name: str, *, first: bool) -> str:
        """Four convolutions; each but the first sees the rectified sum of those before it."""
        outputs = [self.add("Relu", self._convolution(source, f"{name}/conv0", 2, separable=not first))]
        seen = outputs[0]
        for number in range(1, _CONVOLUTIONS):
            outputs.append(self._convolution(seen, f"{name}/conv{number}", 1, separable=True))
            seen = self.add("Relu", self.add("Sum", *outputs))
        return seen

    def head(self, source: str) -> str:
        pooled = self.add("Flatten", self.add("GlobalAveragePool", source))
        return self.add("Gemm", pooled, *(self.constant(self._weights[f"fc/{part}"]) for part in ("weights", "bias")))

    def _convolution(self, source: str, name: str, stride: int, *, separable: bool) -> str:
        plan = {"strides": [stride, stride], "auto_pad": "SAME_UPPER"}
        bias = self.constant(self._weights[f"{name}/bias"])
        if not separable:
            return self.add("Conv", source, self._kernel(f"{name}/filters"), bias, **plan)
        deep = self._weights[f"{name}/depthwise_filter"]
        spread = self.add("Conv", source, self.constant(deep.transpose(2, 3, 0, 1)), group=deep.shape[2], **plan)
        return self.add("Conv", spread, self._kernel(f"{name}/pointwise_filter"), bias)

    def _kernel(self, name: str) -> str:
        return self.constant(self._weights[name].transpose(3, 2, 0, 1))


def export(folder: Path, path: Path) -> Path:
    """Writes the network, which takes (n, 3, 112, 112) RGB without its mean, over 255, and returns logits."""
    builder, last = _Builder(read_weights(folder)), "input"
    for number in range(_BLOCKS):
        last = builder.block(last, f"dense{number}", first=number == 0)
    logits = builder.head(last)
    entry = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
    result = helper.make_tensor_value_info(logits, TensorProto.FLOAT, ["n", 7])
    graph = helper.make_graph(builder.nodes, "face_api", [entry], [result], builder.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path
