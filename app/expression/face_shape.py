"""What action units are computed from: points of a face and its blendshapes, each on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.vision.mesh import BLENDSHAPES

ORIGINS: Final[Mapping[str, tuple[int, ...]]] = {"eyes": (33, 133, 263, 362), "nose": (2, 98, 327)}
"""The points whose middle the others are measured from: the corners of the eyes, or the base of the nose."""

_LEAST: Final = 1e-7
"""The least that a blendshape counts as in a logit. Two of them, cheekSquint and noseSneer, stay below a thousandth."""


def logits(blendshapes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Blendshapes as logits, which grow evenly with the movement."""
    values = blendshapes.astype(np.float64).clip(_LEAST, 1 - _LEAST)
    return np.asarray(np.log(values / (1 - values)))


def sides(name: str) -> tuple[int, int]:
    """Where the blendshape of this name stands for the person's left and right side. One of the middle counts twice."""
    if name in BLENDSHAPES:
        return BLENDSHAPES.index(name), BLENDSHAPES.index(name)
    return BLENDSHAPES.index(f"{name}Left"), BLENDSHAPES.index(f"{name}Right")
