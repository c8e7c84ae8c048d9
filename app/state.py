"""The state of a running service: one typed object, built in the lifespan, handed to endpoints by ``Depends``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum

from app.api.ratelimit import RateLimiter
from app.config import Settings
from app.inference.registry import Registry
from app.observe.metrics import Metrics
from app.observe.totals import Totals
from app.workers import WorkerPool


class Phase(Enum):
    """Where a process stands in its life."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(slots=True)
class Service:
    """Everything that a request may need, and nothing that outlives the process."""

    settings: Settings
    registry: Registry
    pool: WorkerPool
    limiter: RateLimiter
    metrics: Metrics
    totals: Totals
    phase: Phase = Phase.STARTING
    started_at: float = field(default_factory=time.monotonic)

    @property
    def uptime_seconds(self) -> float:
        return time.monotonic() - self.started_at
