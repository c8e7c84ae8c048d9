"""Small models for tests, with different inputs and outputs, and their manifests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FIVE = ("angry", "happy", "sad", "surprise", "neutral")
EIGHT = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")

IMAGENET = {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
BY_EYES = {"eye_distance": 0.37, "eye_center": [0.5, 0.395]}
BY_BOX = {"side": 1.16, "offset_x": -0.08, "offset_y": -0.165}


@dataclass(frozen=True)
class Contract:
    """Inputs and outputs of a model. ``explain`` adds the tensors of a class-activation map."""

    labels: Sequence[str] = SEVEN
    side: int = 48
    channels: Literal["gray", "rgb", "bgr"] = "gray"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    dtype: Literal["float32", "uint8"] = "float32"
    scale: float = 1.0
    mean: Any = 0.0
    std: Any = 1.0
    kind: Literal["logits", "probabilities"] = "logits"
    temperature: float = 1.0
    batch: int | str = "n"
    opset: int = 17
    explain: bool = True
    seed: int = 1

    @property
    def depth(self) -> int:
        return 1 if self.channels == "gray" else 3


EFFICIENTNET_B0 = Contract(side=224, channels="rgb", **IMAGENET)
EFFICIENTNET_B0_FIVE = Contract(side=224, channels="rgb", labels=FIVE, **IMAGENET)
EFFICIENTNET_B2 = Contract(side=260, channels="rgb", **IMAGENET)
FERPLUS = Contract(side=64, labels=EIGHT, batch=1, opset=8, explain=False)
NHWC_UINT8 = Contract(side=96, channels="rgb", layout="NHWC", dtype="uint8", kind="probabilities", explain=False)
FIXED_BATCH = Contract(batch=1)
BGR = Contract(side=64, channels="bgr", mean=[104.0, 117.0, 123.0])


def make_model(folder: Path, contract: Contract | None = None, **changes: Any) -> Path:
    """Writes a small random network and its manifest. ``changes`` replace its fields (``input__width=…``)."""
    contract = contract or Contract()
    return write_model(folder, network(contract), true_manifest(folder.name, contract), **changes)


def make_brightness_model(folder: Path, *, temperature: float = 1.0) -> Path:
    """A model of seven labels with predictable results: a bright crop is happy, a dark one sad.

    A crop of mean value ``m`` gets the logit ``(m - 128) / 16`` for happy and its opposite for sad; the rest get 0.
    """
    contract = Contract(temperature=temperature)
    weights = np.zeros((7, 1), np.float32)
    weights[SEVEN.index("happy")], weights[SEVEN.index("sad")] = 1 / 16, -1 / 16
    nodes = [
        helper.make_node("Sub", ["input", "middle"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "class_weights"], ["scores"], transB=1),
    ]
    constants = {"middle": np.full((1, 1, 1, 1), 128, np.float32), "class_weights": weights}
    return write_model(folder, _model(contract, nodes, constants), true_manifest(folder.name, contract))


def write_model(folder: Path, model: onnx.ModelProto | bytes, manifest: dict[str, Any], **changes: Any) -> Path:
    """Writes ``model.onnx`` and a manifest with its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    data = model if isinstance(model, bytes) else model.SerializeToString()
    (folder / "model.onnx").write_bytes(data)
    manifest = {**manifest, "sha256": hashlib.sha256(data).hexdigest()}
    for place, value in changes.items():
        *parents, last = place.split("__")
        target = manifest
        for parent in parents:
            target = target[parent]
        if value is ...:
            del target[last]
        else:
            target[last] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def true_manifest(name: str, contract: Contract) -> dict[str, Any]:
    """The manifest of a contract's network, without the hash."""
    written: dict[str, Any] = {
        "name": name,
        "version": "1.0",
        "file": "model.onnx",
        "sha256": "",
        "architecture": "one convolution",
        "trained_on": "nothing: its weights are random",
        "license": "MIT",
        "labels": list(contract.labels),
        "metrics": {"accuracy": 0.14},
        "input": {
            "width": contract.side,
            "height": contract.side,
            "channels": contract.channels,
            "layout": contract.layout,
            "dtype": contract.dtype,
            "scale": contract.scale,
            "mean": contract.mean,
            "std": contract.std,
        },
        "face": BY_EYES,
        "output": {"tensor": "scores", "kind": contract.kind, "temperature": contract.temperature},
    }
    if contract.explain:
        written["explain"] = {"features": "features", "weights": "class_weights"}
    return written


def network(contract: Contract) -> onnx.ModelProto:
    """Cast, transpose, convolve with stride 8, pool, and a linear layer; a softmax if the output is probabilities."""
    random = np.random.default_rng(contract.seed)
    nodes, last = [], "input"
    if contract.dtype == "uint8":
        nodes.append(helper.make_node("Cast", [last], ["floats"], to=TensorProto.FLOAT))
        last = "floats"
    if contract.layout == "NHWC":
        nodes.append(helper.make_node("Transpose", [last], ["planes"], perm=[0, 3, 1, 2]))
        last = "planes"
    nodes += [
        helper.make_node("Conv", [last, "kernel"], ["convolved"], strides=[8, 8]),
        helper.make_node("Relu", ["convolved"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
    ]
    logits = "scores" if contract.kind == "logits" else "logits"
    nodes.append(helper.make_node("Gemm", ["flat", "class_weights", "bias"], [logits], transB=1))
    if contract.kind == "probabilities":
        nodes.append(helper.make_node("Softmax", ["logits"], ["scores"], axis=1))
    reach = 255 * contract.scale / float(np.mean(contract.std))
    constants = {
        "kernel": random.normal(0, 0.2 / reach, (6, contract.depth, 8, 8)).astype(np.float32),
        "class_weights": random.normal(0, 1, (len(contract.labels), 6)).astype(np.float32),
        "bias": random.normal(0, 0.1, len(contract.labels)).astype(np.float32),
    }
    return _model(contract, nodes, constants)


def _model(contract: Contract, nodes: list[onnx.NodeProto], constants: dict[str, Any]) -> onnx.ModelProto:
    sides = [contract.side, contract.side]
    shape = [contract.depth, *sides] if contract.layout == "NCHW" else [*sides, contract.depth]
    kind = TensorProto.UINT8 if contract.dtype == "uint8" else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "faces",
        [helper.make_tensor_value_info("input", kind, [contract.batch, *shape])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [contract.batch, len(contract.labels)])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", contract.opset)], ir_version=8)
