"""The service's pipeline without its server, for contestants that serve it with another server or with none."""

from __future__ import annotations

from typing import Any

from app.api.results import Findings, prediction_result
from app.config import load_settings
from app.pipeline import ClassifyOptions, DetectedPicture, DetectOptions, PicturePrediction, Pipeline, go_on
from app.service import Factories
from app.system import configure_allocator
from app.vision.mesh import MeshLoader


class BarePipeline:
    """One worker's pipeline with the default model, and the result that the service would send."""

    def __init__(self) -> None:
        # The service configures its allocator too; without this, the contestants would pay for page faults.
        configure_allocator()
        self._settings = load_settings()
        factories = Factories()
        self._model = factories.load_registry(self._settings).get()
        self._pipeline: Pipeline = factories.build_pipeline(self._settings, MeshLoader(self._settings.models_dir))

    def predict(self, data: bytes, options: DetectOptions) -> tuple[DetectedPicture, PicturePrediction]:
        """Raises the catalogue's errors, as the pipeline does."""
        detected = self._pipeline.detect(data, options, go_on)
        return detected, self._pipeline.predict(detected, self._model, ClassifyOptions(), go_on)

    def label(self, data: bytes, options: DetectOptions) -> str:
        _, prediction = self.predict(data, options)
        probabilities = prediction.faces[0].probabilities
        return self._model.manifest.labels[probabilities.index(max(probabilities))]

    def result(self, data: bytes) -> dict[str, Any]:
        detected, prediction = self.predict(data, DetectOptions())
        threshold, timings_ms = self._settings.confidence_threshold, detected.timings.stages
        findings = Findings(detected, [prediction], threshold, timings_ms, request_id="")
        return {**prediction_result(findings, every_face=False, explain="false")}
