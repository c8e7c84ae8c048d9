"""The pipeline, with a detector that finds what a test says and a model whose prediction is known."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.errors import InvalidImage, InvalidRequest, MultipleFaces, NoFaceDetected
from app.inference.classifier import Classifier, ClassifierOutputs, load_classifier
from app.inference.explain import Method
from app.inference.session import SessionSpec, Tensor
from app.memory_budget import MemoryBudget, NotEnoughMemory
from app.pipeline import ClassifyOptions, DetectedPicture, DetectOptions, Pipeline, go_on
from app.vision.decode import ImageLimits
from app.vision.face_search import FaceDetector
from app.vision.geometry import Box, Face
from app.vision.mesh import MeshLoader
from tests.models import SEVEN, Contract, make_brightness_model, make_model
from tests.process import ROOT

LIMITS = ImageLimits(max_pixels=50_000_000)


class Seeing:
    """A network that finds the same faces in every picture; their places are shares of the picture."""

    def __init__(self, *places: tuple[float, float, float]) -> None:
        self._places = places
        self.runs = 0

    def detect(self, pixels: NDArray[np.uint8], least_score: float) -> list[Face]:
        self.runs += 1
        height, width = pixels.shape[:2]
        return [_face(x * width, y * height, side * width) for x, y, side in self._places]


def detector(*places: tuple[float, float, float]) -> FaceDetector:
    """A detector that finds faces at these places of the whole picture."""
    return FaceDetector(Seeing(*places), Seeing(), 0.5)


def _face(x: float, y: float, side: float) -> Face:
    """A face whose eyes lie as FER-2013 frames them: level, 0.43 of the box apart."""
    eye_y, middle = y + 0.3 * side, x + 0.5 * side
    points = (
        (middle - 0.215 * side, eye_y),
        (middle + 0.215 * side, eye_y),
        (middle, y + 0.55 * side),
        (middle, y + 0.75 * side),
        (x, y + 0.4 * side),
        (x + side, y + 0.4 * side),
    )
    return Face(Box(x, y, side, side), 0.95, points)


def _jpeg(value: int, width: int = 640, height: int = 480) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(1).integers(-6, 7, (height, width, 3))
    Image.fromarray(np.clip(value + noise, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture
def model(tmp_path: Path) -> Classifier:
    return load_classifier(make_brightness_model(tmp_path / "bright"), SessionSpec(("cpu",)))


def _detect(pipeline: Pipeline, data: bytes, options: DetectOptions | None = None) -> DetectedPicture:
    return pipeline.detect(data, options or DetectOptions(), go_on)


def test_a_bright_face_and_a_dark_one_are_read_as_the_model_reads_them(model: Classifier) -> None:
    for value, label in ((200, "happy"), (50, "sad")):
        pipeline = Pipeline(detector((0.3, 0.2, 0.4)), LIMITS)
        detected = _detect(pipeline, _jpeg(value))
        prediction = pipeline.predict(detected, model, ClassifyOptions(), go_on)
        (face,) = prediction.faces
        assert SEVEN[int(np.argmax(face.probabilities))] == label
        assert sum(face.probabilities) == pytest.approx(1)
        assert face.heatmap is None


def test_stages_are_timed_in_their_order(model: Classifier) -> None:
    pipeline = Pipeline(detector((0.3, 0.2, 0.4)), LIMITS)
    detected = _detect(pipeline, _jpeg(128))
    pipeline.predict(detected, model, ClassifyOptions(explain=True), go_on)
    assert list(detected.timings.stages) == ["decode", "detect", "prepare", "inference", "explain"]


def test_coordinates_are_those_of_the_full_size_picture(model: Classifier) -> None:
    pipeline = Pipeline(detector((0.25, 0.25, 0.3)), LIMITS)
    detected = _detect(pipeline, _jpeg(128, 4000, 3000))
    assert detected.picture.scale > 1
    assert (detected.picture.width, detected.picture.height) == (4000, 3000)
    assert detected.faces[0].box.x == pytest.approx(1000, abs=4)
    assert detected.faces[0].box.width == pytest.approx(1200, abs=4)


@pytest.mark.parametrize(
    ("places", "options", "scale"),
    [
        # Large enough: half of the pixels show it.
        (((0.3, 0.2, 0.4),), DetectOptions(), 2),
        (((0.3, 0.2, 0.21),), DetectOptions("largest"), 2),
        # Found at once, but with few pixels to judge its quality.
        (((0.3, 0.2, 0.19),), DetectOptions(), 1),
        (((0.3, 0.2, 0.1),), DetectOptions(), 1),
        # A search for small faces needs all pixels in any case, and the mesh of a face that is not very large.
        (((0.3, 0.2, 0.4),), DetectOptions("all"), 1),
        (((0.3, 0.2, 0.4),), DetectOptions(details=frozenset({"head_pose"})), 2),
        (((0.3, 0.2, 0.3),), DetectOptions(), 2),
        (((0.3, 0.2, 0.3),), DetectOptions(details=frozenset({"head_pose"})), 1),
        ((), DetectOptions(on_no_face="center"), 1),
    ],
)
def test_a_picture_is_decoded_as_finely_as_its_face_requires(
    places: tuple[tuple[float, float, float], ...], options: DetectOptions, scale: int
) -> None:
    near = Seeing(*places)
    pipeline = Pipeline(FaceDetector(near, Seeing(), 0.5), LIMITS, mesh=MeshLoader(ROOT / "models"))
    detected = _detect(pipeline, _jpeg(128, 640, 480), options)
    assert detected.picture.scale == scale
    assert list(detected.timings.stages)[:2] == ["decode", "detect"]
    # The whole picture is looked at once, however finely it was decoded at first.
    assert near.runs == 1


def test_a_small_face_in_a_large_photo_is_read_at_a_finer_scale(tmp_path: Path) -> None:
    large = load_classifier(make_model(tmp_path / "large", Contract(side=224, channels="rgb")), SessionSpec(("cpu",)))
    pipeline = Pipeline(detector((0.4, 0.4, 0.08)), LIMITS)
    detected = _detect(pipeline, _jpeg(128, 4000, 3000))
    coarse = detected.picture.scale
    (face,) = pipeline.predict(detected, large, ClassifyOptions(), go_on).faces
    assert detected.picture.scale < coarse
    assert face.region.side / detected.picture.scale >= 224
    assert face.crop.shape == (224, 224, 3)


def test_without_memory_for_the_finer_scale_nothing_is_held_and_the_crop_can_be_repeated(tmp_path: Path) -> None:
    large = load_classifier(make_model(tmp_path / "large", Contract(side=224, channels="rgb")), SessionSpec(("cpu",)))
    limits = ImageLimits(50_000_000)
    pipeline = Pipeline(detector((0.4, 0.4, 0.08)), limits)
    detected = _detect(pipeline, _jpeg(128, 4000, 3000))
    others = limits.memory.largest - limits.memory.used
    with limits.memory.take(others):
        with pytest.raises(NotEnoughMemory):
            pipeline.crop(detected, large, go_on)
        assert limits.memory.used == others
    (face,) = pipeline.predict(detected, large, ClassifyOptions(), go_on).faces
    assert face.region.side / detected.picture.scale >= 224


def test_several_faces_are_refused_picked_or_all_read_in_one_pass(model: Classifier) -> None:
    places = ((0.05, 0.1, 0.3), (0.5, 0.1, 0.4))

    def new_pipeline() -> Pipeline:
        return Pipeline(detector(*places), LIMITS)

    with pytest.raises(MultipleFaces):
        _detect(new_pipeline(), _jpeg(128))
    largest = _detect(new_pipeline(), _jpeg(128), DetectOptions(faces="largest"))
    assert largest.faces_detected == 2
    assert [round(face.box.x) for face in largest.faces] == [320]

    pipeline = new_pipeline()
    every = _detect(pipeline, _jpeg(128), DetectOptions(faces="all"))
    tensors: list[int] = []
    infer = model.infer
    model.infer = lambda tensor, **asked: (tensors.append(len(tensor)), infer(tensor, **asked))[1]  # type: ignore[method-assign]
    prediction = pipeline.predict(every, model, ClassifyOptions(), go_on)
    assert tensors == [2]
    assert [round(face.face.box.x) for face in prediction.faces] == [320, 32]


def test_several_pictures_are_read_in_one_pass_as_each_would_be_alone(model: Classifier) -> None:
    def detected_in(value: int) -> DetectedPicture:
        return _detect(Pipeline(detector((0.3, 0.2, 0.4)), LIMITS), _jpeg(value))

    pipeline = Pipeline(detector(), LIMITS)
    values, options = (200, 50, 128), ClassifyOptions(explain=True)
    alone = [pipeline.predict(detected_in(value), model, options, go_on) for value in values]

    prepared = []
    for detected in map(detected_in, values):
        prepared.append(pipeline.crop(detected, model, go_on))
        detected.release_pixels()
    tensors: list[int] = []
    infer = model.infer
    model.infer = lambda tensor, **asked: (tensors.append(len(tensor)), infer(tensor, **asked))[1]  # type: ignore[method-assign]
    together = pipeline.classify(prepared, model, options, go_on)
    assert tensors == [3]

    for one, other, ready in zip(alone, together, prepared, strict=True):
        assert one.faces[0].probabilities == pytest.approx(other.faces[0].probabilities)
        assert one.faces[0].heatmap is not None
        assert other.faces[0].heatmap is not None
        np.testing.assert_allclose(one.faces[0].heatmap.grid, other.faces[0].heatmap.grid, atol=1e-6)
        assert ready.detected.timings.stages["inference"] == pytest.approx(other.inference_ms)
        assert not ready.detected.picture.pixels.size


def test_no_more_faces_are_read_than_allowed(model: Classifier) -> None:
    places = tuple((0.02 + 0.24 * column, 0.1, 0.2) for column in range(4))
    pipeline = Pipeline(detector(*places), LIMITS, max_faces=3)
    detected = _detect(pipeline, _jpeg(128), DetectOptions(faces="all"))
    assert (detected.faces_detected, len(detected.faces)) == (4, 3)


def test_a_picture_without_a_face_is_refused_unless_the_caller_insists(model: Classifier) -> None:
    pipeline = Pipeline(detector(), LIMITS)
    with pytest.raises(NoFaceDetected):
        _detect(pipeline, _jpeg(200))
    detected = _detect(pipeline, _jpeg(200), DetectOptions(on_no_face="center"))
    (face,) = pipeline.predict(detected, model, ClassifyOptions(), go_on).faces
    assert face.face.assumed
    assert detected.faces_detected == 0
    assert "face_assumed" in {warning.code for warning in face.warnings}
    assert SEVEN[int(np.argmax(face.probabilities))] == "happy"


def test_a_reason_is_given_for_the_likeliest_label_or_the_one_asked_for(model: Classifier) -> None:
    pipeline = Pipeline(detector((0.3, 0.2, 0.4)), LIMITS)
    detected = _detect(pipeline, _jpeg(200))
    for asked, label in ((None, "happy"), ("sad", "sad")):
        (face,) = pipeline.predict(detected, model, ClassifyOptions(explain=True, explain_label=asked), go_on).faces
        assert face.heatmap is not None
        assert (face.heatmap.label, face.heatmap.method) == (label, "contrast")
    with pytest.raises(InvalidRequest):
        pipeline.predict(detected, model, ClassifyOptions(explain=True, explain_label="bored"), go_on)


@pytest.mark.parametrize("method", ["contrast", "cam", "occlusion"])
def test_a_reason_is_given_by_the_method_that_is_asked_for(model: Classifier, method: Method) -> None:
    pipeline = Pipeline(detector((0.3, 0.2, 0.4)), LIMITS)
    detected = _detect(pipeline, _jpeg(200))
    options = ClassifyOptions(explain=True, explain_method=method)
    (face,) = pipeline.predict(detected, model, options, go_on).faces
    assert face.heatmap is not None
    assert face.heatmap.method == method


@pytest.mark.parametrize(("method", "held"), [("contrast", 0), ("occlusion", 16 * (48 * 48 * 4 + 48 * 48 * 3))])
def test_the_covered_crops_of_an_occlusion_map_count_as_memory(model: Classifier, method: Method, held: int) -> None:
    memory = MemoryBudget()
    pipeline = Pipeline(detector((0.3, 0.2, 0.4)), ImageLimits(50_000_000, memory=memory))
    cropped = pipeline.crop(_detect(pipeline, _jpeg(200)), model, go_on)
    before, infer, most = memory.used, model.infer, 0

    def counting(tensor: Tensor, **asked: bool) -> ClassifierOutputs:
        nonlocal most
        most = max(most, memory.used - before)
        return infer(tensor, **asked)

    model.infer = counting  # type: ignore[method-assign]
    heatmap = pipeline.classify([cropped], model, ClassifyOptions(True, None, method), go_on)[0].faces[0].heatmap
    assert heatmap is not None
    assert most == held
    assert memory.used == before


@pytest.mark.parametrize("stages", range(5))
def test_work_that_nobody_waits_for_stops_before_its_next_stage(stages: int, model: Classifier) -> None:
    class NobodyWaits(Exception):
        pass

    passed = 0

    def checkpoint() -> None:
        nonlocal passed
        if passed == stages:
            raise NobodyWaits
        passed += 1

    pipeline = Pipeline(detector((0.3, 0.2, 0.4)), LIMITS)

    def run() -> None:
        detected = pipeline.detect(_jpeg(128), DetectOptions(), checkpoint)
        pipeline.predict(detected, model, ClassifyOptions(explain=True), checkpoint)

    with pytest.raises(NobodyWaits):
        run()


def test_what_is_no_picture_never_reaches_the_detector() -> None:
    class Blind(Seeing):
        def detect(self, pixels: NDArray[np.uint8], least_score: float) -> list[Face]:
            raise AssertionError

    with pytest.raises(InvalidImage):
        _detect(Pipeline(FaceDetector(Blind(), Blind(), 0.5), LIMITS), _jpeg(128)[:400])


def test_it_warms_up_whatever_the_largest_picture() -> None:
    Pipeline(detector((0.3, 0.2, 0.4)), ImageLimits(max_pixels=1024)).warm_up()
