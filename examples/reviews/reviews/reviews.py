"""One review, and reading a file of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reviews.errors import SetupError

LONGEST = 10_000
"""Characters of one review."""


@dataclass(frozen=True)
class Review:
    """What somebody wrote, or what the generator made up."""

    id: str
    text: str
    emotion: str | None = None
    """The label that the generator, or whoever owns the reviews, gave it."""
    stars: int | None = None
    synthetic: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def read_reviews(path: Path) -> list[Review]:
    """The reviews of a file with one JSON object a line, which needs `text`; the other fields are optional."""
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"The reviews in {path} cannot be read: {error}.") from error
    found = [_review(line, number, path) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise SetupError(f"{path} has no review.")
    return found


def _review(line: str, number: int, path: Path) -> Review:
    try:
        entry = json.loads(line)
        text, emotion, stars = entry["text"], entry.get("emotion"), entry.get("stars")
        fits = isinstance(text, str) and len(text.strip()) > 0 and len(text) <= LONGEST
        json.dumps(entry, ensure_ascii=False).encode("utf-8")
        fits = fits and (emotion is None or isinstance(emotion, str)) and (stars is None or isinstance(stars, int))
    except (ValueError, KeyError, TypeError, AttributeError):
        fits = False
    if not fits:
        raise SetupError(
            f'Line {number} of {path} is no review: it needs "text" of 1 to {LONGEST} characters, and may have "id", '
            '"emotion" (text) and "stars" (a whole number).'
        )
    own = entry.get("id")
    return Review(str(number if own is None else own), text, emotion, stars, entry.get("synthetic") is True)
