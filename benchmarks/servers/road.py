"""The service's own pipeline, for the contestants that serve it with something else or with nothing at all."""

from __future__ import annotations

from typing import Any

from app.api.results import Findings, prediction_result
from app.config import load_settings
from app.pipeline import ClassifyOptions, DetectedPicture, DetectOptions, PicturePrediction, Pipeline
from app.service import default_factories
from app.system import configure_allocator


class Road:
    """One worker's pipeline with the default model, and the answer that the service would give."""

    def __init__(self) -> None:
        # Of the service's process this much is the pipeline's: without it every contestant would pay for page faults.
        configure_allocator()
        self._settings = load_settings()
        engine = default_factories()
        self._model = engine.load_registry(self._settings).get()
        self._pipeline: Pipeline = engine.build_pipeline(self._settings)

    def read(self, data: bytes, look: DetectOptions) -> tuple[DetectedPicture, PicturePrediction]:
        """Raises the catalogue's errors, as the pipeline does."""
        detected = self._pipeline.detect(data, look, _nobody_leaves)
        return detected, self._pipeline.predict(detected, self._model, ClassifyOptions(), _nobody_leaves)

    def label(self, data: bytes, look: DetectOptions) -> str:
        _, reading = self.read(data, look)
        probabilities = reading.faces[0].probabilities
        return self._model.manifest.labels[probabilities.index(max(probabilities))]

    def answer(self, data: bytes) -> dict[str, Any]:
        detected, reading = self.read(data, DetectOptions())
        threshold, timings_ms = self._settings.confidence_threshold, detected.timings.stages
        findings = Findings(detected, [reading], threshold, timings_ms, request_id="")
        return {**prediction_result(findings, every_face=False, explain="false")}


def _nobody_leaves() -> None:
    """A checkpoint at which the work always goes on."""
