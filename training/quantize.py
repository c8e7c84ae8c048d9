"""Quantises a float model to 8-bit integers, except where this lowers the accuracy too much."""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from app.inference.manifest import InputSpec, load_manifest
from training.data import NO_LABEL, Faces
from training.dataset import data_folder, read_split
from training.labels import FER2013
from training.metrics import Labels, by_class
from training.model_folder import publish
from training.protocols import ferplus7
from training.shipped import Shipped, check_labels, one_core_ms, tensor

LARGEST_LOSS: Final = 0.003
LARGEST_LOSS_OF_A_CLASS: Final = 0.02
_CALIBRATION_FACES: Final = 512
_CALIBRATION_BATCH: Final = 32
_INTEGER_OPERATORS: Final = ["Conv", "Add", "Mul", "Relu", "GlobalAveragePool"]
"""With ``Relu`` and ``GlobalAveragePool`` among them, maps between convolutions stay integers."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Loss of accuracy on validation faces, in shares of one; ``reason`` names a loss above the limits."""

    accuracy: float
    by_class: dict[str, float]
    reason: str | None


class _CalibrationFaces(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, faces: NDArray[np.uint8], spec: InputSpec, name: str) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = iter(
            faces[start : start + _CALIBRATION_BATCH] for start in range(0, len(faces), _CALIBRATION_BATCH)
        )
        self._spec = spec
        self._name = name

    def get_next(self) -> dict[str, NDArray[np.float32] | NDArray[np.uint8]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {self._name: tensor(batch, self._spec)}


def to_integers(model: Path, faces: NDArray[np.uint8], spec: InputSpec) -> bytes:
    """The model with 8-bit convolutions; their ranges come from training faces (n, h, w)."""
    folded = fold_average_pools(onnx.load(model))
    graph = folded.graph
    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "model.onnx"
        quantize_static(
            folded,
            written,
            _CalibrationFaces(faces, spec, graph.input[0].name),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_INTEGER_OPERATORS,
            nodes_to_exclude=_kept_in_float(graph),
            per_channel=True,
            # Full 8-bit weights silently overflow the 16-bit sums of CPUs without VNNI.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # The mean of the extremes of each batch: one unusual face does not widen the range.
            extra_options={"CalibMovingAverage": True},
        )
        return written.read_bytes()


def _kept_in_float(graph: onnx.GraphProto) -> list[str]:
    """Nodes that stay in float: the first convolution, and those whose inputs all come from global pooling.

    The latter, inside the channel attention and the heads, take almost no time. The pooling itself is quantised.
    """
    fixed = {initializer.name for initializer in graph.initializer}
    pooled: set[str] = set()
    kept = [next(node.name for node in graph.node if node.op_type == "Conv")]
    for node in graph.node:
        inputs = {name for name in node.input if name and name not in fixed}
        if node.op_type == "GlobalAveragePool":
            pooled.update(node.output)
        elif inputs and inputs <= pooled:
            pooled.update(node.output)
            kept.append(node.name)
    return kept


def fold_average_pools(model: onnx.ModelProto) -> onnx.ModelProto:
    """Merges each average pool into the 1x1 convolution behind it, as a convolution with wider strides.

    The sums are the same. ONNX Runtime averages integers more slowly than it multiplies them.
    """
    graph = model.graph
    weights = {initializer.name: initializer for initializer in graph.initializer}
    given = {output.name for output in graph.output}
    for pool in [node for node in graph.node if node.op_type == "AveragePool"]:
        (output,) = pool.output
        consumers = [node for node in graph.node if output in node.input]
        if output in given or len(consumers) != 1 or not _is_pointwise(consumers[0], weights) or not _is_tiling(pool):
            continue
        convolution, (rows, columns) = consumers[0], _attributes(pool)["kernel_shape"]
        kernel = weights[convolution.input[1]]
        spread = numpy_helper.to_array(kernel).repeat(rows, axis=2).repeat(columns, axis=3) / (rows * columns)
        kernel.CopyFrom(numpy_helper.from_array(spread, kernel.name))
        convolution.input[0] = pool.input[0]
        del convolution.attribute[:]
        convolution.attribute.extend(
            helper.make_attribute(name, [rows, columns]) for name in ("kernel_shape", "strides")
        )
        graph.node.remove(pool)
    return model


def _is_pointwise(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    if node.op_type != "Conv" or node.input[1] not in weights:
        return False
    found = _attributes(node)
    return (
        list(weights[node.input[1]].dims[2:]) == [1, 1]
        and found.get("group", 1) == 1
        and set(found.get("strides", [1])) == {1}
        and not any(found.get("pads", []))
    )


def _is_tiling(pool: onnx.NodeProto) -> bool:
    """Whether the windows of a pool do not overlap and have no padding."""
    found = _attributes(pool)
    return (
        len(found["kernel_shape"]) == 2
        and list(found["kernel_shape"]) == list(found.get("strides", []))
        and not any(found.get("pads", []))
        and not found.get("ceil_mode", 0)
    )


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def compare(before: Labels, after: Labels, labels: Labels) -> Loss:
    """The loss of predictions; the limits are 0.3 points in all, and 2 points or one face of any label."""
    lost = float((before == labels).mean() - (after == labels).mean())
    lost_by_class, reason = {}, None
    for old, new in zip(by_class(before, labels, FER2013), by_class(after, labels, FER2013), strict=True):
        if old.recall is None or new.recall is None:
            continue
        lost_by_class[old.label] = old.recall - new.recall
        if lost_by_class[old.label] > max(LARGEST_LOSS_OF_A_CLASS, 1 / old.faces) + 1e-9:
            reason = f"{old.label} loses {lost_by_class[old.label]:.1%}"
    if lost > LARGEST_LOSS:
        reason = f"accuracy loses {lost:.2%}"
    return Loss(lost, lost_by_class, reason)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training quantize", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("runs/float/default"), help="folder of the float model")
    parser.add_argument("--to", type=Path, default=Path("models/default"), help="folder to write")
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--limit", type=int, help="check on only this many faces")
    options = parser.parse_args(arguments)
    manifest = load_manifest(options.model)
    check_labels(manifest)
    source = options.model / manifest.file
    train = Faces.load(options.prepared / "train.npz").images
    chosen = np.random.default_rng(0).permutation(len(train))[:_CALIBRATION_FACES]
    floats, integers = source.read_bytes(), to_integers(source, train[chosen], manifest.input)

    valid = read_split(options.data, "valid").subset(slice(options.limit))
    labels = ferplus7(valid, "plurality")
    known = labels != NO_LABEL
    target = manifest.model_copy(update={"name": options.to.name})
    publish(options.to, floats, target)
    before = Shipped(options.to).infer(valid.images[known]).served.argmax(axis=1)
    publish(options.to, integers, target)
    after = Shipped(options.to).infer(valid.images[known]).served.argmax(axis=1)

    loss = compare(before, after, labels[known])
    slow, fast = one_core_ms([floats, integers], manifest.input)
    print(
        f"float {len(floats) / 1e6:.2f} MB, {slow:.2f} ms on one core; "
        f"int8 {len(integers) / 1e6:.2f} MB, {fast:.2f} ms, loses {loss.accuracy:.2%} on valid "
        f"({', '.join(f'{label} {value:+.1%}' for label, value in loss.by_class.items())})"
    )
    if loss.reason:
        publish(options.to, floats, target)
        print(f"The float model ships: {loss.reason}.")


if __name__ == "__main__":
    main()
