"""What one model says of the faces of a picture, as rows. It knows nothing of runs, parts or files."""

from __future__ import annotations

import time
from typing import Final, Literal

from app.api.details import DetailsRequest
from app.api.results import predicted_face
from app.config import Settings
from app.errors import VisageError
from app.inference.classifier import Classifier
from app.memory_budget import NotEnoughMemory
from app.pipeline import ClassifyOptions, DetectedPicture, DetectOptions, Pipeline, go_on
from bulk.engine import Loaded
from bulk.rows import Row, error_row, face_row, probability_cells
from bulk.sources import Unreadable

Faces = Literal["largest", "all"]

_RETRY_SECONDS: Final = 0.01
"""Pause while other threads hold the memory that a picture needs."""


class PictureScorer:
    """Scores pictures with one model, on the thread of any worker.

    With ``exact``, the probabilities of a row are not rounded as results of the service are.
    """

    def __init__(
        self, settings: Settings, model: Classifier, faces: Faces, details: DetailsRequest, *, exact: bool = False
    ) -> None:
        self.model = model
        self.faces = faces
        self.details = details
        self.largest = settings.max_file_bytes
        """Bytes of the largest file that is read."""
        self.most_pixels = settings.max_image_pixels
        self._largest_mb = settings.max_file_size_mb
        self._threshold = settings.confidence_threshold
        self._exact = exact
        self._options = DetectOptions(faces=faces, details=details.names)

    def rows(self, pipeline: Pipeline, loaded: Loaded) -> list[Row]:
        """The rows of a picture: one a face, or one that says why there is none."""
        if isinstance(loaded, Unreadable):
            return [error_row("unreadable", str(loaded))]
        while True:
            try:
                return self._predict(pipeline, loaded)
            except NotEnoughMemory:
                time.sleep(_RETRY_SECONDS)
            except VisageError as error:
                return [error_row(error.code, str(error))]

    def rows_of(self, pipeline: Pipeline, detected: DetectedPicture) -> list[Row]:
        """The rows of a picture whose faces are found."""
        predicted = pipeline.predict(detected, self.model, ClassifyOptions(), go_on)
        picture = detected.picture
        shared = {
            "faces_detected": detected.faces_detected,
            "image_width": picture.width,
            "image_height": picture.height,
            "image_format": picture.format,
        }
        results = [predicted_face(face, predicted, self._threshold, "false", self.details) for face in predicted.faces]
        rows = [face_row(result, number) | shared for number, result in enumerate(results)]
        if not self._exact:
            return rows
        labels = self.model.manifest.labels
        exact = [dict(zip(labels, face.probabilities, strict=True)) for face in predicted.faces]
        return [row | probability_cells(probabilities) for row, probabilities in zip(rows, exact, strict=True)]

    def _predict(self, pipeline: Pipeline, data: bytes) -> list[Row]:
        if len(data) > self.largest:
            return [error_row("file_too_large", f"The file has more than {self._largest_mb:g} MB.")]
        return self.rows_of(pipeline, pipeline.detect(data, self._options, go_on))
