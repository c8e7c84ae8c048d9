"""Pictures that stand twice in the data, so that no model is tested on what it learned from."""

from __future__ import annotations

from collections import Counter
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

NEAR: Final = 0.96
"""Cosine similarity of two thumbnails from which they show the same picture; every pair looked at above it did."""

_THUMBNAIL: Final = 16
_CHUNK: Final = 2000


def exact(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of the images (n, h, w) are the same to the byte as one of the others."""
    known = {other.tobytes() for other in others}
    return np.array([image.tobytes() in known for image in images], dtype=np.bool_)


def groups(images: NDArray[np.uint8]) -> int:
    """How many pictures occur more than once."""
    return sum(count > 1 for count in Counter(image.tobytes() for image in images).values())


def likeness(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much each image (n, h, w) is like the most similar of the others or its mirror image, up to 1."""
    ours, theirs = _thumbnails(images), _thumbnails(others)
    mirrored = theirs.reshape(-1, _THUMBNAIL, _THUMBNAIL)[:, :, ::-1].reshape(len(theirs), -1)
    best = np.empty(len(ours), dtype=np.float32)
    for start in range(0, len(ours), _CHUNK):
        rows = ours[start : start + _CHUNK]
        best[start : start + _CHUNK] = np.maximum((rows @ theirs.T).max(axis=1), (rows @ mirrored.T).max(axis=1))
    return best


def _thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unit vectors of the images' coarse light and dark, whatever their brightness and contrast."""
    size = (_THUMBNAIL, _THUMBNAIL)
    small = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])
    vectors = small.reshape(len(images), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6), dtype=np.float32)
