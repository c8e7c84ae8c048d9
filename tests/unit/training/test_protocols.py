from __future__ import annotations

import numpy as np

from training import protocols
from training.data import NO_LABEL
from training.dataset import Split
from training.labels import FER2013, TAGS


def split(*votes: dict[str, int]) -> Split:
    counts = np.array([[row.get(name, 0) for name in TAGS] for row in votes], np.uint8)
    zeros = np.zeros(len(votes), np.int64)
    return Split(np.zeros((len(votes), 48, 48), np.uint8), counts, zeros, zeros)


def test_each_protocol_has_its_own_rule_for_ties() -> None:
    faces = split(
        {"neutral": 5, "angry": 5}, {"happy": 7, "sad": 3}, {"contempt": 6, "sad": 4}, {"unknown": 9, "sad": 1}
    )
    neutral, angry, happy = (FER2013.index(name) for name in ("neutral", "angry", "happy"))
    assert protocols.ferplus7(faces, "plurality").tolist() == [neutral, happy, NO_LABEL, NO_LABEL]
    assert protocols.ferplus7_first_served(faces).tolist() == [angry, happy, NO_LABEL, NO_LABEL]
    assert protocols.ferplus7_untied(faces).tolist() == [NO_LABEL, happy, NO_LABEL, NO_LABEL]
