"""The prepared data as arrays, and the training targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.labels import FERPLUS

EMOTIONS = len(FERPLUS)
NO_LABEL = -1
SIDE = 48

EYE_DISTANCE = 0.37
EYE_CENTER = (0.5, 0.395)
"""Where FER-2013 has the eyes, in shares of the side. Crops with another framing lower the accuracy."""


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces of one split.

    ``images`` (n, 48, 48) uint8; ``votes`` (n, 8) float32 rows that sum to one, or to zero where FER+ has no
    label; ``fer2013`` (n,) int64, the original label or :data:`NO_LABEL`; ``ids`` (n,) the row in the source.
    """

    images: NDArray[np.uint8]
    votes: NDArray[np.float32]
    fer2013: NDArray[np.int64]
    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Faces:
        return Faces(self.images[rows], self.votes[rows], self.fer2013[rows], self.ids[rows])

    def save(self, path: Path) -> None:
        np.savez(path, images=self.images, votes=self.votes, fer2013=self.fer2013, ids=self.ids)

    @staticmethod
    def load(path: Path) -> Faces:
        with np.load(path) as arrays:
            return Faces(arrays["images"], arrays["votes"], arrays["fer2013"], arrays["ids"])

    @staticmethod
    def empty() -> Faces:
        return Faces(
            np.empty((0, SIDE, SIDE), np.uint8),
            np.empty((0, EMOTIONS), np.float32),
            np.empty(0, np.int64),
            np.empty(0, np.int64),
        )

    @staticmethod
    def concatenated(parts: list[Faces]) -> Faces:
        return Faces(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.votes for part in parts]),
            np.concatenate([part.fer2013 for part in parts]),
            np.concatenate([part.ids for part in parts]),
        )


def vote_targets(votes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """FER+ votes (n, 10) to distributions over the eight emotions, (n, 8).

    Single votes are dropped, since they are often mistakes. Votes for *unknown* and *not a face* do not count. A row
    without votes is all zeros.
    """
    kept = np.where(votes > 1, votes, 0)[:, :EMOTIONS].astype(np.float32)
    total = kept.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(kept, total, out=np.zeros_like(kept), where=total > 0))


def is_face(votes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Rows that fewer than five taggers called *not a face*."""
    return votes[:, 9] < 5


def majority(votes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The label of each row under the *majority* protocol, :data:`NO_LABEL` where it has none.

    More than half of the votes are for one emotion, after single votes are dropped.
    """
    kept = np.where(votes > 1, votes, 0).astype(np.int64)
    top = kept.argmax(axis=1)
    clear = kept.max(axis=1) * 2 > kept.sum(axis=1)
    return np.where(clear & (top < EMOTIONS), top, NO_LABEL)


def plurality(votes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The label of each row under the *plurality* protocol: the top vote, where that is an emotion."""
    top = votes.argmax(axis=1).astype(np.int64)
    return np.where(top < EMOTIONS, top, NO_LABEL)
