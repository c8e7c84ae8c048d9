"""The life of the service: it answers probes at once, serves when it is warm, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from app.allocator import tidy
from app.api.ratelimit import RateLimiter
from app.config import BadSettings, Settings
from app.cores import cores_for, usable_cores
from app.engine import Engine
from app.observe.metrics import Metrics
from app.observe.totals import Totals
from app.state import Phase, Service
from app.workers import PoolLimits, WorkerPool

if TYPE_CHECKING:
    from app.inference.registry import Registry
    from app.observe.shadow import Shadow

logger = logging.getLogger("visage")

_TIDY_EVERY = 5.0
_LOOK_AGAIN = 0.1


def build_service(settings: Settings, engine: Engine) -> Service:
    """A service that has not started yet."""
    metrics = Metrics()
    workers = settings.workers or usable_cores()
    limits = PoolLimits(
        workers=workers,
        cores=cores_for(workers),
        queue_size=settings.queue_size,
        queue_timeout=settings.queue_timeout_seconds,
        request_timeout=settings.request_timeout_seconds,
    )
    pool = WorkerPool(lambda: engine.build_pipeline(settings), limits, on_shed=metrics.shed)
    limiter = RateLimiter(settings.rate_limit, settings.rate_limit_storage, on_limited=metrics.rate_limited)
    return Service(settings, pool, limiter, metrics, Totals())


@contextlib.asynccontextmanager
async def living(service: Service, engine: Engine) -> AsyncIterator[None]:
    """Starts the service, which becomes ready on its own while the socket answers already, and ends it."""
    await service.pool.start()
    tasks = [asyncio.create_task(_warm_up(service, engine)), asyncio.create_task(_keep_tidy(service.pool))]
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


async def _warm_up(service: Service, engine: Engine) -> None:
    """Loads the models while the workers build their pipelines."""
    try:
        service.loaded = await asyncio.to_thread(engine.load_registry, service.settings)
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
    tidy()
    if service.phase is Phase.STARTING:
        service.phase = Phase.SERVING
    logger.info("Serving with %d workers after %.2f s.", service.pool.size, service.uptime_seconds)


async def _keep_tidy(pool: WorkerPool) -> None:
    """Gives memory back now and then, at a moment at which nothing is being read."""
    wait = _TIDY_EVERY
    while True:
        await asyncio.sleep(wait)
        at_rest = not pool.busy and not pool.waiting
        if at_rest:
            tidy()
        wait = _TIDY_EVERY if at_rest else _LOOK_AGAIN


def _shadow(service: Service, registry: Registry) -> Shadow:
    from app.observe.shadow import Shadow  # noqa: PLC0415 - it knows pixels, which take long to import

    return Shadow(service.settings, registry, service.pool, service.metrics)
