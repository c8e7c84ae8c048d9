"""The names that models use for the same expression."""

from __future__ import annotations

from typing import Final

_OTHER_NAMES: Final = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}


def usual_name(label: str) -> str:
    """The name that the shipped models have for a label, in lower case."""
    lower = label.strip().lower()
    return _OTHER_NAMES.get(lower, lower)
