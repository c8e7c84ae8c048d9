"""The pictures of the page's tests, and the faces that the fake pipeline finds in them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from typing import Any

from PIL import Image

from app.vision.decode import Picture
from app.vision.geometry import Box, Face
from app.vision.quality import QualityWarning
from tests.api.fakes import ScriptedFace
from tests.process import ROOT

SAMPLES = ROOT / "sample_images"

Shares = tuple[float, float, float, float]
"""Left, top, width and height, as shares of the picture's own."""

SURE = (0.01, 0.0, 0.01, 0.93, 0.01, 0.02, 0.02)
FAIR = (0.05, 0.02, 0.03, 0.04, 0.14, 0.01, 0.71)
UNSURE = (0.06, 0.03, 0.11, 0.02, 0.44, 0.03, 0.31)
SURPRISED = (0.01, 0.01, 0.02, 0.02, 0.01, 0.91, 0.02)

COLLINS: Shares = (0.34, 0.12, 0.2, 0.25)
HOPPER: Shares = (0.24, 0.2, 0.42, 0.37)


class FaceIn:
    """A face by its place in a picture of any size. Without probabilities it gets those of the model."""

    def __init__(self, place: Shares, probabilities: tuple[float, ...] | None = None, warnings: Iterable[str] = ()):
        self.place = place
        self.probabilities = probabilities
        self.warnings = tuple(QualityWarning(code, "The service's own words.") for code in warnings)

    def scaled_to(self, picture: Picture) -> Face:
        x, y, width, height = self.place
        across, down = picture.width, picture.height
        box = Box(round(x * across), round(y * down), round(width * across), round(height * down))
        landmarks = tuple((box.x + box.width * step / 6, box.y + box.height / 2) for step in range(6))
        return ScriptedFace(box, 0.97, landmarks, probabilities=self.probabilities, warnings=self.warnings)


_FACES = {
    "happy_sample": (FaceIn(COLLINS),),
    "neutral_sample": (FaceIn(HOPPER, FAIR),),
    "unsure": (FaceIn(HOPPER, UNSURE, ("blurred", "turned_away")),),
    "multiple_faces": (FaceIn((0.165, 0.13, 0.11, 0.25)), FaceIn((0.655, 0.22, 0.155, 0.33), FAIR)),
    "no_face": (),
}


def faces_of(data: bytes) -> tuple[FaceIn, ...]:
    """The faces of a picture of these tests; any other picture shows one happy face."""
    return next((faces for name, faces in _FACES.items() if sample(name) == data), (FaceIn(COLLINS),))


@cache
def sample(name: str) -> bytes:
    """A sample picture by its name, or ``unsure``: one whose face the models are uncertain about."""
    if name == "unsure":
        return as_jpeg(hopper())
    return (SAMPLES / f"{name}.jpg").read_bytes()


def damaged() -> bytes:
    """A picture whose second half is missing."""
    return sample("happy_sample")[:20_000]


@cache
def collins() -> Image.Image:
    return Image.open(io.BytesIO(sample("happy_sample"))).convert("RGB")


@cache
def hopper() -> Image.Image:
    return Image.open(io.BytesIO(sample("neutral_sample"))).convert("RGB")


def as_jpeg(picture: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88, **options)
    return out.getvalue()
