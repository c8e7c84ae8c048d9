"""The pictures of the benchmarks, made from samples of scikit-image and Matplotlib."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

_GRAIN = 4.0
"""Standard deviation of the noise on an enlarged picture: its JPEG gets the size of a camera's."""


@dataclass(frozen=True, slots=True)
class Size:
    """A one-face picture: its pixels and the quality of its JPEG."""

    width: int
    height: int
    quality: int


SIZES = {"640x480": Size(640, 480, 90), "1080p": Size(1920, 1080, 88), "12mp": Size(4000, 3000, 84)}


def make_pictures(folder: Path) -> dict[str, Path]:
    """The pictures as JPEG files in ``folder``, by name. The same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    portrait = _portrait()
    made = {name: _jpeg(_enlarged(portrait, size), size.quality) for name, size in SIZES.items()}
    made["seventh"] = _jpeg(_seventh(portrait), 90)
    made["group"] = _jpeg(_group(portrait), 88)
    made["no-face"] = _jpeg(_fitted(np.asarray(data.coffee(), np.uint8), 640, 480), 90)
    paths = {}
    for name, content in made.items():
        paths[name] = folder / f"{name}.jpg"
        paths[name].write_bytes(content)
    return paths


_FACE_SHARE = 0.38
"""Share of the portrait's width that its face fills."""


def _portrait() -> NDArray[np.uint8]:
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return np.asarray(Image.open(path).convert("RGB"), np.uint8)


def _enlarged(portrait: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    enlarged = _fitted(portrait, size.width, size.height).astype(np.int16)
    grain = np.random.default_rng(1).normal(0, _GRAIN, (size.height, size.width, 1))
    return np.clip(enlarged + grain.round().astype(np.int16), 0, 255).astype(np.uint8)


def _fitted(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The picture cropped to the given shape, a little above its middle, and scaled."""
    rows, columns = picture.shape[:2]
    kept_rows = min(rows, round(columns * height / width))
    kept_columns = min(columns, round(rows * width / height))
    top, left = round((rows - kept_rows) * 0.45), (columns - kept_columns) // 2
    part = picture[top : top + kept_rows, left : left + kept_columns]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _seventh(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A face that fills a seventh of the width of 640×480."""
    picture = np.full((480, 640, 3), 168, np.uint8)
    side = round(640 / 7 / _FACE_SHARE)
    top, left = (480 - side) // 2, 640 - side - 40
    picture[top : top + side, left : left + side] = _fitted(portrait, side, side)
    return picture


def _group(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Six people in two rows, the first of them largest."""
    astronaut = np.asarray(data.astronaut(), np.uint8)[:384, 40:424]
    picture = np.full((960, 1440, 3), 168, np.uint8)
    people = (portrait, astronaut, portrait[:, ::-1], astronaut[:, ::-1], portrait, astronaut)
    for number, person in enumerate(people):
        row, column = divmod(number, 3)
        side = 480 if number == 0 else 420
        top, left = row * 480 + (480 - side), column * 480 + (480 - side) // 2
        picture[top : top + side, left : left + side] = _fitted(person, side, side)
    return picture


def _jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
