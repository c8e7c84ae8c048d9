"""The shadow model predicts for a share of the pictures after their results are sent; its agreement is counted."""

from __future__ import annotations

import asyncio
import logging
import random
import time

from app.config import Settings
from app.expression.labels import usual_name
from app.inference.registry import Registry
from app.pipeline import Checkpoint, ClassifyOptions, DetectedPicture, PicturePrediction, Pipeline
from app.telemetry.metrics import Metrics
from app.worker_pool import WorkerPool

logger = logging.getLogger("visage.shadow")

_DEADLINE_SECONDS = 5.0


class ShadowModel:
    """Takes one picture at a time, and only while a worker is free."""

    def __init__(self, settings: Settings, registry: Registry, pool: WorkerPool, metrics: Metrics) -> None:
        self._name = settings.shadow_model
        self._share = settings.shadow_share
        self._registry = registry
        self._pool = pool
        self._metrics = metrics
        self._task: asyncio.Task[None] | None = None
        if self._name not in registry.names:
            logger.warning("SHADOW_MODEL: there is no model %s, so nothing is compared.", self._name)

    async def offer(self, detected: DetectedPicture, prediction: PicturePrediction) -> None:
        """Starts on a picture whose result is sent, or skips it; never waits."""
        if prediction.model.manifest.name == self._name or random.random() >= self._share:  # noqa: S311 - a sample, no secret
            return
        busy = self._task is not None and not self._task.done()
        if busy or self._pool.waiting or self._pool.busy >= self._pool.live:
            self._metrics.shadow_dropped()
            return
        self._task = asyncio.create_task(self._compare(detected, prediction))

    async def _compare(self, detected: DetectedPicture, prediction: PicturePrediction) -> None:
        def work(pipeline: Pipeline, checkpoint: Checkpoint) -> PicturePrediction:
            return pipeline.predict(detected, self._registry.get(self._name), ClassifyOptions(), checkpoint)

        try:
            own = await self._pool.run(self._pool.reserve(time.monotonic() + _DEADLINE_SECONDS), work)
        except Exception as error:
            # No client waits for this.
            logger.info("The shadow model made no prediction (%s).", type(error).__name__)
            self._metrics.shadow_dropped()
            return
        agreements = [one == other for one, other in zip(_labels(prediction), _labels(own), strict=True)]
        self._metrics.shadow(self._name, same=agreements.count(True), different=agreements.count(False))


def _labels(prediction: PicturePrediction) -> list[str]:
    """The likeliest label of each face, by its usual name."""
    labels = [usual_name(label) for label in prediction.model.manifest.labels]
    return [labels[max(range(len(labels)), key=face.probabilities.__getitem__)] for face in prediction.faces]
