"""Pictures for tests, from scikit-image."""

from __future__ import annotations

import functools
import io

from PIL import Image
from skimage import data


@functools.cache
def portrait(width: int = 512, quality: int = 90) -> bytes:
    """One face, as a JPEG."""
    picture = Image.fromarray(data.astronaut())
    return encoded(picture.resize((width, width)), "JPEG", quality=quality)


@functools.cache
def faceless(width: int = 512) -> bytes:
    """No face, as a JPEG."""
    return encoded(Image.fromarray(data.coffee()).resize((width, width)), "JPEG")


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


@functools.cache
def framed() -> bytes:
    """One face in a frame of 640 x 480, as a camera gives it, as a JPEG."""
    picture = Image.fromarray(data.astronaut()).crop((64, 0, 512, 336)).resize((640, 480))
    return encoded(picture, "JPEG", quality=85)
