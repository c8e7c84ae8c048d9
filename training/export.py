"""Exports a trained network as ONNX graph with its manifest."""

from __future__ import annotations

import argparse
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional

from app.inference.manifest import ByEyes, ExplainSpec, InputSpec, Manifest, OutputSpec
from training import config, networks
from training.config import Run
from training.data import EYE_CENTER, EYE_DISTANCE, Faces
from training.dataset import data_folder, read_split
from training.ensemble import Ensemble, MirrorAverage
from training.heads import TwoHeaded
from training.labels import FER2013, SERVED_FROM_FERPLUS
from training.model_folder import MODEL_FILE, publish
from training.shipped import FER2013_OUTPUT, FERPLUS_OUTPUT, session

OPSET: Final = 17
_INPUT: Final = "image"
_SERVED: Final = "logits"
_FEATURES: Final = "features"
_WEIGHTS: Final = "class_weights"


class Served(nn.Module):
    """A network with the served head: the FER+ head for the served labels plus a share of the other head.

    Both heads are linear in the same feature vector, so their sum is one matrix and costs nothing. ``offsets`` (7,) are
    added to its biases.
    """

    def __init__(self, network: TwoHeaded, fer2013_share: float = 0.0, offsets: Tensor | float = 0.0) -> None:
        super().__init__()
        self.network = network
        columns = list(SERVED_FROM_FERPLUS)
        self.class_weights = nn.Parameter(network.ferplus.weight[columns] + fer2013_share * network.fer2013.weight)
        biases = network.ferplus.bias[columns] + fer2013_share * network.fer2013.bias
        self.class_biases = nn.Parameter(biases + offsets)
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        maps = self.network.feature_map(image)
        pooled = self.network.pool(maps)
        served = functional.linear(pooled, self.class_weights, self.class_biases)
        return served, self.network.ferplus(pooled), self.network.fer2013(pooled), maps


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of the ONNX file with PyTorch on the same faces."""

    faces: int
    same_label: float
    largest_difference: float

    @property
    def holds(self) -> bool:
        return self.same_label >= 0.999 and self.largest_difference < 1e-4


def load_shipped(folder: Path) -> tuple[list[Run], TwoHeaded]:
    """The exported network of a run, and its runs: the run itself first, then the others of its ensemble."""
    run, network = _load_network(folder)
    others = [_load_network(Path(other)) for other in run.ensemble]
    if others:
        network = Ensemble([network, *(member for _, member in others)])
    if run.mirror_average:
        network = MirrorAverage(network)
    return [run, *(other for other, _ in others)], network.eval().requires_grad_(False)


def _load_network(folder: Path) -> tuple[Run, TwoHeaded]:
    """The finished network of a run, or the average of its last checkpoint."""
    run = config.read(folder / "run.json")
    network = networks.build(config.without_weights(run.network))
    finished = folder / "weights.pt"
    if finished.exists():
        state = torch.load(finished, map_location="cpu", weights_only=True)
    else:
        state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)["average"]["network"]
    network.load_state_dict(state)
    return run, network


def offsets(faces: Faces, factor: float) -> Tensor:
    """Offsets (7,) of the served logits that raise rare labels."""
    frequency = torch.from_numpy(faces.votes[:, list(SERVED_FROM_FERPLUS)]).sum(0)
    return -factor * (frequency / frequency.sum()).clamp_min(1e-6).log()


def to_onnx(served: Served) -> bytes:
    """The ONNX graph, from pictures in 0–255 to logits, with batch norms folded into the convolutions."""
    network = served.network
    outputs = [_SERVED, FERPLUS_OUTPUT, FER2013_OUTPUT, _FEATURES]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # The newer exporter needs another package and does not fold batch norms.
        warnings.simplefilter("ignore", DeprecationWarning)
        path = Path(folder) / MODEL_FILE
        torch.onnx.export(
            served,
            (torch.zeros(2, network.channels, network.side, network.side),),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=[_INPUT],
            output_names=outputs,
            dynamic_axes={name: {0: "faces"} for name in (_INPUT, *outputs)},
        )
        model = onnx.load(path)
    _pool_globally(model.graph)
    if not network.linear_heads:
        model.graph.output.remove(next(output for output in model.graph.output if output.name == _FEATURES))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _pool_globally(graph: onnx.GraphProto) -> None:
    """Replaces means over a map by GlobalAveragePool, which ONNX Runtime executes in its faster channel layout."""
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type != "ReduceMean" or list(attributes["axes"]) not in ([2, 3], [-2, -1]):
            nodes.append(node)
        elif attributes["keepdims"]:
            nodes.append(helper.make_node("GlobalAveragePool", node.input, node.output, name=node.name))
        else:
            pooled = f"{node.output[0]}_map"
            nodes.append(helper.make_node("GlobalAveragePool", node.input, [pooled], name=node.name))
            nodes.append(helper.make_node("Flatten", [pooled], node.output, name=f"{node.name}_flatten", axis=1))
    del graph.node[:]
    graph.node.extend(nodes)


def compare(model: bytes, served: Served, faces: NDArray[np.uint8]) -> Agreement:
    """Compares the served logits of both on grey faces (n, h, w)."""
    runner, network = session(model, 1), served.network
    same, largest = 0, 0.0
    for start in range(0, len(faces), 64):
        batch = torch.from_numpy(faces[start : start + 64])[:, None].float()
        if batch.shape[-1] != network.side:
            batch = functional.interpolate(batch, size=network.side, mode="bilinear", align_corners=False)
        batch = batch.expand(-1, network.channels, -1, -1).contiguous()
        with torch.inference_mode():
            expected = served(batch)[0].numpy()
        (found,) = runner.run([_SERVED], {_INPUT: batch.numpy()})
        same += int((expected.argmax(axis=1) == found.argmax(axis=1)).sum())
        largest = max(largest, float(np.abs(expected - found).max()))
    return Agreement(len(faces), same / len(faces), largest)


def make_manifest(runs: list[Run], network: TwoHeaded, name: str, version: str) -> Manifest:
    """The manifest of an exported network; :func:`training.model_folder.publish` adds the hash."""
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    shape = " and ".join(_shape(run) for run in runs) + ", mirror-averaged" * runs[0].mirror_average
    photos = any(run.photos_share > 0 for run in runs)
    return Manifest(
        name=name,
        version=version,
        file=MODEL_FILE,
        sha256="0" * 64,
        architecture=f"{shape}, {millions:.1f} M parameters",
        trained_on="FER-2013 with the votes of FER+" + (", and labelled photos (muxspace/facial_expressions)" * photos),
        license="MIT",
        labels=FER2013,
        metrics={},
        input=InputSpec(
            width=network.side,
            height=network.side,
            channels="rgb" if network.channels == 3 else "gray",
            layout="NCHW",
            dtype="float32",
            scale=1.0,
            mean=0.0,
            std=1.0,
        ),
        face=ByEyes(eye_distance=EYE_DISTANCE, eye_center=EYE_CENTER),
        output=OutputSpec(tensor=_SERVED, kind="logits", temperature=1.0, entropy_exponent=0.0),
        outputs=(),
        explain=ExplainSpec(features=_FEATURES, weights=_WEIGHTS) if network.linear_heads else None,
    )


def _shape(run: Run) -> str:
    network, shape = run.network, run.network.name
    if shape == "facenet":
        shape += f", widths {'-'.join(map(str, network.widths))}, blocks {'-'.join(map(str, network.depths))}"
    return shape


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training export", description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/default"), help="folder of a training run")
    parser.add_argument("--model", type=Path, default=Path("runs/float/default"), help="folder to write")
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument(
        "--fer2013-share", type=float, default=0.0, help="share of the second head in the served logits"
    )
    parser.add_argument("--limit", type=int, help="compare on only this many faces")
    options = parser.parse_args(arguments)
    runs, network = load_shipped(options.run)
    raised = offsets(Faces.load(options.prepared / "train.npz"), runs[0].logit_adjustment)
    served = Served(network, options.fer2013_share, raised)
    model = to_onnx(served)
    agreement = compare(model, served, read_split(options.data, "test").images[: options.limit])
    print(
        f"ONNX and PyTorch on {agreement.faces} test faces: same label {agreement.same_label:.2%}, "
        f"largest difference {agreement.largest_difference:.1e}"
    )
    if not agreement.holds:
        raise SystemExit("The ONNX file and PyTorch differ; nothing is written.")
    publish(options.model, model, make_manifest(runs, network, options.model.name, options.version))
    print(f"{options.model}: {len(model) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
