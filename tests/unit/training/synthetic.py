"""Synthetic data in the format of FER-2013."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.data import SIDE
from training.dataset import ARRAYS, SPLITS
from training.labels import FER2013, FERPLUS


def write_data(folder: Path, faces: int = 120, seed: int = 0) -> Path:
    """A data folder whose labels can be learned: each has its own stripes."""
    generator = np.random.default_rng(seed)
    arrays = {}
    for index, split in enumerate(SPLITS):
        labels = np.arange(faces) % len(FERPLUS)
        coarse = generator.integers(0, 100, (faces, SIDE // 6, SIDE // 6), dtype=np.uint8)
        images = coarse.repeat(6, axis=1).repeat(6, axis=2)
        votes = np.zeros((faces, 10), dtype=np.uint8)
        for row, label in enumerate(labels):
            stripes = 100 * (np.arange(SIDE) // 2 ** (label % 4) % 2).astype(np.uint8)
            images[row] += stripes[None, :] if label < 4 else stripes[:, None]
            votes[row, label], votes[row, (label + 1) % len(FERPLUS)] = 7, 3
        arrays[f"{split}_x"] = images
        arrays[f"{split}_votes"] = votes
        arrays[f"{split}_fer2013"] = (labels % len(FER2013)).astype(np.int8)
        arrays[f"{split}_id"] = np.arange(faces, dtype=np.int32) + index * faces
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / ARRAYS, **arrays)
    return folder
