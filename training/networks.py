"""Builds the networks, in plain PyTorch (torchvision does not have CPU builds for every platform)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch

from training.config import Network
from training.dlib_resnet import DlibResNet
from training.facenet import FaceNet
from training.faceres import Faceres
from training.heads import TwoHeaded
from training.imagenet import EfficientNetB0, EfficientNetB2, EfficientNetLite0, MobileNetV3
from training.starts import Started

_BY_DROPOUT: Final[dict[str, Callable[[float], Started]]] = {
    "faceres": Faceres,
    "dlib_resnet": DlibResNet,
    "mobilenet_v3_large": MobileNetV3,
}
_BY_DEPTH: Final[dict[str, Callable[[float, float], Started]]] = {
    "efficientnet_b0": EfficientNetB0,
    "efficientnet_b2": EfficientNetB2,
    "efficientnet_lite0": EfficientNetLite0,
}


def build(settings: Network) -> TwoHeaded:
    """The network of a run, with the weights of its file, if it names one."""
    network = _shape(settings)
    if not settings.weights:
        return network
    weights = torch.load(Path(settings.weights), map_location="cpu", weights_only=True)
    if isinstance(network, FaceNet):
        network.grow_from(weights)
    elif weights.keys() == network.state_dict().keys():
        network.load_state_dict(weights)
    else:
        network.load_start(weights)
    return network


def _shape(settings: Network) -> FaceNet | Started:
    if settings.name == "facenet":
        shape = (settings.widths, settings.depths, settings.dropout, settings.stochastic_depth, settings.inner)
        return FaceNet(*shape)
    if settings.name in _BY_DROPOUT:
        return _BY_DROPOUT[settings.name](settings.dropout)
    if settings.name in _BY_DEPTH:
        return _BY_DEPTH[settings.name](settings.dropout, settings.stochastic_depth)
    raise ValueError(f"no such network: {settings.name}")
