"""Soft labels for distillation: predictions of other networks for the training faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training import config, networks
from training.data import NO_LABEL, Faces
from training.heads import Logits
from training.predict import predict
from training.whole_files import written_whole

SOFT_LABELS: Final = "soft_labels.npz"
"""File in the folder of a teacher with its predictions; a teacher without it is a finished run."""

_PHOTO: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """Distributions over the FER+ labels, (n, 8), and over the original ones, (n, 7)."""

    votes: Tensor
    fer2013: Tensor

    def to(self, device: torch.device) -> SoftLabels:
        return SoftLabels(self.votes.to(device), self.fer2013.to(device))

    @staticmethod
    def mean_of(parts: Sequence[SoftLabels], weights: Sequence[float] | None = None) -> SoftLabels:
        """The weighted mean; all weights are equal if there are none."""
        shares = torch.tensor(weights or [1.0] * len(parts))
        shares = (shares / shares.sum())[:, None, None]
        votes, fer2013 = (torch.stack([getattr(part, name) for part in parts]) for name in ("votes", "fer2013"))
        return SoftLabels((votes * shares).sum(0), (fer2013 * shares).sum(0))

    def save(self, folder: Path, faces: Faces) -> None:
        """Saves the labels of some faces as 16-bit floats."""
        folder.mkdir(parents=True, exist_ok=True)
        halves = {name: getattr(self, name).numpy().astype(np.float16) for name in ("votes", "fer2013")}
        with written_whole(folder / SOFT_LABELS) as unfinished:
            np.savez(unfinished, faces=_names(faces), **halves)

    @staticmethod
    def load(folder: Path, faces: Faces) -> SoftLabels:
        """The saved labels of these faces; raises ValueError if one of them has none."""
        with np.load(folder / SOFT_LABELS) as arrays:
            known, votes, fer2013 = (arrays[name] for name in ("faces", "votes", "fer2013"))
        order = np.argsort(known)
        wanted = _names(faces)
        places = order[np.searchsorted(known, wanted, sorter=order).clip(max=len(known) - 1)]
        if not np.array_equal(known[places], wanted):
            raise ValueError(f"{folder / SOFT_LABELS} has no labels for some of these faces")
        return SoftLabels(*(torch.from_numpy(part[places].astype(np.float32)) for part in (votes, fer2013)))


def soft_labels(teachers: Sequence[Path], faces: Faces, device: torch.device) -> SoftLabels:
    """The mean prediction of some teachers."""
    return SoftLabels.mean_of([of_teacher(teacher, faces, device) for teacher in teachers])


def of_teacher(folder: Path, faces: Faces, device: torch.device) -> SoftLabels:
    """The predictions of one teacher: as they were saved, or those of the network of a run."""
    if (folder / SOFT_LABELS).exists():
        return SoftLabels.load(folder, faces)
    settings = config.without_weights(config.read(folder / "run.json").network)
    network = networks.build(settings)
    network.load_state_dict(torch.load(folder / "weights.pt", map_location="cpu", weights_only=True))
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return both_ways([predict(network, faces, device, mirrored=mirrored) for mirrored in (False, True)])


def both_ways(views: Sequence[Logits]) -> SoftLabels:
    """The mean of the predictions for faces and for their mirror images."""
    votes, fer2013 = (torch.stack([part.softmax(1) for part in parts]).mean(0) for parts in zip(*views, strict=True))
    return SoftLabels(votes, fer2013)


def _names(faces: Faces) -> NDArray[np.int64]:
    """A number for each face, whichever split it is in."""
    return np.where(faces.fer2013 == NO_LABEL, faces.ids + _PHOTO, faces.ids)
