"""How labels and levels of confidence are shown: names, colours and emoji, the same for the page and every client.

Each colour has a contrast of at least 4.5 to white, as text or behind it, and of 3 to a dark background.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import Field
from typing_extensions import TypedDict

from app.expression.labels import usual_name

Color = Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]
LevelName = Literal["uncertain", "fair", "sure"]


class Label(TypedDict):
    """A label, and how it is shown."""

    name: str
    emoji: str
    color: Color


Level = TypedDict(
    "Level",
    {
        "name": LevelName,
        "from": Annotated[float, Field(description="The least confidence of this level.")],
        "color": Color,
        "emoji": str,
    },
)
"""A range of confidence, up to the next level, and how it is shown."""

_KNOWN: Final = {
    "angry": ("😠", "#d03025"),
    "disgust": ("🤢", "#507a15"),
    "fear": ("😨", "#934ec4"),
    "happy": ("😄", "#916604"),
    "sad": ("😢", "#256ccf"),
    "surprise": ("😮", "#0b7a84"),
    "neutral": ("😐", "#676f78"),
    "contempt": ("😒", "#a05e2e"),
}
_OTHER: Final = ("🙂", "#b3448e")
"""For a label of a model that was dropped in."""


def labels(names: Iterable[str]) -> list[Label]:
    """How each label is shown, once and in the order given."""
    shown = {name: _KNOWN.get(usual_name(name), _OTHER) for name in names}
    return [{"name": name, "emoji": emoji, "color": color} for name, (emoji, color) in shown.items()]


def levels(threshold: float) -> list[Level]:
    """The levels of confidence, where a prediction below ``threshold`` is uncertain."""
    return [
        {"name": "uncertain", "from": 0.0, "color": "#cc352a", "emoji": "🤔"},
        {"name": "fair", "from": threshold, "color": "#9a6200", "emoji": "👍"},
        {"name": "sure", "from": round((1 + threshold) / 2, 4), "color": "#0e7e4f", "emoji": "✅"},
    ]
