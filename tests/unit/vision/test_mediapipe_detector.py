"""MediaPipe's library called past its Python gives what its Python gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from app.vision.detectors import make_detector
from tests.unit.vision.test_detectors import MODELS, sample

mediapipe = pytest.importorskip("mediapipe", reason="mediapipe has no wheel for this machine")


@pytest.fixture(scope="module")
def detector() -> Iterator[Any]:
    detector = make_detector("mediapipe", MODELS, 0.3)
    yield detector
    detector.close()


@pytest.fixture(scope="module")
def task() -> Iterator[Any]:
    tasks = mediapipe.tasks
    weights = str(MODELS / "face_detector" / "face_detection_short_range.tflite")
    options = tasks.vision.FaceDetectorOptions(tasks.BaseOptions(weights), min_detection_confidence=0.3)
    with tasks.vision.FaceDetector.create_from_options(options) as task:
        yield task


@pytest.mark.parametrize("name", ["happy_sample.jpg", "neutral_sample.jpg", "multiple_faces.jpg", "no_face.jpg"])
def test_both_ways_find_the_same(detector: Any, task: Any, name: str) -> None:
    picture = sample(name).pixels
    height, width = picture.shape[:2]
    theirs = task.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, picture)).detections
    ours = detector.detect(picture)

    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        box = other.bounding_box
        assert (mine.box.x, mine.box.y) == (box.origin_x + 0.5, box.origin_y + 0.5)
        assert (mine.box.width, mine.box.height) == (box.width + 0.5, box.height + 0.5)
        assert mine.score == other.categories[0].score
        assert mine.landmarks == tuple((point.x * width, point.y * height) for point in other.keypoints)


def test_pixels_need_not_lie_side_by_side(detector: Any) -> None:
    picture = sample("happy_sample.jpg").pixels
    mirrored = picture[:, ::-1]
    assert detector.detect(mirrored) == detector.detect(mirrored.copy())


def test_what_the_library_complains_of_is_raised(detector: Any) -> None:
    with pytest.raises(ValueError, match="size"):
        detector.detect(np.zeros((4, 4), np.uint8))


def test_detections_leave_no_memory_behind(detector: Any) -> None:
    picture = sample("neutral_sample.jpg").pixels
    for _ in range(20):
        detector.detect(picture)
    before = _resident()
    for _ in range(100):
        detector.detect(picture)
    # An image that was not freed would be 0.7 MB each.
    assert _resident() - before < 20_000_000


def _resident() -> int:
    import psutil

    resident: int = psutil.Process().memory_info().rss
    return resident
