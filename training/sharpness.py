"""Steps that look for a flat valley: the loss is asked not where the weights are, but uphill of there (Foret, 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def uphill(network: nn.Module, distance: float) -> Iterator[None]:
    """Moves all weights together so far along their gradients, which are spent, and in the end back.

    Norms learn nothing there: the maps are those of another network.
    """
    weights = [parameter for parameter in network.parameters() if parameter.grad is not None]
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    known = [norm.momentum for norm in norms]
    before = [parameter.detach().clone() for parameter in weights]
    with torch.no_grad():
        slope = torch.stack([parameter.grad.norm() for parameter in weights]).norm()  # type: ignore[union-attr]
        for parameter in weights:
            parameter.add_(parameter.grad, alpha=distance / float(slope.clamp_min(1e-12)))  # type: ignore[arg-type]
            parameter.grad = None
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(weights, before, strict=True):
                parameter.copy_(value)
        for norm, momentum in zip(norms, known, strict=True):
            norm.momentum = momentum
