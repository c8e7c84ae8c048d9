"""Whether the ONNX detector finds the faces that MediaPipe finds, and how long each takes.

    DATA=… python -m benchmarks.detector_parity [--sample 500] [--json]

Both detectors get each portrait of `wild-dev`, unchanged and on a canvas twice as wide.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.vision.detectors import make_detector
from app.vision.face_search import FaceDetector
from app.vision.geometry import Face
from benchmarks.detection import portraits

_ENGINES = ("mediapipe", "onnx")
LEAST_SAME = 99.5
LEAST_OVERLAP = 0.98
MOST_LANDMARK_ERROR = 2.0


@dataclass(frozen=True, slots=True)
class Parity:
    """Agreement of two detectors: percent of faces that both find, median overlap of their boxes, and the distance
    of their landmarks in percent of the box (median, and 99th percentile)."""

    faces: int
    same: float
    overlap: float
    landmark_error: float
    landmark_error_p99: float

    @property
    def holds(self) -> bool:
        return (
            self.same >= LEAST_SAME and self.overlap >= LEAST_OVERLAP and self.landmark_error_p99 <= MOST_LANDMARK_ERROR
        )


def compare(reference: FaceDetector, other: FaceDetector, pictures: Iterable[NDArray[np.uint8]]) -> Parity:
    """Faces are the same if their boxes overlap by half. A face that only one detector finds counts as different."""
    overlaps: list[float] = []
    distances: list[float] = []
    total = same = 0
    for pixels in pictures:
        expected, found = reference.detect(pixels), other.detect(pixels)
        pairs = [(face, match) for face in expected if (match := _match(face, found)) is not None]
        total += max(len(expected), len(found))
        same += len(pairs)
        for face, match in pairs:
            overlaps.append(face.box.overlap(match.box))
            distances.append(_distance(face, match))
    return Parity(
        total,
        100 * same / total,
        float(np.median(overlaps)),
        float(np.median(distances)),
        float(np.percentile(distances, 99)),
    )


def _match(face: Face, found: list[Face]) -> Face | None:
    """The face with the largest overlap, if it is at least half."""
    near = [other for other in found if face.box.overlap(other.box) >= 0.5]
    return max(near, key=lambda other: face.box.overlap(other.box), default=None)


def _distance(face: Face, other: Face) -> float:
    """The largest distance of a landmark, in percent of the box."""
    apart = np.linalg.norm(np.array(face.landmarks) - np.array(other.landmarks), axis=1)
    return 100 * float(apart.max()) / face.box.width


def widened(pictures: Iterable[NDArray[np.uint8]]) -> Iterable[NDArray[np.uint8]]:
    for pixels in pictures:
        yield pixels
        yield np.pad(pixels, ((0, 0), (pixels.shape[1] // 2, pixels.shape[1] // 2), (0, 0)), constant_values=128)


def _cost(detector: FaceDetector, pictures: list[NDArray[np.uint8]]) -> float:
    """CPU milliseconds of a detection."""
    started = time.process_time()
    for pixels in pictures:
        detector.detect(pixels)
    return 1000 * (time.process_time() - started) / len(pictures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=500, help="portraits (0: all of them)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args()
    pictures = list(widened(portraits(Path(os.environ.get("DATA", "data")), options.sample or None)))
    detectors = [make_detector(engine, Path("models"), 0.5) for engine in _ENGINES]
    parity = compare(detectors[0], detectors[1], pictures)
    spent = {name: _cost(detector, pictures[:200]) for name, detector in zip(_ENGINES, detectors, strict=True)}
    for detector in detectors:
        detector.close()
    if options.json:
        print(json.dumps({**asdict(parity), **{f"{name}_ms": cost for name, cost in spent.items()}}))
        return 0
    print(f"{parity.faces} faces, {parity.same:.2f} % found by both, median overlap {parity.overlap:.4f}")
    print(f"worst landmark: {parity.landmark_error:.2f} % of the box (median), {parity.landmark_error_p99:.2f} % (p99)")
    for name, cost in spent.items():
        print(f"{name}: {cost:.2f} ms of CPU for a detection")
    return 0 if parity.holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
