"""A batch as a table: one row an item, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the start of a formula, the full-width forms too."""


def table(items: Iterable[dict[str, Any]], labels: Sequence[str]) -> bytes:
    """The items of a batch as CSV in UTF-8. A picture with several faces has the row of its largest one."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        [
            *("index", "filename", "success", "emotion", "confidence", "is_uncertain"),
            *(neutral(f"p_{label}") for label in labels),
            *("faces_detected", "x", "y", "width", "height", "warnings", "error", "message"),
        ]
    )
    for item in items:
        probabilities = item.get("probabilities", {})
        box = item["face"]["box"] if "face" in item else {}
        writer.writerow(
            [
                item["index"],
                neutral(item["filename"] or ""),
                _word(item["success"]),
                item.get("emotion", ""),
                item.get("confidence", ""),
                _word(item.get("is_uncertain")),
                *(probabilities.get(label, "") for label in labels),
                item.get("faces_detected", ""),
                *(box.get(side, "") for side in ("x", "y", "width", "height")),
                " ".join(warning["code"] for warning in item.get("warnings", ())),
                item.get("error", ""),
                neutral(item.get("message", "")),
            ]
        )
    return text.getvalue().encode()


def neutral(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _word(value: bool | None) -> str:
    return "" if value is None else str(value).lower()
