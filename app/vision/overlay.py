"""A heatmap laid over the crop that it explains, as a PNG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 144
"""Least pixels of the shorter side: a crop of 48 pixels would be a stamp."""

_COLOURS = cv2.COLORMAP_VIRIDIS
"""Even to the eye, so that twice the weight looks twice as strong, and clear to the colour-blind and in grey."""

_STRONGEST = 0.65
"""Share of the colour where the weight is full; where there is none the crop shows as it is."""


def overlay_png(crop: NDArray[np.uint8], grid: NDArray[np.float32]) -> bytes:
    """The crop, uint8 (h, w, 3) RGB, under its grid, float32 (gh, gw) from 0 to 1, at least 144 pixels a side."""
    height, width = crop.shape[:2]
    factor = max(1, -(-_SIDE // min(height, width)))
    size = (width * factor, height * factor)
    photo = cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC)
    weights = np.clip(cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC), 0.0, 1.0)
    colours = cv2.applyColorMap(np.rint(weights * 255).astype(np.uint8), _COLOURS)
    share = _STRONGEST * weights
    blended = cv2.blendLinear(photo[..., ::-1].copy(), colours, 1 - share, share)
    done, png = cv2.imencode(".png", blended)
    if not done:
        raise RuntimeError("OpenCV could not write the PNG.")
    return png.tobytes()
