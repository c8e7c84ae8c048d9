"""What norms know of the maps they read, set by a network's own maps of training faces.

The mean of several networks' weights is a network, the mean of what their norms know is not what its norms should.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from training.data import Faces
from training.heads import TwoHeaded

_FACES: Final = 6144
_BATCH: Final = 256


def set_anew(network: TwoHeaded, faces: Faces, share: float, device: torch.device) -> None:
    """Moves every norm by a share of the way to what the first faces show, each batch of them normalised by itself."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    known = [[values.clone() for values in _known(norm)] for norm in norms]
    network.eval()
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None
    images = torch.from_numpy(faces.images[:_FACES])[:, None].float()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        for batch in torch.split(images, _BATCH):
            network(batch.to(device, memory_format=torch.channels_last))
    for norm, momentum, before in zip(norms, momenta, known, strict=True):
        norm.momentum = momentum
        for now, then in zip(_known(norm), before, strict=True):
            now.lerp_(then, 1 - share)
    network.eval()


def _known(norm: nn.BatchNorm2d) -> list[Tensor]:
    return [values for values in (norm.running_mean, norm.running_var) if values is not None]
