"""Recovers the networks of a shipped file, to continue training without the original run.

Weights have the precision of the 8-bit integers, which the first training steps correct. Batch-norm statistics were
folded into the convolutions and are computed again from training faces.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from app.inference.manifest import load_manifest
from training import batch_norms, config, networks
from training.config import Run
from training.data import Faces
from training.facenet import FaceNet, ResidualBlock
from training.whole_files import written_whole

_FACES: Final = 2048
_FOLDED: Final = re.compile(r"onnx::Conv_(\d+)")


def recover(model: onnx.ModelProto, runs: list[Run], faces: Tensor) -> list[FaceNet]:
    """The network of each run in a file. Training ``faces`` (n, 1, side, side) give the batch-norm statistics."""
    found = recover_folded(model, runs)
    for network in found:
        batch_norms.unfold(network, faces)
    return found


def recover_folded(model: onnx.ModelProto, runs: list[Run]) -> list[FaceNet]:
    """The network of each run in a file, to evaluate: its batch norms stay folded into the convolutions."""
    tensors = _tensors(model.graph)
    # The exporter numbers convolutions with a folded batch norm in the order of execution.
    numbered = {
        int(number[1]): node
        for node in model.graph.node
        if node.op_type == "Conv" and (number := _FOLDED.match(node.input[1]))
    }
    folded = iter([tuple(tensors[name] for name in node.input[1:]) for _, node in sorted(numbered.items())])
    found = []
    for place, run in enumerate(runs):
        network = cast("FaceNet", networks.build(config.without_weights(run.network)))
        member = f"_members.{place}." if len(runs) > 1 else "network."
        own = {name.partition(member)[2]: tensor for name, tensor in tensors.items() if member in name}
        with torch.no_grad():
            _fill(network, folded)
            network.load_state_dict({name: own[name] for name in own if ".attend." in name}, strict=False)
        found.append(network)
    if next(folded, None) is not None:
        raise ValueError("the file has more convolutions than these runs")
    _fill_heads(found, tensors)
    return found


def _tensors(graph: onnx.GraphProto) -> dict[str, Tensor]:
    """Every weight of a graph as floats, by the name that its operators use."""
    arrays = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in arrays:
            integers, scale, zero = (arrays[name] for name in node.input)
            axis = next((helper.get_attribute_value(a) for a in node.attribute if a.name == "axis"), 0)
            if scale.ndim:
                shape = [1] * integers.ndim
                shape[axis] = -1
                scale, zero = scale.reshape(shape), zero.reshape(shape)
            arrays[node.output[0]] = ((integers.astype(np.float64) - zero) * scale).astype(np.float32)
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def _fill(network: FaceNet, folded: Iterator[tuple[Tensor, ...]]) -> None:
    """Sets the convolutions of a network from those of the file, in the order of execution."""

    def take(convolution: nn.Module, norm: nn.Module) -> None:
        convolution, norm = cast("nn.Conv2d", convolution), cast("nn.BatchNorm2d", norm)
        weight, bias = next(folded)
        if convolution.weight.shape[2:] != weight.shape[2:]:
            # An average pool was merged into this convolution.
            weight = weight.sum((2, 3), keepdim=True)
        convolution.weight.copy_(weight)
        norm.weight.fill_((1 + norm.eps) ** 0.5)
        norm.bias.copy_(bias)

    take(network.stem[0], network.stem[1])
    for block in cast("Iterator[ResidualBlock]", network.blocks):
        take(block.conv1, block.norm1)
        take(block.conv2, block.norm2)
        if isinstance(block.shortcut, nn.Sequential):
            take(block.shortcut[1], block.shortcut[2])


def _fill_heads(found: list[FaceNet], tensors: dict[str, Tensor]) -> None:
    """Splits the heads of an ensemble: their matrix concatenates those of the networks, divided by their number."""
    for head in ("ferplus", "fer2013"):
        weight, bias = (
            next(tensor for name, tensor in tensors.items() if name.endswith(f"{head}.{part}"))
            for part in ("weight", "bias")
        )
        parts = torch.split(weight, [getattr(network, head).in_features for network in found], dim=1)
        for network, part in zip(found, parts, strict=True):
            getattr(network, head).load_state_dict({"weight": part * len(found), "bias": bias})


def kept_runs(kept: Path, name: str) -> list[Run]:
    """The runs of a shipped model: its own first, then the others of its ensemble."""
    first = config.read(kept / f"{name}.run.json")
    runs = [first, *(config.read(kept / f"{Path(folder).name}.run.json") for folder in first.ensemble)]
    if any(run.network.name != "facenet" for run in runs):
        raise SystemExit("Only `facenet` can be recovered.")
    return runs


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training recover", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/default"))
    parser.add_argument("--kept", type=Path, default=Path("docs/training/figures"), help="folder of NAME.run.json")
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args(arguments)
    manifest = load_manifest(options.model)
    runs = kept_runs(options.kept, manifest.name)
    faces = Faces.load(options.prepared / "train.npz").images
    chosen = np.random.default_rng(0).permutation(len(faces))[:_FACES]
    shown = torch.from_numpy(faces[chosen])[:, None].float()
    for run, network in zip(runs, recover(onnx.load(options.model / manifest.file), runs, shown), strict=True):
        folder = options.runs / run.name
        if (folder / "weights.pt").exists():
            print(f"{folder} exists and is not changed")
            continue
        folder.mkdir(parents=True, exist_ok=True)
        config.write(run, folder / "run.json")
        with written_whole(folder / "weights.pt") as unfinished:
            torch.save(network.state_dict(), unfinished)
        print(f"{folder}: recovered from {options.model}")


if __name__ == "__main__":
    main()
