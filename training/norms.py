"""What norms know of the maps they read, set by a network's own maps of training faces.

The mean of several networks' weights is a network, the mean of what their norms know is not what its norms should.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import nn

from training.data import Faces
from training.heads import TwoHeaded

_FACES: Final = 6144
_BATCH: Final = 256


def set_anew(network: TwoHeaded, faces: Faces, device: torch.device) -> None:
    """Sets every norm by the first faces, each batch of them normalised by itself on its way through."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    was_training = {module: module.training for module in network.modules()}
    network.eval()
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None
    images = torch.from_numpy(faces.images[:_FACES])[:, None].float()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        for batch in torch.split(images, _BATCH):
            network(batch.to(device, memory_format=torch.channels_last))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for module, training in was_training.items():
        module.training = training
