"""One row a face: the columns of a table, and how results become rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.api.csv_table import DETAIL_COLUMNS, detail_cells
from app.api.results import PredictedFace
from app.expression.details import DETAILS, Detail

Row = dict[str, Any]
Columns = Mapping[str, str]
"""The columns of a table by name, each with its type, in their order."""

_TEXT, _INTEGER, _NUMBER, _TRUTH = "text", "integer", "number", "truth"
_TEXT_DETAILS: Final = frozenset({"active_units", "description"})


def columns_of(labels: Sequence[str], details: frozenset[Detail], *, video: bool) -> Columns:
    """The columns of a run."""
    columns = {"index": _INTEGER, "source": _TEXT}
    if video:
        columns |= {"frame": _INTEGER, "t": _NUMBER, "track": _INTEGER}
    columns |= {"face": _INTEGER, "success": _TRUTH}
    columns |= {"emotion": _TEXT, "confidence": _NUMBER, "is_uncertain": _TRUTH}
    columns |= {f"p_{label}": _NUMBER for label in labels}
    if video:
        columns |= {f"smoothed_{label}": _NUMBER for label in labels}
    columns |= {"faces_detected": _INTEGER, "x": _INTEGER, "y": _INTEGER, "width": _INTEGER, "height": _INTEGER}
    columns |= {"score": _NUMBER, "warnings": _TEXT}
    columns |= {"image_width": _INTEGER, "image_height": _INTEGER, "image_format": _TEXT}
    for detail in DETAILS:
        if detail in details:
            columns |= {name: _TEXT if name in _TEXT_DETAILS else _NUMBER for name in DETAIL_COLUMNS[detail]}
    return columns | {"error": _TEXT, "message": _TEXT, "model": _TEXT, "model_version": _TEXT, "model_sha256": _TEXT}


def face_row(face: PredictedFace, number: int) -> Row:
    """The columns that describe one face."""
    return {
        "face": number,
        "success": True,
        "emotion": face["emotion"],
        "confidence": face["confidence"],
        "is_uncertain": face["is_uncertain"],
        **probability_cells(face["probabilities"]),
        **face["face"]["box"],
        "score": face["face"]["score"],
        "warnings": " ".join(warning["code"] for warning in face["warnings"]),
        **detail_cells(face),
    }


def probability_cells(probabilities: Mapping[str, float]) -> Row:
    return {f"p_{label}": probability for label, probability in probabilities.items()}


def error_row(code: str, message: str) -> Row:
    return {"success": False, "error": code, "message": message}


def counted(rows: Sequence[Row]) -> Mapping[str, int]:
    """Rows by the code of their error; ``""`` stands for none."""
    return Counter(row.get("error") or "" for row in rows)
