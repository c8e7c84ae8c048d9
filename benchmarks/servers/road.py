"""The service's own pipeline, for the contestants that serve it with something else or with nothing at all."""

from __future__ import annotations

from typing import Any

from app.allocator import give_memory_back
from app.api.answers import prediction
from app.config import load_settings
from app.engine import real_engine
from app.pipeline import LookOptions, Pipeline, Reading, ReadOptions, Sight


class Road:
    """One worker's pipeline with the default model, and the answer that the service would give."""

    def __init__(self) -> None:
        # Of the service's process this much is the pipeline's: without it every contestant would pay for page faults.
        give_memory_back()
        self._settings = load_settings()
        engine = real_engine()
        self._model = engine.load_registry(self._settings).get()
        self._pipeline: Pipeline = engine.build_pipeline(self._settings)

    def read(self, data: bytes, look: LookOptions) -> tuple[Sight, Reading]:
        """Raises the catalogue's errors, as the pipeline does."""
        sight = self._pipeline.look(data, look, _nobody_leaves)
        return sight, self._pipeline.read(sight, self._model, ReadOptions(), _nobody_leaves)

    def label(self, data: bytes, look: LookOptions) -> str:
        _, reading = self.read(data, look)
        probabilities = reading.faces[0].probabilities
        return self._model.manifest.labels[probabilities.index(max(probabilities))]

    def answer(self, data: bytes) -> dict[str, Any]:
        sight, reading = self.read(data, LookOptions())
        threshold = self._settings.confidence_threshold
        answer = prediction(sight, reading, threshold=threshold, every_face=False, explain="false", queue_ms=0.0)
        return dict(answer.fields)


def _nobody_leaves() -> None:
    """A checkpoint at which the work always goes on."""
