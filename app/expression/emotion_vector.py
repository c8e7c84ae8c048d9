"""The six-number vector of basic emotions."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import TypedDict

from app.expression.labels import usual_name


class EmotionVector(TypedDict):
    """Probabilities of a model. Null for an emotion that the model has no label for."""

    happiness: float | None
    sadness: float | None
    anger: float | None
    fear: float | None
    surprise: float | None
    disgust: float | None


def emotion_vector(probabilities: Mapping[str, float]) -> EmotionVector:
    """The vector of a prediction, rounded as its probabilities are. It is not renormalised."""
    by_label = {usual_name(label): round(probability, 4) for label, probability in probabilities.items()}
    return {
        "happiness": by_label.get("happy"),
        "sadness": by_label.get("sad"),
        "anger": by_label.get("angry"),
        "fear": by_label.get("fear"),
        "surprise": by_label.get("surprise"),
        "disgust": by_label.get("disgust"),
    }
