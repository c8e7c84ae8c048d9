"""Preprocessing, to the last digit against plain double-precision NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.inference.classifier import Preprocessor
from app.inference.manifest import InputSpec

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

SPECS = {
    "EfficientNet-B0": InputSpec(width=224, height=224, channels="rgb", scale=1 / 255, mean=MEAN, std=STD),
    "EfficientNet-B2": InputSpec(width=260, height=260, channels="rgb", scale=1 / 255, mean=MEAN, std=STD),
    "FER+": InputSpec(width=64, height=64, channels="gray"),
    "grey, normalised": InputSpec(width=48, height=48, channels="gray", scale=1 / 255, mean=0.5077, std=0.255),
    "bytes, channels last": InputSpec(width=96, height=96, channels="rgb", layout="NHWC", dtype="uint8"),
    "grey bytes": InputSpec(width=48, height=48, channels="gray", dtype="uint8"),
    "Caffe": InputSpec(width=64, height=64, channels="bgr", mean=(104.0, 117.0, 123.0)),
    "not square": InputSpec(width=80, height=112, channels="bgr", layout="NHWC", scale=2 / 255, mean=1.0),
}


@pytest.fixture(params=SPECS.values(), ids=SPECS.keys())
def spec(request: pytest.FixtureRequest) -> InputSpec:
    return request.param


def _crops(count: int, spec: InputSpec) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(spec.height)
    crops = [random.integers(0, 256, (spec.height, spec.width, 3), np.uint8) for _ in range(count)]
    # Every value in every channel.
    crops[0][:2, :64] = np.arange(384, dtype=np.uint16).reshape(2, 64, 3).clip(0, 255) if spec.width >= 64 else 7
    return crops


def _reference(crops: list[NDArray[np.uint8]], spec: InputSpec) -> NDArray[Any]:
    """What the manifest says, written as it reads, and rounded to the tensor's type once."""
    pixels = np.stack(crops).astype(np.float64)
    if spec.channels == "gray":
        # The weights of ITU-R BT.601 in fifteen bits, rounded half up.
        red, green, blue = np.moveaxis(np.stack(crops).astype(np.int64), -1, 0)
        pixels = ((red * 9798 + green * 19235 + blue * 3735 + 16384) >> 15)[..., None].astype(np.float64)
    elif spec.channels == "bgr":
        pixels = pixels[..., ::-1]
    values = (pixels * spec.scale - np.asarray(spec.mean)) / np.asarray(spec.std)
    if spec.layout == "NCHW":
        values = values.transpose(0, 3, 1, 2)
    return values.astype(spec.dtype)


@pytest.mark.parametrize("count", [1, 3])
def test_a_tensor_is_exactly_what_its_manifest_says(spec: InputSpec, count: int) -> None:
    crops = _crops(count, spec)

    tensor = Preprocessor(spec)(crops)

    expected = _reference(crops, spec)
    assert tensor.dtype == expected.dtype
    assert tensor.flags.c_contiguous
    np.testing.assert_array_equal(tensor, expected)


def test_grey_is_luma_to_the_nearest_value() -> None:
    spec = SPECS["FER+"]
    crops = _crops(4, spec)

    luma = np.stack(crops) @ np.array([0.299, 0.587, 0.114])

    assert np.abs(Preprocessor(spec)(crops)[:, 0] - luma).max() <= 0.51


@pytest.mark.parametrize("channels", ["rgb", "bgr", "gray"])
def test_a_grey_crop_has_the_same_value_in_every_channel(channels: Any) -> None:
    spec = InputSpec(width=16, height=16, channels=channels)
    crop = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)

    tensor = Preprocessor(spec)([crop])

    assert all(np.array_equal(plane, crop[..., 0]) for plane in tensor[0])


def test_a_crop_that_is_a_view_is_read_as_it_looks(spec: InputSpec) -> None:
    crop = _crops(1, spec)[0]

    mirrored = Preprocessor(spec)([crop[:, ::-1]])

    np.testing.assert_array_equal(mirrored, _reference([crop[:, ::-1]], spec))


def test_a_crop_of_another_size_is_refused(spec: InputSpec) -> None:
    with pytest.raises(ValueError, match="a crop of shape"):
        Preprocessor(spec)([np.zeros((spec.height + 1, spec.width, 3), np.uint8)])
