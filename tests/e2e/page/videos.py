"""Videos of the sample faces: as a camera that Chromium plays, and as files that a person chooses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tests.e2e.page.pictures import as_jpeg, collins

SIZE = (640, 480)


def scene(*pictures: Image.Image) -> Image.Image:
    """Pictures side by side, on grey."""
    shown = Image.new("RGB", SIZE, (128, 128, 128))
    width = SIZE[0] // len(pictures)
    for number, picture in enumerate(pictures):
        small = picture.copy()
        small.thumbnail((width, SIZE[1]))
        shown.paste(small, (number * width + (width - small.width) // 2, (SIZE[1] - small.height) // 2))
    return shown


def collins_closer() -> Image.Image:
    """The upper part of the first sample, in which the face is as large as before a camera."""
    picture = collins()
    width, height = picture.size
    return picture.crop((int(0.15 * width), 0, int(0.75 * width), int(0.6 * height)))


def write_camera(path: Path, scenes: Sequence[Image.Image]) -> Path:
    """Writes scenes as the frames of Chromium's fake camera, which repeats them."""
    path.write_bytes(b"".join(as_jpeg(each) for each in scenes))
    return path


def write_video(path: Path, scenes: Sequence[Image.Image], frames_per_second: int = 10) -> Path:
    """Writes scenes as the frames of a WebM file."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), frames_per_second, SIZE)
    assert writer.isOpened()
    for each in scenes:
        writer.write(cv2.cvtColor(np.asarray(each), cv2.COLOR_RGB2BGR))
    writer.release()
    return path
