"""The state of a running service: one typed object, built in the lifespan, with its start-up and shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from app.config import BadSettings, Settings
from app.errors import NotReady
from app.rate_limiter import RateLimiter
from app.system import trim_memory, usable_cores, worker_cores
from app.telemetry.metrics import Metrics
from app.worker_pool import PoolLimits, WorkerPool

if TYPE_CHECKING:
    from app.inference.registry import Registry
    from app.pipeline import Pipeline
    from app.shadow_model import Shadow

logger = logging.getLogger("visage")

_TRIM_INTERVAL = 5.0
_TRIM_RETRY = 0.1


@dataclass(frozen=True, slots=True)
class Factories:
    """How models are loaded and how a worker's pipeline is built. Tests bring others.

    Both are called away from the event loop; ``build_pipeline`` once on each worker's thread.
    """

    load_registry: Callable[[Settings], Registry]
    build_pipeline: Callable[[Settings], Pipeline]


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


def build_service(settings: Settings, factories: Factories) -> Service:
    """A service that has not started yet."""
    metrics = Metrics()
    workers = settings.workers or usable_cores()
    limits = PoolLimits(
        workers=workers,
        cores=worker_cores(workers),
        queue_size=settings.queue_size,
        queue_timeout=settings.queue_timeout_seconds,
        request_timeout=settings.request_timeout_seconds,
    )
    pool = WorkerPool(lambda: factories.build_pipeline(settings), limits, on_shed=metrics.shed)
    limiter = RateLimiter(settings.rate_limit, settings.rate_limit_storage, on_limited=metrics.rate_limited)
    return Service(settings, pool, limiter, metrics)


@contextlib.asynccontextmanager
async def running(service: Service, factories: Factories) -> AsyncIterator[None]:
    """Starts the service, which becomes ready on its own while the socket answers already, and ends it."""
    await service.pool.start()
    tasks = [asyncio.create_task(_warm_up(service, factories)), asyncio.create_task(_trim_periodically(service.pool))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await service.pool.stop()
        await service.limiter.close()
        if service.loaded is not None:
            service.loaded.close()


async def _warm_up(service: Service, factories: Factories) -> None:
    """Loads the models while the workers build their pipelines."""
    try:
        service.loaded = await asyncio.to_thread(factories.load_registry, service.settings)
    except BadSettings as error:
        service.fatal = str(error)
        return
    except Exception as error:
        # Whatever it is, it must be told by the probes rather than end in a task that nobody looks at.
        service.failure = f"The models could not be loaded ({type(error).__name__})."
        logger.exception("The models could not be loaded.")
    if service.loaded is not None and service.settings.shadow_model:
        service.shadow = _shadow(service, service.loaded)
    await service.pool.warm()
    # What is alive here lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    trim_memory()
    if service.phase is Phase.STARTING:
        service.phase = Phase.SERVING
    logger.info("Serving with %d workers after %.2f s.", service.pool.size, service.uptime_seconds)


async def _trim_periodically(pool: WorkerPool) -> None:
    """Gives memory back now and then, at a moment at which nothing is being read."""
    wait = _TRIM_INTERVAL
    while True:
        await asyncio.sleep(wait)
        at_rest = not pool.busy and not pool.waiting
        if at_rest:
            trim_memory()
        wait = _TRIM_INTERVAL if at_rest else _TRIM_RETRY


def _shadow(service: Service, registry: Registry) -> Shadow:
    from app.shadow_model import Shadow  # noqa: PLC0415 - it knows pixels, which take long to import

    return Shadow(service.settings, registry, service.pool, service.metrics)


def default_factories() -> Factories:
    """The factories of the real service. They import their libraries on first use, off the event loop."""
    return Factories(_load_registry, _build_pipeline)


def _load_registry(settings: Settings) -> Registry:
    from app.inference.registry import load_registry  # noqa: PLC0415

    return load_registry(settings)


def _build_pipeline(settings: Settings) -> Pipeline:
    import cv2  # noqa: PLC0415

    from app.pipeline import Pipeline  # noqa: PLC0415
    from app.vision.decode import ImageLimits  # noqa: PLC0415
    from app.vision.detectors import make_detector  # noqa: PLC0415

    # One job is one thread: OpenCV's own pool would only compete with the other workers.
    cv2.setNumThreads(1)
    detector = make_detector(settings.face_detector, settings.models_dir, settings.detection_threshold)
    pipeline = Pipeline(detector, ImageLimits(max_pixels=settings.max_image_pixels), settings.max_faces)
    pipeline.warm_up()
    return pipeline
