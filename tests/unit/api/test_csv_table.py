"""The table of a batch, as a spreadsheet reads it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from app.api.csv_table import neutral, table

READ: dict[str, Any] = {
    "index": 0,
    "filename": "a.jpg",
    "success": True,
    "emotion": "happy",
    "confidence": 0.9,
    "is_uncertain": False,
    "probabilities": {"happy": 0.9, "sad": 0.1},
    "face": {"box": {"x": -3, "y": 2, "width": 9, "height": 9}},
    "faces_detected": 1,
    "warnings": [{"code": "blurred", "message": "…"}, {"code": "at_edge", "message": "…"}],
}
FAILED: dict[str, Any] = {
    "index": 1,
    "filename": "=cmd()",
    "success": False,
    "error": "invalid_image",
    "message": 'It is "broken", sorry.',
}


def rows(*items: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table(items, ("happy", "sad")).decode())))


def test_a_row_holds_what_was_read() -> None:
    (row,) = rows(READ)
    assert row["success"] == "true"
    assert (row["emotion"], row["confidence"], row["is_uncertain"]) == ("happy", "0.9", "false")
    assert (row["p_happy"], row["p_sad"]) == ("0.9", "0.1")
    assert (row["x"], row["width"], row["faces_detected"]) == ("-3", "9", "1")
    assert row["warnings"] == "blurred at_edge"
    assert row["error"] == ""


def test_a_row_that_failed_holds_its_error_and_a_harmless_name() -> None:
    (row,) = rows(FAILED)
    assert row["filename"] == "'=cmd()"
    assert (row["success"], row["error"], row["message"]) == ("false", "invalid_image", 'It is "broken", sorry.')
    assert (row["emotion"], row["p_happy"], row["x"]) == ("", "", "")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1"])
def test_what_a_spreadsheet_would_compute_is_neutralised(text: str) -> None:
    assert neutral(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "photo.jpg", "1-2.jpg", "a=b"])
def test_plain_text_is_left_alone(text: str) -> None:
    assert neutral(text) == text
