"""Recomputes batch-norm statistics from training faces.

The mean of the weights of several networks is a network, but the mean of their batch-norm statistics does not fit it.
And weights that come with their batch norms folded in need norms again before they are trained on.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn

from training.data import Faces
from training.heads import TwoHeaded
from training.predict import enlarged

_FACES: Final = 6144
_BATCH: Final = 256
_UNFOLD_BATCH: Final = 128


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
            sized = enlarged(batch.to(device), network.side)
            network(sized.contiguous(memory_format=torch.channels_last))
    for norm, momentum, before in zip(norms, momenta, kept, strict=True):
        norm.momentum = momentum
        for values, old in zip(_statistics(norm), before, strict=True):
            values.lerp_(old, 1 - share)
    network.eval()


@torch.no_grad()
def unfold(network: TwoHeaded, faces: Tensor) -> None:
    """Gives each norm the statistics of what it receives for some faces (n, channels, side, side).

    Its weight and bias make up for it, so that the network computes what it did.
    """
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {}

    def note(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (maps,) = inputs
        moments = torch.stack([maps.double().mean((0, 2, 3)), maps.double().square().mean((0, 2, 3))])
        sums.setdefault(cast("nn.BatchNorm2d", norm), []).append(moments)

    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    network.eval()
    for batch in torch.split(faces, _UNFOLD_BATCH):
        network(batch)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        old_mean, old_variance = _statistics(norm)
        mean, square = torch.stack(sums[norm]).mean(0)
        variance = (square - mean.square()).clamp_min(norm.eps)
        scale = norm.weight.double() / (old_variance.double() + norm.eps).sqrt()
        norm.bias.add_((mean - old_mean.double()) * scale)
        norm.weight.copy_(scale * (variance + norm.eps).sqrt())
        old_mean.copy_(mean)
        old_variance.copy_(variance)


def _statistics(norm: nn.BatchNorm2d) -> list[Tensor]:
    return [values for values in (norm.running_mean, norm.running_var) if values is not None]
