"""Totals since the start: aggregates only, of bounded size, nothing about anyone.

Everything here runs on the event loop's thread, so there is no lock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from app.telemetry.records import PictureNote, RequestRecord

CONFIDENCE_BOUNDS: Final = tuple(step / 10 for step in range(1, 10))
"""Upper bounds of the bins of confidence; the last bin ends at 1."""

LATENCY_BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000)
"""Upper bounds of the bins of milliseconds."""


class Distribution:
    """Counts by bins. A value on a bound belongs to the bin below it; one bin more holds what is above them all."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def mean(self) -> float | None:
        count = sum(self.counts)
        return self.sum / count if count else None


@dataclass(slots=True)
class ModelTotals:
    """What one model answered."""

    pictures: int = 0
    faces: int = 0
    uncertain: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    confidence: Distribution = field(default_factory=lambda: Distribution(CONFIDENCE_BOUNDS))
    latency_ms: Distribution = field(default_factory=lambda: Distribution(LATENCY_BOUNDS_MS))


class Totals:
    """What the process answered since its start."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.pictures = 0
        self.faces = 0
        self.models: dict[str, ModelTotals] = {}

    def request_finished(self, record: RequestRecord) -> None:
        """Counts a request by its route, and its error if it ended in one."""
        self.requests[record.route] += 1
        if record.error is not None:
            self.error(record.error)

    def error(self, code: str) -> None:
        self.errors[code] += 1

    def picture(self, note: PictureNote) -> None:
        """Counts a picture that was answered, once for each model that read it."""
        self.pictures += 1
        self.faces += note.faces_detected
        self.warnings.update(note.warnings)
        for reading in note.readings:
            model = self.models.setdefault(reading.model, ModelTotals())
            model.pictures += 1
            model.latency_ms.add(note.timings_ms.get("total", 0.0))
            for face in reading.faces:
                model.faces += 1
                model.labels[face.label] += 1
                model.confidence.add(face.confidence)
                model.uncertain += face.uncertain
