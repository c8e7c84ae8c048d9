"""Heatmaps by gradients, on the training network with the weights of a shipped file.

The network's integers are as in the file, but it calculates in floats between them: :func:`agreement` says how far its
probabilities are from the file's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from captum.attr import IntegratedGradients, LayerGradCam
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from app.inference.calibration import calibrate
from app.inference.classifier import Classifier
from training import recover
from training.ensemble import Ensemble, MirrorAverage
from training.heads import TwoHeaded
from training.heatmaps import Grid, Method, Target

LEAST_SAME_LABEL: Final = 0.97
MOST_MEAN_DIFFERENCE: Final = 0.02
"""How far the network may be from the shipped file."""

_STEPS: Final = 32
"""Steps of integrated gradients."""

KEPT: Final = Path("docs/training/figures")
"""The folder of ``NAME.run.json``, which say how the shipped networks are built."""


class ServedNetwork(nn.Module):
    """A shipped file's served logits for its input tensor; ``last`` passes the map before pooling on."""

    def __init__(self, network: TwoHeaded, weights: Tensor, biases: Tensor) -> None:
        super().__init__()
        self.network = network
        self.last = nn.Identity()
        self.register_buffer("weights", weights)
        self.register_buffer("biases", biases)
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.last(self.network.feature_map(image)))

    def head(self, maps: Tensor) -> Tensor:
        return functional.linear(self.network.pool(maps), self.get_buffer("weights"), self.get_buffer("biases"))


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the network's probabilities are from the file's over some faces: the share with the same label, and the
    mean and the maximum of the largest difference of each face."""

    faces: int
    same_label: float
    mean_difference: float
    largest_difference: float

    @property
    def holds(self) -> bool:
        return self.same_label >= LEAST_SAME_LABEL and self.mean_difference <= MOST_MEAN_DIFFERENCE


def load_network(folder: Path, kept: Path | None = None) -> ServedNetwork:
    """The training network of a model's folder."""
    model = onnx.load(folder / "model.onnx")
    runs = recover.kept_runs(kept or KEPT, folder.name)
    networks = recover.recover_folded(model, runs)
    network: TwoHeaded = Ensemble(networks) if len(networks) > 1 else networks[0]
    if runs[0].mirror_average:
        network = MirrorAverage(network)
    arrays = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in model.graph.initializer}
    return ServedNetwork(network, arrays["class_weights"], arrays["class_biases"])


def agreement(network: ServedNetwork, model: Classifier, crops: list[NDArray[np.uint8]]) -> Agreement:
    """Compares the network with the shipped file."""
    tensor = model.prepare(crops)
    shipped = model.infer(tensor).probabilities
    with torch.inference_mode():
        found = calibrate(network(torch.from_numpy(tensor)).numpy(), model.manifest.output)
    differences = np.abs(found - shipped)
    same = float((found.argmax(axis=1) == shipped.argmax(axis=1)).mean())
    return Agreement(len(crops), same, float(differences.max(axis=1).mean()), float(differences.max()))


def methods(network: ServedNetwork) -> dict[str, Method]:
    """The methods that need gradients, by name."""
    return {
        "grad_cam": lambda target, random: grad_cam(network, target),  # noqa: ARG005
        "grad_cam_plus_plus": lambda target, random: grad_cam_plus_plus(network, target),  # noqa: ARG005
        "integrated_gradients": lambda target, random: integrated_gradients(network, target),  # noqa: ARG005
    }


def grad_cam(network: ServedNetwork, target: Target) -> Grid:
    """Grad-CAM of the label's logit."""
    explainer = LayerGradCam(network, network.last)
    found = explainer.attribute(_image(target).requires_grad_(), target=target.label, relu_attributions=True)
    return _grid(found)


def grad_cam_plus_plus(network: ServedNetwork, target: Target) -> Grid:
    """Grad-CAM++: each channel's weight is a mean of its positive gradients, by how much each place of it decides."""
    maps = network.network.feature_map(_image(target)).requires_grad_()
    (slopes,) = torch.autograd.grad(network.head(maps)[0, target.label], maps)
    divisor = 2 * slopes**2 + maps.sum((2, 3), keepdim=True) * slopes**3
    shares = torch.where(divisor.abs() > 1e-12, slopes**2 / divisor, 0.0)
    weights = (shares * slopes.relu()).sum((2, 3), keepdim=True)
    return _grid((weights * maps).sum(1, keepdim=True).relu())


def integrated_gradients(network: ServedNetwork, target: Target) -> Grid:
    """Integrated gradients of the label's logit, from a face of the crop's mean colour."""
    baseline = _image(Target(target.model, np.broadcast_to(target.colour, target.crop.shape).copy(), target.label))
    found = IntegratedGradients(network).attribute(
        _image(target), baselines=baseline, target=target.label, n_steps=_STEPS, internal_batch_size=_STEPS
    )
    return _grid(found.sum(1, keepdim=True))


def _image(target: Target) -> Tensor:
    return torch.from_numpy(target.model.prepare([target.crop]))


def _grid(maps: Tensor) -> Grid:
    return np.asarray(maps.detach()[0, 0].numpy(), np.float32)
