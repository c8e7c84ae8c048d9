"""Starts: the bodies of networks that other people trained for something else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from training import batch_norms
from training.data import Faces
from training.heads import TwoHeaded
from training.predict import enlarged
from training.whole_files import written_whole

_FACES: Final = 1024
_HEADS: Final = ("ferplus.", "fer2013.")


def save_start(network: TwoHeaded, prepared: Path, path: Path) -> None:
    """Saves the body of a network whose norms have been folded away, with norms measured on training faces."""
    train = Faces.load(prepared / "train.npz")
    chosen = np.random.default_rng(0).choice(len(train), min(_FACES, len(train)), replace=False)
    faces = torch.from_numpy(train.subset(chosen).images)[:, None].float()
    batch_norms.unfold(network, enlarged(faces, network.side))
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {name: value for name, value in network.state_dict().items() if not name.startswith(_HEADS)}
    with written_whole(path) as unfinished:
        torch.save(body, unfinished)
    print(path)


class Started(TwoHeaded):
    """A network whose body can start from weights that other people trained."""

    def load_start(self, weights: dict[str, Tensor]) -> None:
        """Takes the body over."""
        missing, unexpected = self.load_state_dict(weights, strict=False)
        if unexpected or not all(name.startswith(_HEADS) for name in missing):
            raise ValueError("these weights belong to another network")
