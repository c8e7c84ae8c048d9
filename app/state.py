"""The state of a running service: one typed object, built in the lifespan, handed to endpoints by ``Depends``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from app.config import Settings
from app.errors import NotReady
from app.workers import WorkerPool

if TYPE_CHECKING:
    from app.api.ratelimit import RateLimiter
    from app.inference.registry import Registry
    from app.observe.metrics import Metrics
    from app.observe.shadow import Shadow
    from app.observe.totals import Totals


class Phase(Enum):
    """Where a process stands in its life."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(slots=True)
class Service:
    """Everything that a request may need, and nothing that outlives the process."""

    settings: Settings
    pool: WorkerPool
    limiter: RateLimiter
    metrics: Metrics
    totals: Totals
    loaded: Registry | None = None
    """The models, once they are loaded."""
    failure: str | None = None
    """Why the models could not be loaded at all, in one sentence."""
    shadow: Shadow | None = None
    """Reads with a second model what has been answered, where ``SHADOW_MODEL`` names one."""
    fatal: str | None = None
    """A setting that makes no sense, found only while starting: the process must end."""
    phase: Phase = Phase.STARTING
    started_at: float = field(default_factory=time.monotonic)

    @property
    def registry(self) -> Registry:
        if self.loaded is None:
            raise NotReady
        return self.loaded

    @property
    def model_loaded(self) -> bool:
        """Whether the default model can answer."""
        return self.loaded is not None and self.loaded.ready

    @property
    def starting(self) -> bool:
        """Still on its way up, with nothing that stands in it."""
        return self.phase is Phase.STARTING and self._broken is None

    @property
    def ready(self) -> bool:
        """Whether a load balancer should send requests here."""
        return self.unready_because is None

    @property
    def unready_because(self) -> str | None:
        """The one sentence that explains it; None when the service is ready."""
        if self.phase is Phase.DRAINING:
            return "The service is stopping."
        broken = self._broken
        if broken is not None:
            return broken
        if self.phase is Phase.STARTING:
            return "The service is starting."
        if not self.pool.ready:
            return "No worker is alive."
        return "The queue is full." if self.pool.saturated else None

    @property
    def _broken(self) -> str | None:
        """What will not heal by waiting for the start to end."""
        if self.failure is not None:
            return self.failure
        if self.loaded is not None and not self.loaded.ready:
            return self.loaded.failures.get(self.loaded.default_name, "The default model is not loaded.")
        return self.pool.failure if self.pool.live == 0 else None

    @property
    def uptime_seconds(self) -> float:
        return time.monotonic() - self.started_at
