"""What the service records of a request and of a picture, for metrics, logs and traces."""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

UNMATCHED = "unmatched"
"""The route of a request that matched none."""

_KEY = "visage.record"


@dataclass(slots=True)
class RequestRecord:
    """One request. `app.api` fills it in; metrics, logs and traces read it once, after the response."""

    request_id: str
    method: str
    traceparent: str = ""
    tracestate: str = ""
    route: str = UNMATCHED
    status: int = 0
    error: str | None = None
    size: int | None = None
    """Bytes of the pictures that came with the request."""
    items: int | None = None
    picture_format: str | None = None
    faces: int | None = None
    model: str | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    started_ns: int = field(default_factory=time.time_ns)
    duration_ms: float = 0.0
    _started: float = field(default_factory=time.perf_counter)

    @classmethod
    def begin(cls, scope: MutableMapping[str, Any], request_id: str) -> RequestRecord:
        """Begins the record of a request and keeps it in the ASGI scope, where routes add to it."""
        headers = dict(scope["headers"])
        trace = (headers.get(name, b"").decode("latin-1") for name in (b"traceparent", b"tracestate"))
        record = cls(request_id, scope.get("method", "GET"), *trace)
        scope.setdefault("state", {})[_KEY] = record
        return record

    def finish(self, route: str, status: int) -> None:
        """Records how the request ended."""
        self.route, self.status = route, status
        self.duration_ms = self.elapsed_ms

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the request began."""
        return (time.perf_counter() - self._started) * 1000


def request_record(scope: Mapping[str, Any]) -> RequestRecord:
    """The record that a scope keeps; one that nobody reads where the middleware has not begun any."""
    record = scope.get("state", {}).get(_KEY)
    return record if isinstance(record, RequestRecord) else RequestRecord("", scope.get("method", ""))


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """What metrics count of a prediction."""

    model: str
    label: str
    confidence: float
    uncertain: bool


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """What metrics count of a picture that got a result."""

    timings_ms: Mapping[str, float]
    faces_detected: int
    warnings: tuple[str, ...]
    predictions: tuple[PredictionRecord, ...]
