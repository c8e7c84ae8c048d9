"""Faces with labels and their meshes, from the data folder. What takes long is kept in ``build/details``."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import VisageError
from app.expression.face_shape import ORIGINS, logits, sides
from app.expression.head_pose import fit
from app.vision.decode import ImageLimits, Picture, decode
from app.vision.detectors import make_detector
from app.vision.face_search import find
from app.vision.geometry import Face
from app.vision.mesh import FaceMesh, MeshLoader, MeshNetworks

MODELS = Path("models")
CACHE = Path("build/details")
LIMITS = ImageLimits(max_pixels=50_000_000)
LABELS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
"""In the order of the FER+ votes."""

_FER_SIDE, _FER_BORDER = 192, 48
"""Pixels to which a FER-2013 picture is enlarged, and by which it is then continued on each side."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture of one face, and its label."""

    key: str
    label: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class FaceShape:
    """What a unit is fitted to: the points of a mesh (478, 3) turned to the front, in centimetres of an average face: x
    to the person's left, y up, z to the camera. And the blendshapes (52,)."""

    points: NDArray[np.float64]
    blendshapes: NDArray[np.float32]

    def origin(self, name: str) -> NDArray[np.float64]:
        """The place that points are measured from."""
        return np.asarray(self.points[list(ORIGINS[name])].mean(axis=0))

    def values(self, name: str) -> NDArray[np.float64]:
        """A blendshape on the left and the right side."""
        return self.blendshapes[list(sides(name))].astype(np.float64)

    def logits(self, name: str) -> NDArray[np.float64]:
        """The same as logits."""
        return logits(self.blendshapes[list(sides(name))])


@dataclass(frozen=True, slots=True)
class Faces:
    """Meshes of faces: labels (n,), points (n, 478, 3) as in ``FaceMesh``, blendshapes (n, 52), and the pose
    (n, 3): yaw, pitch, roll."""

    keys: NDArray[np.str_]
    labels: NDArray[np.str_]
    points: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    poses: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)

    def shapes(self) -> list[FaceShape]:
        """What the action units of each face are computed from."""
        return [
            FaceShape(fit(points.astype(np.float64)).frontal(points.astype(np.float64)), values)
            for points, values in zip(self.points, self.blendshapes, strict=True)
        ]


class Finder:
    """Finds the largest face of a picture and its mesh, as the service does."""

    def __init__(self) -> None:
        self._detector = make_detector(MODELS, 0.5)
        self.networks: MeshNetworks = MeshLoader(MODELS).get()

    def face(self, picture: Picture) -> Face | None:
        found = find(self._detector, picture, thorough=False)
        return found[0] if found else None

    def mesh(self, picture: Picture) -> FaceMesh | None:
        face = self.face(picture)
        return None if face is None else self.networks.run(picture, face, blendshapes=True)


def photos(data: Path, name: str) -> Iterator[Labelled]:
    """The photos of ``wild-train`` or ``wild-dev`` with a label of :data:`LABELS`."""
    with zipfile.ZipFile(data / f"{name}.zip") as archive, (data / f"{name}.csv").open() as table:
        for row in csv.DictReader(table):
            if row["label"] not in LABELS:
                continue
            try:
                yield Labelled(row["file"], row["label"], decode(archive.read(row["file"]), LIMITS))
            except VisageError:
                continue


def fer(data: Path, split: str) -> Iterator[Labelled]:
    """FER-2013 pictures whose FER+ votes have a majority, enlarged."""
    with np.load(data / "ferplus.npz") as arrays:
        pictures, votes = arrays[f"{split}_x"], arrays[f"{split}_votes"].astype(int)
    for number in np.random.default_rng(0).permutation(len(pictures)):
        counted = votes[number, :8] * (votes[number, :8] > 1)
        if 2 * counted.max() <= votes[number].sum() or not counted.any():
            continue
        side = (_FER_SIDE, _FER_SIDE)
        large = cv2.resize(pictures[number], side, interpolation=cv2.INTER_CUBIC)
        framed = cv2.copyMakeBorder(large, *[_FER_BORDER] * 4, cv2.BORDER_REFLECT_101)
        pixels = np.asarray(cv2.cvtColor(framed, cv2.COLOR_GRAY2RGB), np.uint8)
        yield Labelled(str(number), LABELS[counted.argmax()], Picture(pixels, pixels.shape[1], pixels.shape[0], "png"))


def some(pictures: Iterator[Labelled], most: Mapping[str, int]) -> Iterator[Labelled]:
    """At most so many pictures of each label."""
    seen: Counter[str] = Counter()
    for each in pictures:
        seen[each.label] += 1
        if seen[each.label] <= most.get(each.label, 0):
            yield each


def faces_of(name: str, pictures: Callable[[], Iterator[Labelled]], finder: Finder) -> Faces:
    """The faces of a set of pictures, from the cache where they are there."""
    path = CACHE / f"{name}.npz"
    if not path.exists():
        # Without the pictures, which would not all fit into memory.
        found = ((each.key, each.label, finder.mesh(each.picture)) for each in pictures())
        rows = [(key, label, mesh) for key, label, mesh in found if mesh is not None]
        poses = [fit(mesh.points).pose for *_, mesh in rows]
        arrays: dict[str, Any] = {
            "keys": [key for key, *_ in rows],
            "labels": [label for _, label, _ in rows],
            "points": np.array([mesh.points for *_, mesh in rows], np.float32),
            "blendshapes": np.array([mesh.blendshapes for *_, mesh in rows], np.float32),
            "poses": [(pose.yaw, pose.pitch, pose.roll) for pose in poses],
        }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        CACHE.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
    with np.load(path) as stored:
        return Faces(*(stored[name] for name in ("keys", "labels", "points", "blendshapes", "poses")))
