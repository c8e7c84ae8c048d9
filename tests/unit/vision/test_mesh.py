"""The mesh networks, on the samples."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import numpy as np
import pytest

from app.errors import DetailsUnavailable
from app.expression.head_pose import fit
from app.memory_budget import process_memory
from app.vision.decode import ImageLimits, Picture, decode
from app.vision.detectors import make_detector
from app.vision.face_search import find
from app.vision.geometry import Box, Face
from app.vision.mesh import BLENDSHAPES, FaceMesh, MeshLoader

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "models"
SAMPLES = ROOT / "sample_images"
RIGHT_EYE, LEFT_EYE, NOSE_TIP = (33, 133), (362, 263), 4


def sample(name: str) -> tuple[Picture, Face]:
    picture = decode((SAMPLES / name).read_bytes(), ImageLimits(max_pixels=50_000_000))
    detector = make_detector(MODELS, 0.5)
    return picture, find(detector, picture, thorough=False)[0]


@pytest.fixture(scope="module")
def loader() -> MeshLoader:
    return MeshLoader(MODELS)


def mesh_of(loader: MeshLoader, picture: Picture, face: Face) -> FaceMesh:
    mesh = loader.get().run(picture, face, blendshapes=True)
    assert mesh is not None
    return mesh


@pytest.mark.parametrize("name", ["happy_sample.jpg", "neutral_sample.jpg", "rotated_exif.jpg"])
def test_the_mesh_lies_on_the_face(loader: MeshLoader, name: str) -> None:
    picture, face = sample(name)
    mesh = mesh_of(loader, picture, face)
    (right, left, nose), width = face.landmarks[:3], face.box.width
    for indices, point in ((RIGHT_EYE, right), (LEFT_EYE, left), ((NOSE_TIP,), nose)):
        assert np.hypot(*(mesh.points[list(indices), :2].mean(axis=0) - point)) < 0.1 * width
    assert mesh.points.shape == (478, 3)
    assert mesh.points[NOSE_TIP, 2] < mesh.points[234, 2], "the nose is nearer than the cheek's edge"


def test_blendshapes_tell_a_smile_from_a_resting_mouth(loader: MeshLoader) -> None:
    smile = BLENDSHAPES.index("mouthSmileLeft")
    happy, neutral = (mesh_of(loader, *sample(f"{name}_sample.jpg")).blendshapes for name in ("happy", "neutral"))
    assert happy is not None
    assert neutral is not None
    assert happy.shape == (len(BLENDSHAPES),)
    assert happy[smile] > 0.4
    assert neutral[smile] < 0.2


def test_blendshapes_cost_nothing_when_nobody_asks(loader: MeshLoader) -> None:
    mesh = loader.get().run(*sample("happy_sample.jpg"), blendshapes=False)
    assert mesh is not None
    assert mesh.blendshapes is None


def test_the_head_pose_turns_with_the_picture(loader: MeshLoader) -> None:
    picture, face = sample("happy_sample.jpg")
    upright = fit(mesh_of(loader, picture, face).points).pose
    mirrored = Picture(np.ascontiguousarray(picture.pixels[:, ::-1]), picture.width, picture.height, picture.format)
    points = tuple((picture.width - x, y) for x, y in face.landmarks)
    box = face.box.moved(picture.width - 2 * face.box.center[0], 0)
    other = fit(mesh_of(loader, mirrored, Face(box, 1.0, (points[1], points[0], *points[2:]))).points).pose
    assert abs(upright.yaw + other.yaw) < 4
    assert abs(upright.roll + other.roll) < 4
    assert abs(upright.pitch - other.pitch) < 4
    assert abs(upright.roll) > 1


def test_no_mesh_where_there_is_no_face(loader: MeshLoader) -> None:
    picture, face = sample("happy_sample.jpg")
    elsewhere = Face(Box(420, 330, 100, 100), 0.0, (), assumed=True)
    tiny = Face(Box(face.box.x, face.box.y, 20, 20), 1.0, face.landmarks)
    assert loader.get().run(picture, elsewhere, blendshapes=True) is None
    assert loader.get().run(picture, tiny, blendshapes=True) is None


def test_its_memory_is_part_of_the_budget() -> None:
    gc.collect()
    before = process_memory().total
    loader = MeshLoader(MODELS, threads=2)
    loader.get_ready(load=True)
    assert loader.loaded
    assert before - process_memory().total > 20_000_000
    del loader
    gc.collect()
    assert process_memory().total == before


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_damaged_file_is_found_before_it_is_used(tmp_path: Path, damage: str) -> None:
    shutil.copytree(MODELS / "face_mesh", tmp_path / "face_mesh")
    path = tmp_path / "face_mesh" / "blendshapes.onnx"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    loader = MeshLoader(tmp_path)
    loader.get_ready(load=False)
    assert loader.failure is not None
    assert "blendshapes.onnx" in loader.failure
    with pytest.raises(DetailsUnavailable):
        loader.get()


def test_off_means_off() -> None:
    loader = MeshLoader(MODELS, enabled=False)
    loader.get_ready(load=False)
    assert loader.failure is None
    with pytest.raises(DetailsUnavailable, match="DETAILS=off"):
        loader.get()


def test_the_converter_makes_the_files() -> None:
    pytest.importorskip("flatbuffers")
    from scripts.convert_face_mesh import SOURCE, convert

    for path, content in convert((ROOT / SOURCE).read_bytes()).items():
        assert (ROOT / path).read_bytes() == content, path
