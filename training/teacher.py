"""Soft labels for distillation: predictions of finished networks for the training faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training import config, networks
from training.data import Faces


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """Distributions over the FER+ labels, (n, 8), and over the original ones, (n, 7)."""

    votes: Tensor
    fer2013: Tensor


def soft_labels(runs: Sequence[Path], faces: Faces, device: torch.device) -> SoftLabels:
    """The mean prediction of the networks of some runs, each averaged over a face and its mirror image."""
    predictions = [_predict(run, faces, device) for run in runs]
    votes, original = (torch.stack(views).mean(0) for views in zip(*predictions, strict=True))
    return SoftLabels(votes, original)


def _predict(run: Path, faces: Faces, device: torch.device) -> tuple[Tensor, Tensor]:
    settings = config.without_weights(config.read(run / "run.json").network)
    network = networks.build(settings)
    network.load_state_dict(torch.load(run / "weights.pt", map_location="cpu", weights_only=True))
    network = network.to(device).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    votes, original = [], []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        for batch in torch.split(torch.from_numpy(faces.images)[:, None], 256):
            plain = batch.to(device).float()
            views = [network(view.to(memory_format=torch.channels_last)) for view in (plain, plain.flip(3))]
            votes.append(torch.stack([view.ferplus.float().softmax(1) for view in views]).mean(0).cpu())
            original.append(torch.stack([view.fer2013.float().softmax(1) for view in views]).mean(0).cpu())
    return torch.cat(votes), torch.cat(original)
