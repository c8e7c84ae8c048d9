"""The real detectors, on the samples and, where the data is at hand, on portraits."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.vision.decode import ImageLimits, Picture, decode
from app.vision.detectors import BadDetector, DetectorName, make_detector
from app.vision.face_search import FaceDetector, find
from app.vision.geometry import Box, Face

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "models"
SAMPLES = ROOT / "sample_images"
LIMITS = ImageLimits(max_pixels=50_000_000)
needs_mediapipe = pytest.mark.skipif(
    importlib.util.find_spec("mediapipe") is None, reason="mediapipe has no wheel for this machine"
)


@pytest.fixture(scope="module")
def onnx() -> Iterator[FaceDetector]:
    detector = make_detector("onnx", MODELS, 0.5)
    yield detector
    detector.close()


@pytest.fixture(scope="module")
def mediapipe() -> Iterator[FaceDetector]:
    detector = make_detector("mediapipe", MODELS, 0.5)
    yield detector
    detector.close()


@pytest.fixture(params=[pytest.param("mediapipe", marks=needs_mediapipe), "onnx"])
def detector(request: pytest.FixtureRequest) -> FaceDetector:
    found: FaceDetector = request.getfixturevalue(request.param)
    return found


def sample(name: str) -> Picture:
    return decode((SAMPLES / name).read_bytes(), LIMITS)


FACES = {
    "happy_sample.jpg": [Box(177, 82, 96, 96)],
    "neutral_sample.jpg": [Box(172, 147, 194, 194)],
    "no_face.jpg": [],
    "multiple_faces.jpg": [Box(705, 163, 211, 211), Box(207, 185, 169, 169)],
    "rotated_exif.jpg": [Box(177, 82, 96, 96)],
    "phone_12mp.jpg": [Box(1382, 626, 766, 766)],
}


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("name", FACES)
def test_the_samples_show_the_faces_they_show(detector: FaceDetector, name: str, thorough: bool) -> None:
    found = find(detector, sample(name), thorough=thorough)

    assert len(found) == len(FACES[name])
    for face, box in zip(found, FACES[name], strict=True):
        assert face.box.overlap(box) > 0.95
        assert 0.7 < face.score <= 1


def test_landmarks_lie_where_they_should(detector: FaceDetector) -> None:
    (face,) = find(detector, sample("happy_sample.jpg"), thorough=False)

    expected = ((201, 105), (246, 109), (220, 127), (220, 149), (178, 116), (272, 124))
    assert len(face.landmarks) == 6
    assert np.abs(np.array(face.landmarks) - expected).max() < 2
    (right_eye, _), (left_eye, _) = face.landmarks[:2]
    assert right_eye < left_eye  # the person's own right, on the left of the picture


@pytest.mark.parametrize("share", [0.36, 0.2, 0.1, 0.06])
def test_a_small_face_in_a_large_picture_is_found_where_it_is(detector: FaceDetector, share: float) -> None:
    portrait = sample("happy_sample.jpg").pixels[20:260, 100:340]
    side = round(640 * share / 0.4)
    shown = np.full((640, 640, 3), 128, np.uint8)
    left, top = 90, 37
    part = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)[: 640 - top, : 640 - left]
    shown[top : top + part.shape[0], left : left + part.shape[1]] = part

    found = find(detector, Picture(shown, 640, 640, "png"), thorough=False)

    scale = side / 240
    expected = Box(left + 77 * scale, top + 62 * scale, 96 * scale, 96 * scale)
    assert len(found) == 1
    assert found[0].box.overlap(expected) > 0.8


def test_a_wide_and_a_tall_picture_keep_a_face_in_shape(detector: FaceDetector) -> None:
    portrait = sample("neutral_sample.jpg").pixels[100:420, 110:430]
    for shape in ((320, 900, 3), (900, 320, 3)):
        shown = np.full(shape, 90, np.uint8)
        shown[:320, :320] = portrait

        (face,) = find(detector, Picture(shown, shape[1], shape[0], "png"), thorough=False)

        assert face.box.overlap(Box(62, 47, 194, 194)) > 0.7
        assert face.box.width == pytest.approx(face.box.height, rel=0.03)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 900, 3), (900, 2, 3), (33, 33, 3)])
def test_any_shape_may_be_shown(detector: FaceDetector, shape: tuple[int, ...]) -> None:
    assert detector.detect(np.zeros(shape, np.uint8)) == []


def test_a_part_of_a_larger_array_may_be_shown(onnx: FaceDetector) -> None:
    """Slices and read-only arrays, as cropping and Pillow give them."""
    pixels = sample("happy_sample.jpg").pixels
    view = pixels[10:400, 60:420]
    view.flags.writeable = False

    (face,) = onnx.detect(view)

    assert face.box.overlap(Box(117, 72, 96, 96)) > 0.75


@pytest.mark.parametrize("engine", [pytest.param("mediapipe", marks=needs_mediapipe), "onnx"])
def test_the_threshold_decides(engine: DetectorName) -> None:
    strict = make_detector(engine, MODELS, 0.95)

    assert strict.detect(sample("happy_sample.jpg").pixels) == []
    strict.close()


@pytest.mark.parametrize(
    ("engine", "suffix"), [pytest.param("mediapipe", "tflite", marks=needs_mediapipe), ("onnx", "onnx")]
)
def test_weights_that_were_tampered_with_are_never_loaded(engine: DetectorName, suffix: str, tmp_path: Path) -> None:
    shutil.copytree(MODELS / "face_detector", tmp_path / "face_detector")
    weights = tmp_path / "face_detector" / f"face_detection_short_range.{suffix}"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)

    with pytest.raises(BadDetector, match="has the wrong SHA-256"):
        make_detector(engine, tmp_path, 0.5)

    weights.unlink()
    with pytest.raises(BadDetector, match="cannot be read"):
        make_detector(engine, tmp_path, 0.5)


@needs_mediapipe
def test_both_engines_find_the_same(mediapipe: FaceDetector, onnx: FaceDetector) -> None:
    for name in FACES:
        pixels = sample(name).pixels
        for expected, found in zip(mediapipe.detect(pixels), onnx.detect(pixels), strict=True):
            assert_same(expected, found)


def assert_same(expected: Face, found: Face) -> None:
    assert found.box.overlap(expected.box) > 0.97
    assert found.score == pytest.approx(expected.score, abs=0.01)
    apart = np.linalg.norm(np.array(found.landmarks) - np.array(expected.landmarks), axis=1)
    assert apart.max() < 0.02 * expected.box.width


def test_the_kept_files_are_those_that_the_readme_names() -> None:
    folder = MODELS / "face_detector"
    named = dict(re.findall(r"`([\w.]+\.(?:tflite|onnx))` \|.*`([0-9a-f]{64})`", (folder / "README.md").read_text()))

    assert len(named) == 2
    for name, digest in named.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_onnx_file_is_what_the_script_makes_of_the_weights(tmp_path: Path) -> None:
    from onnx import load, numpy_helper

    from scripts.convert_face_detector import SOURCE, TARGET, Converter

    made, kept = Converter((ROOT / SOURCE).read_bytes()).model(), load(ROOT / TARGET)

    assert [node.op_type for node in made.graph.node] == [node.op_type for node in kept.graph.node]
    for one, other in zip(made.graph.initializer, kept.graph.initializer, strict=True):
        assert one.name == other.name
        assert np.array_equal(numpy_helper.to_array(one), numpy_helper.to_array(other))


def test_the_samples_are_what_the_script_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared by their pixels: another libjpeg may write other bytes."""
    from scripts import make_samples

    monkeypatch.setattr("sys.argv", ["make_samples", str(tmp_path)])
    monkeypatch.setattr(make_samples, "twelve_megapixels", lambda image: image)
    make_samples.main()

    for name in FACES:
        if name == "phone_12mp.jpg":
            continue
        made, kept = decode((tmp_path / name).read_bytes(), LIMITS), sample(name)
        assert np.abs(made.pixels.astype(int) - kept.pixels).mean() < 1
    assert (SAMPLES / "phone_12mp.jpg").stat().st_size < 5_000_000
    assert (sample("phone_12mp.jpg").width, sample("phone_12mp.jpg").height) == (4000, 3000)


@pytest.fixture
def data() -> Path:
    folder = Path(os.environ.get("DATA", "data"))
    if not (folder / "wild-dev.zip").exists():
        pytest.skip("the portraits are not here; DATA names the folder of the training data")
    return folder


@pytest.mark.data
@pytest.mark.parametrize("share", [0.89, 0.22, 0.13])
def test_portraits_are_found_at_every_size(data: Path, onnx: FaceDetector, share: float) -> None:
    from benchmarks.detection import portraits, recall, scene

    random = np.random.default_rng(3)

    result = recall(onnx, (scene(portrait, share, random) for portrait in portraits(data, 30, seed=3)))

    assert result.found >= 96
    assert result.twice <= 4


@pytest.mark.data
@needs_mediapipe
def test_both_engines_find_the_same_portraits(data: Path, mediapipe: FaceDetector, onnx: FaceDetector) -> None:
    from benchmarks.detection import portraits
    from benchmarks.detector_parity import compare

    assert compare(mediapipe, onnx, portraits(data, 30, seed=4)).holds
