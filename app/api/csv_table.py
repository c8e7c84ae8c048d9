"""Writes a batch as a table with one row an item, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from app.api.results import BatchItem, BatchPrediction

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""Beginnings that a spreadsheet takes for a formula, in full width too."""


def table(items: Iterable[BatchItem], labels: Sequence[str]) -> bytes:
    """The items of a batch as CSV in UTF-8. A picture with several faces has the row of its largest one."""
    text = io.StringIO()
    columns = [
        *("index", "filename", "success", "emotion", "confidence", "is_uncertain"),
        *(neutral(f"p_{label}") for label in labels),
        *("faces_detected", "x", "y", "width", "height", "warnings", "error", "message"),
    ]
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for item in items:
        writer.writerow(
            {
                "index": item["index"],
                "filename": neutral(item["filename"] or ""),
                "success": _word(item["success"]),
                "message": neutral(item.get("message", "")),
                **(_predicted(item) if item["success"] else {"error": item["error"]}),
            }
        )
    return text.getvalue().encode()


def neutral(text: str) -> str:
    """The text, with a quote before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _predicted(item: BatchPrediction) -> dict[str, object]:
    return {
        "emotion": item["emotion"],
        "confidence": item["confidence"],
        "is_uncertain": _word(item["is_uncertain"]),
        **{neutral(f"p_{label}"): probability for label, probability in item["probabilities"].items()},
        "faces_detected": item["faces_detected"],
        **item["face"]["box"],
        "warnings": " ".join(warning["code"] for warning in item["warnings"]),
    }


def _word(value: bool) -> str:
    return str(value).lower()
