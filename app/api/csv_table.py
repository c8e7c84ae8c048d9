"""Writes batches and sessions as tables that are safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from app.api.results import BatchItem, BatchPrediction, PredictedFace
from app.api.session_body import PostedFrame
from app.expression.action_units import methods
from app.expression.details import DETAILS, NO_DETAILS, Detail
from app.expression.emotion_vector import EmotionVector
from app.sessions.profile import PracticePoint
from app.vision.mesh import BLENDSHAPES

DETAIL_COLUMNS: Final[Mapping[Detail, Sequence[str]]] = {
    "action_units": [*methods(), "active_units"],
    "blendshapes": [f"blendshape_{name}" for name in BLENDSHAPES],
    "head_pose": ["yaw", "pitch", "roll"],
    "mesh": [],
    "emotion_vector": [f"vector_{name}" for name in EmotionVector.__annotations__],
    "description": ["description"],
}

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""Beginnings that a spreadsheet takes for a formula, in full width too."""


def table(items: Iterable[BatchItem], labels: Sequence[str], details: frozenset[Detail] = NO_DETAILS) -> bytes:
    """The items of a batch as CSV in UTF-8. A picture with several faces has the row of its largest one.

    Each detail has its columns, except the points of the mesh.
    """
    text = io.StringIO()
    columns = [
        *("index", "filename", "success", "emotion", "confidence", "is_uncertain"),
        *(neutral(f"p_{label}") for label in labels),
        *("faces_detected", "x", "y", "width", "height", "warnings"),
        *(name for detail in DETAILS if detail in details for name in DETAIL_COLUMNS[detail]),
        *("error", "message"),
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
        **detail_cells(item),
    }


def detail_cells(item: PredictedFace) -> dict[str, object]:
    """The details of a face by column. A cell stays empty where a detail is null."""
    units = item.get("action_units") or {}
    pose = item.get("head_pose")
    cells: dict[str, object] = {code: unit["intensity"] for code, unit in units.items()}
    if units:
        cells["active_units"] = " ".join(code for code, unit in units.items() if unit["active"])
    cells |= {f"blendshape_{name}": value for name, value in (item.get("blendshapes") or {}).items()}
    if pose is not None:
        cells |= {"yaw": pose["yaw"], "pitch": pose["pitch"], "roll": pose["roll"]}
    cells |= {f"vector_{name}": value for name, value in item.get("emotion_vector", {}).items()}
    if "description" in item:
        cells["description"] = neutral(item["description"])
    return cells


def _word(value: bool) -> str:
    return str(value).lower()


class SessionTable:
    """The frames of a session as a table with one row a frame."""

    def __init__(self, labels: Sequence[str], *, practice: bool) -> None:
        self._labels = labels
        self._text = io.StringIO()
        self._writer = csv.writer(self._text)
        columns = ["t", "track", "emotion", "confidence", "is_uncertain", *(neutral(f"p_{label}") for label in labels)]
        columns += ["warnings", *(("practice_confidence", "practice_smoothed", "practice_level") if practice else ())]
        self._writer.writerow(columns)
        self._empty = [""] * (len(columns) - 1)

    def add(self, frame: PostedFrame, uncertain: bool, practice: PracticePoint | None) -> None:
        """Adds a frame. Without a face, all but its time is empty."""
        if frame.probabilities is None:
            self._writer.writerow([frame.t, *self._empty])
            return
        values = [frame.probabilities[label] for label in self._labels]
        best = max(values)
        row = [frame.t, 1, neutral(self._labels[values.index(best)]), best, _word(uncertain), *values]
        row += [" ".join(frame.warnings)]
        if practice is not None:
            row += [practice["confidence"], practice["smoothed_confidence"], practice["level"]]
        self._writer.writerow(row)

    def take(self) -> bytes:
        """What was added since the last call."""
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text.encode()


def prefers_csv(accept: str) -> bool:
    """Whether a client prefers CSV to JSON."""
    weights: dict[str, float] = {}
    for choice in accept.lower().split(","):
        kind, *parameters = map(str.strip, choice.split(";"))
        quality = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        with suppress(ValueError):
            weights[kind] = float(quality)
    csv_weight = weights.get("text/csv", 0.0)
    others = (weights[kind] for kind in ("application/json", "application/*", "*/*") if kind in weights)
    return csv_weight > 0 and csv_weight >= next(others, 0.0)
