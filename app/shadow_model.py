"""The shadow: a second model that reads a share of the pictures after their answers are out, and is only counted."""

from __future__ import annotations

import asyncio
import logging
import random
import time

from app.config import Settings
from app.inference.registry import Registry
from app.pipeline import Checkpoint, ClassifyOptions, DetectedPicture, PicturePrediction, Pipeline
from app.telemetry.metrics import Metrics
from app.worker_pool import WorkerPool

logger = logging.getLogger("visage.shadow")

_DEADLINE_SECONDS = 5.0


class Shadow:
    """Reads one picture at a time, and only when a worker has nothing else to do."""

    def __init__(self, settings: Settings, registry: Registry, pool: WorkerPool, metrics: Metrics) -> None:
        self._name = settings.shadow_model
        self._share = settings.shadow_share
        self._registry = registry
        self._pool = pool
        self._metrics = metrics
        self._task: asyncio.Task[None] | None = None
        if self._name not in registry.names:
            logger.warning("SHADOW_MODEL: there is no model %s, so nothing is compared.", self._name)

    async def offer(self, detected: DetectedPicture, answered: PicturePrediction) -> None:
        """Takes the picture or leaves it, and waits for nothing. The detected keeps its pixels until it is read."""
        if answered.model.manifest.name == self._name or random.random() >= self._share:  # noqa: S311 - a sample, no secret
            return
        busy = self._task is not None and not self._task.done()
        if busy or self._pool.waiting or self._pool.busy >= self._pool.live:
            self._metrics.shadow_dropped()
            return
        self._task = asyncio.create_task(self._read(detected, answered))

    async def _read(self, detected: DetectedPicture, answered: PicturePrediction) -> None:
        def work(pipeline: Pipeline, checkpoint: Checkpoint) -> PicturePrediction:
            return pipeline.classify(detected, self._registry.get(self._name), ClassifyOptions(), checkpoint)

        ticket = self._pool.ticket(time.monotonic() + _DEADLINE_SECONDS)
        try:
            second = await self._pool.run(ticket, work)
        except Exception as error:
            # Whatever it is, it concerns nobody who waits for an answer.
            logger.info("The shadow model did not read a picture (%s).", type(error).__name__)
            self._metrics.shadow_dropped()
            return
        pairs = list(zip(_labels(answered), _labels(second), strict=True))
        same = sum(first == other for first, other in pairs)
        self._metrics.shadow(self._name, same=same, different=len(pairs) - same)


def _labels(reading: PicturePrediction) -> list[str]:
    labels = reading.model.manifest.labels
    return [labels[max(range(len(labels)), key=face.probabilities.__getitem__)] for face in reading.faces]
