"""What is searched for when Visage reports an expression: one hand-written sentence a label."""

from __future__ import annotations

from reviews.errors import UnknownEmotion

QUERIES = {
    "angry": "A customer who is angry and outraged, and demands a refund.",
    "disgust": "A customer who found it disgusting, dirty and nauseating.",
    "fear": "A customer who was scared, because it seemed dangerous.",
    "happy": "A happy customer who loves it and is full of joy.",
    "sad": "A customer who is sad and in tears about a loss.",
    "surprise": "A customer who was surprised by something unexpected.",
    "neutral": "A customer without a strong opinion: it is average, neither good nor bad.",
}


def query_for(emotion: str) -> str:
    """The text to search for."""
    try:
        return QUERIES[emotion]
    except KeyError:
        raise UnknownEmotion(f'"{emotion[:40]}" is none of the known emotions: {", ".join(QUERIES)}.') from None
