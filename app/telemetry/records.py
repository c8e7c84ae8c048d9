"""What is noted of one request while it runs, and of one picture once it is read."""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

UNMATCHED = "unmatched"
"""The route of a request that no route took."""

_KEY = "visage.record"


@dataclass(slots=True)
class RequestRecord:
    """One request. The edge fills it in; metrics, log and traces read it once, when the answer is out."""

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
        """A record for the request of an ASGI scope, kept in the scope for whoever has something to add."""
        record = cls(request_id, scope["method"])
        for name, value in scope["headers"]:
            if name == b"traceparent":
                record.traceparent = value.decode("latin-1")
            elif name == b"tracestate":
                record.tracestate = value.decode("latin-1")
        scope.setdefault("state", {})[_KEY] = record
        return record

    def finish(self, scope: Mapping[str, Any], status: int) -> None:
        """Notes how the request ended. The route is known only after the router has seen the scope."""
        self.status = status
        self.route = getattr(scope.get("route"), "path", None) or UNMATCHED
        self.duration_ms = (time.perf_counter() - self._started) * 1000


def record_of(scope: Mapping[str, Any]) -> RequestRecord:
    """The record of a scope; a loose one where no middleware has begun any."""
    record = scope.get("state", {}).get(_KEY)
    return record if isinstance(record, RequestRecord) else RequestRecord("", scope.get("method", ""))


@dataclass(frozen=True, slots=True)
class FaceNote:
    """How one face was read."""

    label: str
    confidence: float
    uncertain: bool


@dataclass(frozen=True, slots=True)
class ReadingNote:
    """How one model read the faces of a picture."""

    model: str
    faces: tuple[FaceNote, ...]


@dataclass(frozen=True, slots=True)
class PictureNote:
    """One picture that was answered: what metrics and totals count of it."""

    timings_ms: Mapping[str, float]
    faces_detected: int
    warnings: tuple[str, ...]
    readings: tuple[ReadingNote, ...]
