"""What the service runs on: how models are loaded and how a worker's pipeline is built. Tests bring another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.config import Settings

if TYPE_CHECKING:
    from app.inference.registry import Registry
    from app.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Engine:
    """Two factories. Both are called away from the event loop; ``build_pipeline`` once on each worker's thread."""

    load_registry: Callable[[Settings], Registry]
    build_pipeline: Callable[[Settings], Pipeline]


def real_engine() -> Engine:
    """The engine that reads pictures. Its libraries are imported by whoever needs them first, off the event loop."""
    return Engine(_load_registry, _build_pipeline)


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
