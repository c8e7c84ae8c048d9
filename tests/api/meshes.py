"""Meshes of a real face, for the fake engine."""

from __future__ import annotations

import functools
from dataclasses import replace

from app.pipeline import MeshedFace
from app.vision.decode import ImageLimits, decode
from app.vision.detectors import make_detector
from app.vision.face_search import find
from app.vision.mesh import BLENDSHAPES, MeshLoader
from tests.process import ROOT


@functools.cache
def meshed() -> MeshedFace:
    """The mesh of a smiling face."""
    picture = decode((ROOT / "sample_images" / "happy_sample.jpg").read_bytes(), ImageLimits(max_pixels=1_000_000))
    (face,) = find(make_detector(ROOT / "models", 0.5), picture, thorough=False)
    mesh = MeshLoader(ROOT / "models").get().run(picture, face, blendshapes=True)
    assert mesh is not None
    return MeshedFace.of(mesh)


def with_closed_eyes() -> MeshedFace:
    """The same face, as if its eyes were closed."""
    mesh, shapes = meshed().mesh, meshed().mesh.blendshapes
    assert shapes is not None
    closed = shapes.copy()
    closed[[BLENDSHAPES.index(f"eyeBlink{side}") for side in ("Left", "Right")]] = 0.95
    return MeshedFace.of(replace(mesh, blendshapes=closed))
