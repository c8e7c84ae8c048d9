"""Crops to the tensor that a network takes, as its manifest says."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference.manifest import InputSpec
from app.inference.runner import Tensor


class Preprocessor:
    """Turns RGB crops into an input tensor.

    A pixel has 256 values, so each channel is one look-up in a table that was computed in double precision and
    rounded once: exact, and faster than the arithmetic.
    """

    def __init__(self, spec: InputSpec) -> None:
        self._spec = spec
        depth = spec.depth
        mean = np.broadcast_to(np.asarray(spec.mean, np.float64), (depth,))
        std = np.broadcast_to(np.asarray(spec.std, np.float64), (depth,))
        values = np.arange(256, dtype=np.float64)
        tables = ((values * spec.scale)[None] - mean[:, None]) / std[:, None]
        self._tables = tables.astype(spec.dtype)

    def __call__(self, crops: Sequence[NDArray[np.uint8]]) -> Tensor:
        """A tensor (n, c, h, w) or (n, h, w, c) from crops (h, w, 3) of the size that the manifest names."""
        spec = self._spec
        planes = np.empty((len(crops), spec.depth, spec.height, spec.width), spec.dtype)
        for crop, target in zip(crops, planes, strict=True):
            if crop.shape != (spec.height, spec.width, 3):
                raise ValueError(f"a crop of shape {crop.shape} for an input of {spec.height} by {spec.width}")
            for channel, table in enumerate(self._tables):
                cv2.LUT(self._plane(crop, channel), table, dst=target[channel])
        if spec.layout == "NHWC":
            return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
        return planes

    def _plane(self, crop: NDArray[np.uint8], channel: int) -> NDArray[np.uint8]:
        if self._spec.channels == "gray":
            return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)
        index = 2 - channel if self._spec.channels == "bgr" else channel
        return np.asarray(cv2.extractChannel(crop, index), np.uint8)
