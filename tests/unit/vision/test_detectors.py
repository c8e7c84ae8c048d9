"""The networks, on the samples and, where the data is at hand, on portraits."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from app.system import trim_memory
from app.vision.decode import ImageLimits, Picture, decode
from app.vision.detectors import PASS_BYTES, BadDetector, free_memory, make_detector
from app.vision.detectors.blazeface import BlazeFace
from app.vision.face_search import FaceDetector, FaceNetwork, find
from app.vision.geometry import Box

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "models"
SAMPLES = ROOT / "sample_images"
LIMITS = ImageLimits(max_pixels=50_000_000)


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return make_detector(MODELS, 0.5)


@pytest.fixture(scope="module")
def yunet(detector: FaceDetector) -> FaceNetwork:
    return detector.far


@pytest.fixture(params=["near", "far"])
def network(detector: FaceDetector, request: pytest.FixtureRequest) -> FaceNetwork:
    found: FaceNetwork = getattr(detector, request.param)
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
        assert face.box.overlap(box) > 0.9
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
def test_any_shape_may_be_shown(network: FaceNetwork, shape: tuple[int, ...]) -> None:
    assert network.detect(np.zeros(shape, np.uint8), 0.5) == []


def test_a_part_of_a_larger_array_may_be_shown(network: FaceNetwork) -> None:
    """Slices and read-only arrays, as cropping and Pillow give them."""
    pixels = sample("happy_sample.jpg").pixels
    view = pixels[10:400, 60:420]
    view.flags.writeable = False

    (face,) = network.detect(view, 0.5)

    assert face.box.overlap(Box(116, 71, 98, 98)) > 0.75


def test_a_mirrored_face_has_mirrored_landmarks(network: FaceNetwork) -> None:
    pixels = sample("neutral_sample.jpg").pixels[::2, ::2]
    (face,), (mirrored,) = network.detect(pixels, 0.5), network.detect(np.ascontiguousarray(pixels[:, ::-1]), 0.5)

    back = [(pixels.shape[1] - x, y) for x, y in mirrored.landmarks]
    swapped = [back[number] for number in (1, 0, 2, 3, 5, 4)]
    assert np.abs(np.array(face.landmarks) - swapped).max() < 0.08 * face.box.width


@pytest.mark.parametrize("angle", [-30, 30])
def test_a_turned_face_keeps_its_landmarks(detector: FaceDetector, angle: int) -> None:
    pixels = sample("neutral_sample.jpg").pixels
    (face,) = find(detector, _picture(pixels), thorough=False)
    turn = cv2.getRotationMatrix2D(face.box.center, angle, 1)
    turned_pixels = np.asarray(cv2.warpAffine(pixels, turn, pixels.shape[1::-1]), np.uint8)
    (turned,) = find(detector, _picture(turned_pixels), thorough=False)

    expected = np.array(face.landmarks) @ turn[:, :2].T + turn[:, 2]
    assert np.abs(np.array(turned.landmarks) - expected)[:4].max() < 0.06 * face.box.width


def _picture(pixels: np.ndarray) -> Picture:
    return Picture(pixels, pixels.shape[1], pixels.shape[0], "png")


def test_only_scores_from_the_least_one_are_given(network: FaceNetwork) -> None:
    pixels = sample("happy_sample.jpg").pixels

    (face,) = network.detect(pixels, 0.5)

    assert network.detect(pixels, face.score + 0.01) == []


def test_boxes_are_counted(yunet: FaceNetwork) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (640, 640, 3), np.uint8)

    assert len(yunet.detect(noise, 1e-6)) == 200


def test_all_detectors_of_a_process_share_their_networks(detector: FaceDetector) -> None:
    other = make_detector(MODELS, 0.7)

    assert (other.near, other.far) == (detector.near, detector.far)
    assert other.threshold == 0.7


@pytest.mark.skipif(sys.platform != "linux", reason="the C library gives pages back there")
def test_a_search_of_a_large_copy_holds_no_memory_once_it_is_freed(yunet: FaceNetwork) -> None:
    def resident() -> int:
        trim_memory()
        return psutil.Process().memory_info().rss

    large = np.zeros((480, 640, 3), np.uint8)
    yunet.detect(large, 0.5)
    held = resident()
    free_memory()
    freed = resident()
    found = yunet.detect(large, 0.5)

    assert held - freed > 8_000_000
    assert resident() - freed < PASS_BYTES
    assert found == []


@pytest.mark.parametrize("name", ["face_detection_short_range.onnx", "yunet.onnx"])
def test_weights_that_were_tampered_with_are_never_loaded(name: str, tmp_path: Path) -> None:
    shutil.copytree(MODELS / "face_detector", tmp_path / "face_detector")
    weights = tmp_path / "face_detector" / name
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)

    with pytest.raises(BadDetector, match="has the wrong SHA-256"):
        make_detector(tmp_path, 0.5)

    weights.unlink()
    with pytest.raises(BadDetector, match="cannot be read"):
        make_detector(tmp_path, 0.5)


def test_opencv_finds_the_same_with_the_published_file(yunet: FaceNetwork) -> None:
    published = MODELS / "face_detector/face_detection_yunet_2023mar_int8bq.onnx"
    for name in FACES:
        pixels = cv2.resize(sample(name).pixels, (320, 320), interpolation=cv2.INTER_AREA)
        theirs = cv2.FaceDetectorYN.create(str(published), "", (320, 320), 0.5, 0.3, 5000)
        _, expected = theirs.detect(np.ascontiguousarray(pixels[..., ::-1]))
        found = yunet.detect(pixels, 0.5)
        assert len(found) == (0 if expected is None else len(expected))
        for face, row in zip(found, () if expected is None else expected, strict=True):
            assert face.score == pytest.approx(row[14], abs=1e-4)
            assert np.allclose(face.landmarks[:3], row[4:10].reshape(3, 2), atol=0.01)


def test_the_kept_files_are_those_that_the_readme_names() -> None:
    folder = MODELS / "face_detector"
    named = dict(re.findall(r"`([\w.]+\.(?:tflite|onnx))` \|.*`([0-9a-f]{64})`", (folder / "README.md").read_text()))

    assert len(named) == 4
    for name, digest in named.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_network_is_what_the_script_makes_of_the_published_file() -> None:
    from onnx import load, load_from_string, numpy_helper

    from scripts.convert_yunet import SOURCE, TARGET, Converter, published

    made, kept = Converter(load_from_string(published(ROOT / SOURCE))).model(), load(ROOT / TARGET)

    assert [node.op_type for node in made.graph.node] == [node.op_type for node in kept.graph.node]
    for one, other in zip(made.graph.initializer, kept.graph.initializer, strict=True):
        assert one.name == other.name
        assert np.array_equal(numpy_helper.to_array(one), numpy_helper.to_array(other))


def test_blazeface_is_what_the_script_makes_of_the_published_file() -> None:
    from onnx import load, numpy_helper

    from scripts.convert_face_detector import SOURCE, TARGET, service_model

    made, kept = service_model((ROOT / SOURCE).read_bytes()), load(ROOT / TARGET)

    assert [node.op_type for node in made.graph.node] == [node.op_type for node in kept.graph.node]
    for one, other in zip(made.graph.initializer, kept.graph.initializer, strict=True):
        assert one.name == other.name
        assert np.array_equal(numpy_helper.to_array(one), numpy_helper.to_array(other))


def test_wider_maps_change_nothing() -> None:
    from onnxruntime import InferenceSession

    from scripts.convert_face_detector import SOURCE, Converter, service_model

    published = (ROOT / SOURCE).read_bytes()
    narrow, wide = (
        InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for model in (Converter(published).model(), service_model(published))
    )
    image = {"image": cv2.resize(sample("happy_sample.jpg").pixels, (128, 128))[None]}
    logits, raw = narrow.run(["classificators", "regressors"], image)
    cells = [grid[0].transpose(1, 2, 0).reshape(-1, 17) for grid in _anchors_last(wide.run(["fine", "coarse"], image))]
    found = np.concatenate(cells)

    assert np.allclose(found[:, 0], logits[0, :, 0], atol=1e-3)
    assert np.allclose(found[:, 1:], raw[0], atol=1e-3)


def _anchors_last(grids: list[np.ndarray]) -> list[np.ndarray]:
    """The maps with the logit of each anchor in front of its 16 numbers."""
    ordered = []
    for grid, count in zip(grids, (2, 6), strict=True):
        order = [part for each in range(count) for part in (each, *range(count + 16 * each, count + 16 * (each + 1)))]
        ordered.append(grid[:, order])
    return ordered


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((640, 480), (96, 128)),
        ((480, 640), (128, 96)),
        ((1920, 1080), (80, 128)),
        ((300, 300), (128, 128)),
        ((4000, 40), (16, 128)),
    ],
)
def test_the_near_network_sees_the_picture_and_little_black(size: tuple[int, int], seen: tuple[int, int]) -> None:
    class Session:
        shape: tuple[int, ...] = ()

        def run(self, _: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            self.shape = inputs["image"].shape
            rows, columns = self.shape[1] // 16, self.shape[2] // 16
            fine = np.full((1, 34, 2 * rows, 2 * columns), -9, np.float32)
            coarse = np.full((1, 102, rows, columns), -9, np.float32)
            # The last anchor of the last cell, with a box of 16 pixels and all landmarks in its middle.
            coarse[0, 5, -1, -1], coarse[0, 6:, -1, -1], coarse[0, -14:-12, -1, -1] = 9, 0, 16
            return [fine, coarse]

    session, (width, height) = Session(), size
    (face,) = BlazeFace(session).detect(np.zeros((height, width, 3), np.uint8), 0.5)  # type: ignore[arg-type]

    assert session.shape == (1, *seen, 3)
    # The cell's centre is eight pixels from the corner of what the network sees, which is centred on the picture.
    scale = max(size) / 128
    expected = (width / 2 + (seen[1] / 2 - 8) * scale, height / 2 + (seen[0] / 2 - 8) * scale)
    assert face.box.center == pytest.approx(expected)
    assert face.box.width == pytest.approx(16 * scale)
    assert face.landmarks == (pytest.approx(expected),) * 6


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
def test_portraits_are_found_at_every_size(data: Path, detector: FaceDetector, share: float) -> None:
    from benchmarks.detection import portraits, recall, scene

    random = np.random.default_rng(3)

    result = recall(detector, (scene(portrait, share, random) for portrait in portraits(data, 30, seed=3)))

    assert result.found >= 96
    assert result.twice == 0


@pytest.mark.data
def test_faces_that_fill_the_picture_are_found(data: Path, detector: FaceDetector) -> None:
    from itertools import islice

    from benchmarks.detection import enlarged_faces, recall, whole

    assert recall(detector, whole(islice(enlarged_faces(data), 200))).found >= 98
