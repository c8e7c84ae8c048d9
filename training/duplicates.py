"""Finds duplicate pictures, so that no model is tested on pictures it was trained on."""

from __future__ import annotations

from collections import Counter
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

NEAR: Final = 0.96
"""Thumbnails with a higher cosine similarity show the same picture; this held for every inspected pair."""

_THUMBNAIL: Final = 16
_CHUNK: Final = 2000


def exact(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of the images (n, h, w) are byte for byte the same as one of the others."""
    known = {other.tobytes() for other in others}
    return np.array([image.tobytes() in known for image in images], dtype=np.bool_)


def groups(images: NDArray[np.uint8]) -> int:
    """The number of pictures that occur more than once."""
    return sum(count > 1 for count in Counter(image.tobytes() for image in images).values())


def similarity(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Cosine similarity of each image (n, h, w) with the most similar of the others or their mirror images."""
    ours, theirs = _thumbnails(images), _thumbnails(others)
    mirrored = theirs.reshape(-1, _THUMBNAIL, _THUMBNAIL)[:, :, ::-1].reshape(len(theirs), -1)
    best = np.empty(len(ours), dtype=np.float32)
    for start in range(0, len(ours), _CHUNK):
        rows = ours[start : start + _CHUNK]
        best[start : start + _CHUNK] = np.maximum((rows @ theirs.T).max(axis=1), (rows @ mirrored.T).max(axis=1))
    return best


def _thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unit vectors of small versions of the images, independent of brightness and contrast."""
    size = (_THUMBNAIL, _THUMBNAIL)
    small = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])
    vectors = small.reshape(len(images), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6), dtype=np.float32)
