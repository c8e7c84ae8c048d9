from __future__ import annotations

import io

import numpy as np
from PIL import Image

from app.inference.explain import overlay_png


def opened(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def test_without_weight_the_crop_shows_as_it_is() -> None:
    crop = np.full((48, 48, 3), (200, 40, 90), np.uint8)

    shown = opened(overlay_png(crop, np.zeros((6, 6), np.float32)))

    assert shown.shape == (144, 144, 3)
    assert (shown == (200, 40, 90)).all()


def test_weight_colours_its_own_place() -> None:
    crop = np.full((48, 48, 3), 128, np.uint8)
    grid = np.zeros((6, 6), np.float32)
    grid[0, 5] = 1.0  # top right

    shown = opened(overlay_png(crop, grid))
    change = np.abs(shown - 128).sum(axis=2)

    assert change[:36, -36:].mean() > 50
    assert change[72:].max() == 0


def test_more_weight_looks_stronger() -> None:
    crop = np.zeros((64, 64, 3), np.uint8)
    strength = [
        opened(overlay_png(crop, np.full((4, 4), weight, np.float32))).mean() for weight in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]

    assert strength == sorted(strength)
    assert len(set(strength)) == 5


def test_weights_beyond_their_range_do_no_harm() -> None:
    grid = np.array([[-3.0, 9.0], [9.0, -3.0]], np.float32)

    assert opened(overlay_png(np.zeros((224, 224, 3), np.uint8), grid)).shape == (224, 224, 3)
