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
from app.memory_budget import process_memory
from app.rate_limiter import RateLimiter
from app.streams import Streams
from app.system import trim_memory, usable_workers, worker_cores
from app.telemetry.metrics import Metrics
from app.worker_pool import PoolLimits, WorkerPool

if TYPE_CHECKING:
    from app.inference.registry import Registry
    from app.pipeline import Pipeline
    from app.shadow_model import ShadowModel
    from app.vision.mesh import MeshLoader

logger = logging.getLogger("visage")

_TRIM_INTERVAL = 5.0
_TRIM_RETRY = 0.1
_COLLECTED_FROM = 10_000
"""New objects that make Python look for cycles of garbage. A request makes hundreds that live until its response, and
with the usual 700 every few requests cost a look at those of all that wait. What is large is in no cycle."""


def _load_registry(settings: Settings) -> Registry:
    from app.inference.registry import load_registry  # noqa: PLC0415

    return load_registry(settings)


def _build_pipeline(settings: Settings, mesh: MeshLoader) -> Pipeline:
    import cv2  # noqa: PLC0415

    from app.pipeline import Pipeline  # noqa: PLC0415
    from app.vision.decode import ImageLimits  # noqa: PLC0415
    from app.vision.detectors import make_detector  # noqa: PLC0415

    # A job runs on one thread. More threads of OpenCV would compete with the other workers.
    cv2.setNumThreads(1)
    detector = make_detector(settings.models_dir, settings.detection_threshold)
    limits = ImageLimits(max_pixels=settings.max_image_pixels, memory=process_memory())
    pipeline = Pipeline(detector, limits, settings.max_faces, mesh)
    pipeline.warm_up()
    return pipeline


def _free_networks() -> None:
    from app.vision.detectors import free_memory  # noqa: PLC0415

    free_memory()


@dataclass(frozen=True, slots=True)
class Factories:
    """How models are loaded and how a worker's pipeline is built. Tests replace both.

    Neither is called on the event loop; ``build_pipeline`` is called once on each worker's thread. Both import their
    libraries on first use.
    """

    load_registry: Callable[[Settings], Registry] = _load_registry
    build_pipeline: Callable[[Settings, MeshLoader], Pipeline] = _build_pipeline


class Phase(Enum):
    """What the process is doing."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(slots=True)
class Service:
    """What requests use: the models, the workers, the limits and the metrics."""

    settings: Settings
    pool: WorkerPool
    limiter: RateLimiter
    streams: Streams
    metrics: Metrics
    mesh: MeshLoader
    registry_or_none: Registry | None = None
    """The models, once they are loaded."""
    shadow: ShadowModel | None = None
    """The second model that ``SHADOW_MODEL`` names, once the models are loaded."""
    failure: str | None = None
    """Why the models could not be loaded, in one sentence."""
    fatal: str | None = None
    """An invalid setting that only loading finds, in one sentence. The process must end."""
    phase: Phase = Phase.STARTING
    started_at: float = field(default_factory=time.monotonic)

    @property
    def registry(self) -> Registry:
        """The models. Raises NotReady until they are loaded."""
        if self.registry_or_none is None:
            raise NotReady
        return self.registry_or_none

    @property
    def starting(self) -> bool:
        """Whether the service is starting and nothing has failed so far."""
        return self.phase is Phase.STARTING and self._failure_reason is None

    @property
    def ready(self) -> bool:
        """Whether a load balancer should send requests here."""
        return self.unready_reason is None

    @property
    def unready_reason(self) -> str | None:
        """Why the service is not ready, in one sentence; None when it is."""
        if self.phase is Phase.DRAINING:
            return "The service is stopping."
        if self._failure_reason is not None:
            return self._failure_reason
        if self.phase is Phase.STARTING:
            return "The service is starting."
        if not self.pool.ready:
            return "No worker is alive."
        return "The queue is full." if self.pool.saturated else None

    @property
    def _failure_reason(self) -> str | None:
        """What has failed, so that waiting for the start to end does not help."""
        registry = self.registry_or_none
        if self.failure is not None:
            return self.failure
        if registry is not None and not registry.ready:
            return registry.failures.get(registry.default_name, "The default model is not loaded.")
        return self.pool.failure if self.pool.live == 0 else None

    @property
    def uptime_seconds(self) -> float:
        return time.monotonic() - self.started_at


def build_service(settings: Settings, factories: Factories) -> Service:
    """Builds a service that has not started yet."""
    from app.vision.detectors import PASS_BYTES  # noqa: PLC0415 - their imports take long
    from app.vision.mesh import MeshLoader  # noqa: PLC0415

    metrics = Metrics()
    memory = process_memory()
    memory.limit_mb, memory.held_at_most = settings.memory_limit_mb, settings.body_memory_bytes
    workers = settings.workers or usable_workers(memory.limit)
    memory.reserved = workers * PASS_BYTES
    limits = PoolLimits(
        workers=workers,
        cores=worker_cores(workers),
        queue_size=settings.queue_size,
        queue_timeout=settings.queue_timeout_seconds,
        request_timeout=settings.request_timeout_seconds,
        stream_share=settings.stream_share,
    )
    mesh = MeshLoader(settings.models_dir, workers, enabled=settings.details != "off")
    pool = WorkerPool(lambda: factories.build_pipeline(settings, mesh), limits, on_shed=metrics.shed)
    limiter = RateLimiter(settings.rate_limit, settings.rate_limit_storage, max_clients=settings.max_clients)
    streams = Streams(settings.max_streams, settings.stream_frames_per_second, max_clients=settings.max_clients)
    return Service(settings, pool, limiter, streams, metrics, mesh)


@contextlib.asynccontextmanager
async def running(service: Service, factories: Factories) -> AsyncIterator[asyncio.Task[None]]:
    """Starts the service, which becomes ready in the background with the task that this yields, and stops it."""
    await service.pool.start()
    tasks = [asyncio.create_task(_warm_up(service, factories)), asyncio.create_task(_free_periodically(service))]
    try:
        yield tasks[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await service.pool.stop()
        await service.limiter.close()
        service.mesh.close()
        if service.registry_or_none is not None:
            service.registry_or_none.close()


async def _warm_up(service: Service, factories: Factories) -> None:
    """Loads the models while the workers build their pipelines."""
    try:
        service.registry_or_none = await asyncio.to_thread(factories.load_registry, service.settings)
    except BadSettings as error:
        service.fatal = str(error)
        return
    except Exception as error:
        # The probes report it; raised here it would end in a task that nobody awaits.
        service.failure = f"The models could not be loaded ({type(error).__name__})."
        logger.exception("The models could not be loaded.")
    if service.registry_or_none is not None and service.settings.shadow_model:
        from app.shadow_model import ShadowModel  # noqa: PLC0415 - its imports take long

        service.shadow = ShadowModel(service.settings, service.registry_or_none, service.pool, service.metrics)
    if service.settings.details == "preload":
        await asyncio.to_thread(service.mesh.get_ready, load=True)
    # What exists at this point stays until the process ends: the garbage collector can skip it.
    gc.freeze()
    gc.set_threshold(_COLLECTED_FROM)
    gc.enable()
    await service.pool.warm()
    trim_memory()
    process_memory().follow()
    if service.phase is Phase.STARTING:
        service.phase = Phase.SERVING
    logger.info("Serving with %d workers after %.2f s.", service.pool.size, service.uptime_seconds)
    if not service.mesh.loaded:
        await asyncio.to_thread(service.mesh.get_ready, load=False)


async def _free_periodically(service: Service) -> None:
    """Forgets clients, gives free memory back to the system, and lets the budget follow what the process then holds, at
    moments when no worker is busy."""
    while True:
        idle = not service.pool.busy and not service.pool.waiting
        if idle:
            try:
                service.limiter.forget()
                await asyncio.to_thread(_free_networks)
                trim_memory()
                process_memory().follow()
            except Exception:
                # The next time may succeed.
                logger.exception("Memory could not be given back.")
        await asyncio.sleep(_TRIM_INTERVAL if idle else _TRIM_RETRY)
