"""Recomputes batch-norm statistics from training faces.

The mean of the weights of several networks is a network, but the mean of their batch-norm statistics does not fit it.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from training.data import Faces
from training.heads import TwoHeaded

_FACES: Final = 6144
_BATCH: Final = 256


def refresh(network: TwoHeaded, faces: Faces, share: float, device: torch.device) -> None:
    """Moves the statistics a ``share`` of the way to those of the first faces, with each batch normalised by itself."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    kept = [[values.clone() for values in _statistics(norm)] for norm in norms]
    network.eval()
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None
    images = torch.from_numpy(faces.images[:_FACES])[:, None].float()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        for batch in torch.split(images, _BATCH):
            network(batch.to(device, memory_format=torch.channels_last))
    for norm, momentum, before in zip(norms, momenta, kept, strict=True):
        norm.momentum = momentum
        for values, old in zip(_statistics(norm), before, strict=True):
            values.lerp_(old, 1 - share)
    network.eval()


def _statistics(norm: nn.BatchNorm2d) -> list[Tensor]:
    return [values for values in (norm.running_mean, norm.running_var) if values is not None]
