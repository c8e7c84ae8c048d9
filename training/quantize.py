"""A float model to the one that ships: 8-bit integers where they cost nothing that is noticed, floats where they do."""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from app.inference.manifest import InputSpec, load_manifest
from training.data import NO_LABEL, Faces
from training.folder import publish
from training.labels import FER2013
from training.metrics import Labels, by_class
from training.protocols import ferplus7
from training.shipped import Shipped, one_core_ms, tensor
from training.source import data_folder, read_split

LARGEST_LOSS: Final = 0.003
LARGEST_LOSS_OF_A_CLASS: Final = 0.02
_CALIBRATION_FACES: Final = 512
_CALIBRATION_BATCH: Final = 32
_INTEGER_OPERATORS: Final = ["Conv", "Add", "Mul", "AveragePool"]


@dataclass(frozen=True, slots=True)
class Loss:
    """What integers cost on the validation faces, in shares of one; ``reason`` says what is too much, if anything."""

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
    """The model with 8-bit convolutions, their ranges taken from training faces (n, h, w)."""
    graph = onnx.load(model).graph
    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "model.onnx"
        quantize_static(
            model,
            written,
            _CalibrationFaces(faces, spec, graph.input[0].name),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_INTEGER_OPERATORS,
            nodes_to_exclude=_kept_in_float(graph),
            per_channel=True,
            # Full 8-bit weights overflow the 16-bit sums of CPUs without VNNI, silently.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return written.read_bytes()


def _kept_in_float(graph: onnx.GraphProto) -> list[str]:
    """The first convolution, which sees the pixels, and all that follows a global pooling without a map beside it.

    The latter is tiny: the inside of the channel attention and the heads.
    """
    fixed = {initializer.name for initializer in graph.initializer}
    pooled: set[str] = set()
    kept = [next(node.name for node in graph.node if node.op_type == "Conv")]
    for node in graph.node:
        inputs = {name for name in node.input if name and name not in fixed}
        if node.op_type == "GlobalAveragePool" or (inputs and inputs <= pooled):
            pooled.update(node.output)
            kept.append(node.name)
    return kept


def compare(before: Labels, after: Labels, labels: Labels) -> Loss:
    """What answers lose: at most 0.3 points in all and 2 points (or one face, if that is more) of any label."""
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
    parser.add_argument("--limit", type=int, help="check on this many faces only")
    options = parser.parse_args(arguments)
    manifest = load_manifest(options.model)
    source = options.model / manifest.file
    train = Faces.load(options.prepared / "train.npz").images
    chosen = np.random.default_rng(0).permutation(len(train))[:_CALIBRATION_FACES]
    floats, integers = source.read_bytes(), to_integers(source, train[chosen], manifest.input)

    valid = read_split(options.data, "valid").subset(slice(options.limit))
    labels = ferplus7(valid, "plurality")
    known = labels != NO_LABEL
    target = manifest.model_copy(update={"name": options.to.name})
    publish(options.to, floats, target)
    before = Shipped(options.to).read(valid.images[known]).served.argmax(axis=1)
    publish(options.to, integers, target)
    after = Shipped(options.to).read(valid.images[known]).served.argmax(axis=1)

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
