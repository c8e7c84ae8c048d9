"""Labels under each protocol that papers use, and which faces it leaves out."""

from __future__ import annotations

from typing import Final

import numpy as np

from training.data import NO_LABEL, majority, plurality
from training.dataset import Split
from training.labels import FER2013, FERPLUS, SERVED_FROM_FERPLUS
from training.metrics import Labels

_SERVED_BY_FERPLUS: Final = np.array([FER2013.index(name) if name in FER2013 else NO_LABEL for name in FERPLUS])


def ferplus8(split: Split, protocol: str) -> Labels:
    """Labels (n,) in the order of FER+; :data:`training.data.NO_LABEL` where the protocol leaves a face out."""
    return majority(split.votes) if protocol == "majority" else plurality(split.votes)


def ferplus7(split: Split, protocol: str) -> Labels:
    """The same in the order of the served labels; faces whose label is contempt are left out."""
    labels = ferplus8(split, protocol)
    return np.where(labels == NO_LABEL, NO_LABEL, _SERVED_BY_FERPLUS[labels])


def ferplus7_first_served(split: Split) -> Labels:
    """The labels of the plurality protocol, with ties broken in the order of the served labels."""
    known = ferplus7(split, "plurality") != NO_LABEL
    return np.where(known, split.votes[:, list(SERVED_FROM_FERPLUS)].argmax(axis=1), NO_LABEL)


def ferplus7_untied(split: Split) -> Labels:
    """The labels of the plurality protocol, without faces on which the top vote is a tie."""
    tied = (split.votes == split.votes.max(axis=1, keepdims=True)).sum(axis=1) > 1
    return np.where(tied, NO_LABEL, ferplus7(split, "plurality"))
