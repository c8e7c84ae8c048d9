"""The six-number vector of basic emotions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from typing_extensions import TypedDict


class EmotionVector(TypedDict):
    """Probabilities of a model. Null for an emotion that the model has no label for."""

    happiness: float | None
    sadness: float | None
    anger: float | None
    fear: float | None
    surprise: float | None
    disgust: float | None


_LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "happiness": ("happy", "happiness"),
    "sadness": ("sad", "sadness"),
    "anger": ("angry", "anger"),
    "fear": ("fear", "fearful"),
    "surprise": ("surprise", "surprised"),
    "disgust": ("disgust", "disgusted"),
}
"""The labels that models use for each emotion."""


def emotion_vector(probabilities: Mapping[str, float]) -> EmotionVector:
    """The vector of a prediction, rounded as its probabilities are. It is not renormalised."""
    by_label = {label.lower(): round(probability, 4) for label, probability in probabilities.items()}

    def of(emotion: str) -> float | None:
        return next((by_label[label] for label in _LABELS[emotion] if label in by_label), None)

    return {
        "happiness": of("happiness"),
        "sadness": of("sadness"),
        "anger": of("anger"),
        "fear": of("fear"),
        "surprise": of("surprise"),
        "disgust": of("disgust"),
    }
