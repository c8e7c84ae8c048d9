"""Any classifier, by its manifest alone."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from app.inference.calibration import calibrate
from app.inference.classifier import Classifier, load_classifier
from app.inference.manifest import OutputSpec
from app.inference.session import LARGEST_PASS, SessionSpec
from tests import models
from tests.models import Contract, make_brightness_model, make_model

CPU = SessionSpec(("cpu",))
CONTRACTS = {
    "EfficientNet-B0, 7 labels": models.EFFICIENTNET_B0,
    "EfficientNet-B0, 5 labels": models.EFFICIENTNET_B0_FIVE,
    "EfficientNet-B2": models.EFFICIENTNET_B2,
    "FER+": models.FERPLUS,
    "NHWC uint8 probabilities": models.NHWC_UINT8,
    "fixed batch": models.FIXED_BATCH,
    "BGR": models.BGR,
}


@pytest.fixture(params=CONTRACTS.values(), ids=CONTRACTS.keys())
def contract(request: pytest.FixtureRequest) -> Contract:
    return request.param


def _crops(contract: Contract, count: int) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(5)
    return [random.integers(0, 256, (contract.side, contract.side, 3), np.uint8) for _ in range(count)]


def _run_alone(folder: Path, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    """The softmax of what the file answers, without any code of the service."""
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return session.run(["scores"], {"input": tensor})[0]


def test_a_manifest_alone_serves_a_model(tmp_path: Path, contract: Contract) -> None:
    model = load_classifier(make_model(tmp_path / "mine", contract), CPU)

    scores = model.infer(model.prepare(_crops(contract, 3)))

    assert model.providers == ("cpu",)
    assert scores.probabilities.shape == (3, len(contract.labels))
    assert scores.probabilities.dtype == np.float32
    np.testing.assert_allclose(scores.probabilities.sum(axis=1), 1, atol=1e-6)
    assert scores.features is None


def test_all_faces_together_are_read_as_each_alone(tmp_path: Path, contract: Contract) -> None:
    model = load_classifier(make_model(tmp_path / "mine", contract), CPU)
    crops = _crops(contract, LARGEST_PASS + 3)

    together = model.infer(model.prepare(crops)).probabilities
    alone = np.concatenate([model.infer(model.prepare([crop])).probabilities for crop in crops])

    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_answers_are_the_networks_after_its_temperature(tmp_path: Path, temperature: float) -> None:
    folder = make_model(tmp_path / "mine", Contract(temperature=temperature))
    model = load_classifier(folder, CPU)
    tensor = model.prepare(_crops(Contract(), 2))

    probabilities = model.infer(tensor).probabilities

    tempered = np.exp(_run_alone(folder, tensor).astype(np.float64) / temperature)
    np.testing.assert_allclose(probabilities, tempered / tempered.sum(axis=1, keepdims=True), rtol=1e-5)


def test_probabilities_pass_through_and_can_be_tempered_too() -> None:
    given = np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]], np.float32)

    as_given = calibrate(given, OutputSpec(tensor="x", kind="probabilities"))
    flatter = calibrate(given, OutputSpec(tensor="x", kind="probabilities", temperature=2.0))

    np.testing.assert_allclose(as_given, given, atol=1e-6)
    np.testing.assert_allclose(flatter[0], np.sqrt(given[0]) / np.sqrt(given[0]).sum(), rtol=1e-5)
    assert np.isfinite(flatter).all()


def test_an_entropy_exponent_sharpens_clear_answers_more_than_doubtful_ones() -> None:
    logits = np.log(np.array([[0.9, 0.06, 0.04], [0.5, 0.3, 0.2], [1 / 3] * 3], np.float32))
    plain, output = OutputSpec(tensor="x", kind="logits"), OutputSpec(tensor="x", kind="logits", entropy_exponent=0.5)

    before, after = calibrate(logits, plain), calibrate(logits, output)

    entropy = -(np.exp(logits[0]) * logits[0]).sum() / np.log(3)
    odds = np.exp(logits[0] / entropy**0.5)
    np.testing.assert_allclose(after[0], odds / odds.sum(), rtol=1e-5)
    assert after[0, 0] / before[0, 0] > 1.05
    np.testing.assert_allclose(after[1], before[1], atol=0.02)
    np.testing.assert_allclose(after[2], before[2], rtol=1e-5)


@pytest.mark.parametrize("exponent", [0.0, 1.0])
@pytest.mark.parametrize("least", [-1e4, -np.inf])
def test_huge_logits_do_not_overflow(least: float, exponent: float) -> None:
    output = OutputSpec(tensor="x", kind="logits", entropy_exponent=exponent)

    probabilities = calibrate(np.array([[1e4, least, 0.0]], np.float32), output)

    np.testing.assert_array_equal(probabilities, [[1, 0, 0]])


def test_a_brighter_face_looks_happier(tmp_path: Path) -> None:
    model = load_classifier(make_brightness_model(tmp_path / "default"), CPU)
    crops = [np.full((48, 48, 3), value, np.uint8) for value in (40, 128, 210)]

    dark, middle, bright = model.infer(model.prepare(crops)).probabilities

    assert model.manifest.labels[int(dark.argmax())] == "sad"
    assert model.manifest.labels[int(bright.argmax())] == "happy"
    np.testing.assert_allclose(middle, 1 / 7, rtol=1e-5)


def test_features_come_only_when_they_are_asked_for(tmp_path: Path) -> None:
    model = load_classifier(make_model(tmp_path / "mine"), CPU)
    tensor = model.prepare(_crops(Contract(), 2))

    assert model.infer(tensor).features is None
    features = model.infer(tensor, with_features=True).features
    assert features is not None
    assert features.shape == (2, 6, 6, 6)
    assert model.class_weights is not None
    assert model.class_weights.shape == (7, 6)


def test_a_fixed_batch_gives_features_for_all_faces(tmp_path: Path) -> None:
    model = load_classifier(make_model(tmp_path / "mine", models.FIXED_BATCH), CPU)

    features = model.infer(model.prepare(_crops(models.FIXED_BATCH, 3)), with_features=True).features

    assert features is not None
    assert features.shape == (3, 6, 6, 6)


def test_a_model_without_an_explanation_gives_no_features(tmp_path: Path) -> None:
    model = load_classifier(make_model(tmp_path / "mine", models.FERPLUS), CPU)

    assert model.class_weights is None
    assert model.infer(model.prepare(_crops(models.FERPLUS, 1)), with_features=True).features is None


def test_many_threads_get_their_own_answers(tmp_path: Path) -> None:
    model: Classifier = load_classifier(make_model(tmp_path / "mine"), CPU)
    crops = _crops(Contract(), 8)
    expected = [model.infer(model.prepare([crop])).probabilities for crop in crops]
    wrong: list[int] = []

    def ask(index: int) -> None:
        for _ in range(20):
            answer = model.infer(model.prepare([crops[index]])).probabilities
            if not np.array_equal(answer, expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(crops))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
