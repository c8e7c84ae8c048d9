"""Builds the networks, in plain PyTorch (torchvision does not have CPU builds for every platform)."""

from __future__ import annotations

from pathlib import Path

import torch

from training.config import Network
from training.facenet import FaceNet
from training.faceres import Faceres
from training.heads import TwoHeaded
from training.imagenet import EfficientNetB0, EfficientNetB2, MobileNetV3


def build(settings: Network) -> TwoHeaded:
    """The network of a run, with the weights of its file, if it names one."""
    if settings.name == "facenet":
        small = FaceNet(settings.widths, settings.depths, settings.dropout, settings.stochastic_depth)
        if settings.weights:
            small.grow_from(torch.load(Path(settings.weights), map_location="cpu", weights_only=True))
        return small
    if settings.name == "faceres":
        pretrained = Faceres(settings.dropout)
        if settings.weights:
            pretrained.load_start(torch.load(Path(settings.weights), map_location="cpu", weights_only=True))
        return pretrained
    network: EfficientNetB0 | EfficientNetB2 | MobileNetV3
    if settings.name == "efficientnet_b0":
        network = EfficientNetB0(settings.dropout, settings.stochastic_depth)
    elif settings.name == "efficientnet_b2":
        network = EfficientNetB2(settings.dropout, settings.stochastic_depth)
    elif settings.name == "mobilenet_v3_large":
        network = MobileNetV3(settings.dropout)
    else:
        raise ValueError(f"no such network: {settings.name}")
    if settings.weights:
        network.load_imagenet(torch.load(Path(settings.weights), map_location="cpu", weights_only=True))
    return network
