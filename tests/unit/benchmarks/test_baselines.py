from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from app.vision.geometry import Box
from benchmarks import baselines, face_api
from benchmarks.baselines import Found, face_api_input, facex_input, fer_input, score

WIDE = np.full((100, 200, 3), 200, np.uint8)


def test_fer_adds_ten_pixels_and_black_beyond_the_edge() -> None:
    tensor = fer_input(WIDE, Box(0, 20, 44, 44))
    assert tensor.shape == (1, 64, 64, 1)
    # 64 pixels of the padded picture, of which ten columns lie beyond its edge.
    assert tensor[0, 32, :10, 0] == pytest.approx(-1)
    assert tensor[0, 32, 10:, 0] == pytest.approx((200 / 255 - 0.5) * 2)
    assert baselines.fer_input_from_zero(WIDE, Box(50, 20, 44, 44)) == pytest.approx(200 / 255)


def test_facex_repeats_grey_from_zero_to_one() -> None:
    tensor = facex_input(WIDE, Box(-10, 20, 44, 44))
    assert tensor.shape == (1, 200, 200, 3)
    assert tensor == pytest.approx(200 / 255)


def test_face_api_puts_black_beside_the_shorter_side() -> None:
    tensor = face_api_input(WIDE, Box(10, 10, 28, 56))
    assert tensor.shape == (1, 3, 112, 112)
    for channel, mean in enumerate(face_api.MEAN):
        assert tensor[0, channel, 56, 2] == pytest.approx(-mean / 255)
        assert tensor[0, channel, 56, 109] == pytest.approx(-mean / 255)
        assert tensor[0, channel, 56, 56] == pytest.approx((200 - mean) / 255)


def test_a_network_counts_with_its_better_crop() -> None:
    labels = [0, 1] * 20
    found = Found(labels, {("a", "box"): [0] * 40, ("a", "FER-2013"): labels, ("b", "as served"): [0] * 40})
    first, second = score(found, {"a": 1.0, "b": 2.0})
    assert (first.name, first.crop, first.accuracy.value, first.ours) == ("a", "FER-2013", 1.0, False)
    assert (second.name, second.accuracy.value, second.macro_recall.value, second.ours) == ("b", 0.5, 0.5, True)
    assert second.accuracy.low < 0.5 < second.accuracy.high
    assert second.photos == 40


def test_rare_labels_do_not_count_in_macro_recall() -> None:
    labels = [0] * 20 + [1] * 20 + [2] * 19
    (row,) = score(Found(labels, {("a", "box"): [0] * 20 + [1] * 20 + [0] * 19}), {"a": 1.0})
    assert row.macro_recall.value == 1.0


def made_up(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Weights as the package has them, with one tensor in 8-bit integers."""
    random = np.random.default_rng(1)
    shapes: dict[str, tuple[int, ...]] = {}
    depth = 3
    for block in range(4):
        for number in range(4):
            name, width = f"dense{block}/conv{number}", 8
            if block == number == 0:
                shapes[f"{name}/filters"] = (3, 3, depth, width)
            else:
                shapes[f"{name}/depthwise_filter"] = (3, 3, depth, 1)
                shapes[f"{name}/pointwise_filter"] = (1, 1, depth, width)
            shapes[f"{name}/bias"], depth = (width,), width
    shapes |= {"fc/weights": (8, 7), "fc/bias": (7,)}
    weights = {name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    listing: list[dict[str, Any]] = [{"name": n, "shape": w.shape, "dtype": "float32"} for n, w in weights.items()]
    integers = random.integers(0, 256, (8, 7)).astype(np.uint8)
    weights["fc/weights"] = (integers * 0.01 - 1).astype(np.float32)
    listing[-2]["quantization"] = {"dtype": "uint8", "scale": 0.01, "min": -1}
    data = b"".join(integers.tobytes() if name == "fc/weights" else w.tobytes() for name, w in weights.items())
    (folder / "weights.bin").write_bytes(data)
    (folder / face_api.MANIFEST).write_text(json.dumps([{"paths": ["weights.bin"], "weights": listing}]))
    return weights


def convolved(x: NDArray[np.float64], kernel: NDArray[np.float32], stride: int, *, deep: bool) -> NDArray[np.float64]:
    """A 3 × 3 convolution of (h, w, c) with TensorFlow's padding: what is left over goes to the right and below."""
    side = x.shape[0]
    out = -(-side // stride)
    total = max((out - 1) * stride + 3 - side, 0)
    padded = np.pad(x, ((total // 2, total - total // 2), (total // 2, total - total // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))[::stride, ::stride][:out, :out]
    return np.einsum("hwcij,ijc->hwc" if deep else "hwcij,ijco->hwo", windows, kernel[..., 0] if deep else kernel)


def reference(weights: dict[str, NDArray[np.float32]], x: NDArray[np.float64]) -> NDArray[np.float64]:
    def convolution(x: NDArray[np.float64], name: str, stride: int) -> NDArray[np.float64]:
        if f"{name}/filters" in weights:
            found = convolved(x, weights[f"{name}/filters"], stride, deep=False)
        else:
            found = convolved(x, weights[f"{name}/depthwise_filter"], stride, deep=True)
            found = found @ weights[f"{name}/pointwise_filter"][0, 0]
        return np.asarray(found + weights[f"{name}/bias"])

    for block in range(4):
        name = f"dense{block}"
        one = np.maximum(convolution(x, f"{name}/conv0", 2), 0)
        two = convolution(one, f"{name}/conv1", 1)
        three = convolution(np.maximum(one + two, 0), f"{name}/conv2", 1)
        four = convolution(np.maximum(one + two + three, 0), f"{name}/conv3", 1)
        x = np.maximum(one + two + three + four, 0)
    return np.asarray(x.mean((0, 1)) @ weights["fc/weights"] + weights["fc/bias"])


def test_the_network_of_face_api_is_the_one_of_its_package(tmp_path: Path) -> None:
    weights = made_up(tmp_path)
    session = ort.InferenceSession(face_api.export(tmp_path, tmp_path / "out" / "face_api.onnx"))
    x = np.random.default_rng(2).normal(0, 0.5, (112, 112, 3))
    (logits,) = session.run(None, {"input": x.transpose(2, 0, 1)[None].astype(np.float32)})
    np.testing.assert_allclose(logits[0], reference(weights, x), rtol=1e-3, atol=1e-3)


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"emotion_model_quantized.tflite is missing; .*"):
        baselines.baselines(tmp_path, tmp_path)
