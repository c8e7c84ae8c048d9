"""The mesh of a face: 478 points in three dimensions, and 52 blendshapes computed from them.

The networks are those of MediaPipe's face landmarker, run by ONNX Runtime. All workers share them.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from app.errors import DetailsUnavailable
from app.memory_budget import process_memory
from app.vision.crop import CropRegion, extract_large
from app.vision.decode import Picture
from app.vision.detectors import open_network
from app.vision.geometry import Face

_MESH_SIDE: Final = 256
"""Pixels on a side of the crop that the mesh is computed from."""

MESH_PIXELS: Final = 180
"""Decoded pixels on a side of that crop from which no finer decoding is needed. Here points differ from those of a much
finer one by 0.6 % of the distance of the eyes (median), of which the other box of the face makes up more than half."""

_FOLDER = "face_mesh"
_SHA256 = {
    "face_mesh.onnx": "9af9fddf85b61ebcb36ddd20092de002566131bd58f0939994680ef309dfa983",
    "blendshapes.onnx": "5236294e39a0d1a5bbdf8afc5762075c9f9f33a98307b359faaab1e90221e52d",
}

_CROP_SIDE = 1.5
"""Side of that crop in widths of the face's box, as in MediaPipe."""

_LEAST_LOGIT = 0.0
"""Logit of the presence of a face in the crop from which the mesh is kept: half, as in MediaPipe."""

_SMALLEST_FACE = 32
"""Width of a face's box in pixels of the picture from which a mesh is computed."""

MOST_TURNED: Final = 55.0
"""Degrees of yaw, to either side, up to which a mesh is relied on. Beyond it, half of the face is a guess."""

_LOADED_BYTES, _PASS_BYTES = 9_000_000, 14_000_000
"""Memory that both networks take while they are loaded, and that each thread takes beside it while it runs them."""

BLENDSHAPES: Final = (
    "_neutral",
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight"),
    *("eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight"),
    *("eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight"),
    *("eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight"),
    *("jawForward", "jawLeft", "jawOpen", "jawRight"),
    *("mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel"),
    *("mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker"),
    *("mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"),
)
"""The names of the blendshapes in the network's order; left and right are the person's own."""

MeshState = Literal["off", "not_loaded", "loaded", "unavailable"]

logger = logging.getLogger("visage.mesh")


@dataclass(frozen=True, slots=True)
class FaceMesh:
    """The mesh of one face.

    ``points`` is float64 (478, 3) in full-size pixels of the picture; z grows away from the camera, in the same unit.
    ``blendshapes`` is float32 (52,) in the order of :data:`BLENDSHAPES`, or None when they were not asked for.
    """

    points: NDArray[np.float64]
    blendshapes: NDArray[np.float32] | None


class MeshNetworks:
    """Both networks. Runs on the calling thread; any number of threads may run it at a time."""

    def __init__(self, mesh: bytes, blendshapes: bytes, threads: int) -> None:
        self._mesh, self._blendshapes = (open_network(model, arena=False) for model in (mesh, blendshapes))
        process_memory().shrink(_LOADED_BYTES + threads * _PASS_BYTES, self)

    def run(self, picture: Picture, face: Face, *, blendshapes: bool) -> FaceMesh | None:
        """The mesh of one face, in full-size pixels, or None where none can be seen.

        One face at a time: its tensors stay in the processor's cache. A pass of several saves nothing.
        """
        if face.box.width < _SMALLEST_FACE:
            return None
        region = mesh_region(face)
        small = region.scaled(1 / picture.scale)
        crop = extract_large(picture.pixels, small, _MESH_SIDE)
        points, presence = self._mesh.run(["points", "presence"], {"image": crop[None]})
        if presence[0, 0] < _LEAST_LOGIT:
            return None
        shapes = self._blendshapes.run(["blendshapes"], {"points": points})[0][0] if blendshapes else None
        return FaceMesh(_in_picture(points[0], region), shapes)


class MeshLoader:
    """Loads the networks once for all workers, when they are first asked for."""

    def __init__(self, models_dir: Path, threads: int = 1, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.failure: str | None = None
        """Why the networks cannot be used, in one sentence."""
        self._folder = models_dir / _FOLDER
        self._threads = threads
        self._lock = threading.Lock()
        self._networks: MeshNetworks | None = None

    @property
    def loaded(self) -> bool:
        return self._networks is not None

    @property
    def state(self) -> MeshState:
        """Whether the networks can be used: turned off, in memory, still on disk, or damaged."""
        if not self.enabled:
            return "off"
        if self.failure is not None:
            return "unavailable"
        return "loaded" if self.loaded else "not_loaded"

    def get_ready(self, *, load: bool) -> None:
        """Checks that the files are whole, and loads them with ``load``. Keeps the failure instead of raising it."""
        with contextlib.suppress(DetailsUnavailable):
            if load:
                self.get()
            elif self.enabled:
                self._read()

    def get(self) -> MeshNetworks:
        """The networks. Raises DetailsUnavailable when they are turned off or cannot be used."""
        return self._networks or self._load()

    def close(self) -> None:
        """Frees the networks."""
        with self._lock:
            self._networks = None

    def _load(self) -> MeshNetworks:
        if not self.enabled:
            raise DetailsUnavailable("This service gives no details: its operator has turned them off (DETAILS=off).")
        with self._lock:
            if self._networks is None:
                mesh, blendshapes = self._read()
                try:
                    self._networks = MeshNetworks(mesh, blendshapes, self._threads)
                except Exception as error:
                    raise self._failed(f"cannot be run ({type(error).__name__})") from None
            return self._networks

    def _read(self) -> list[bytes]:
        if self.failure is not None:
            raise DetailsUnavailable
        return [self._bytes(name) for name in _SHA256]

    def _bytes(self, name: str) -> bytes:
        try:
            data = (self._folder / name).read_bytes()
        except OSError:
            raise self._failed(f"cannot be read: {name}") from None
        if hashlib.sha256(data).hexdigest() != _SHA256[name]:
            raise self._failed(f"have the wrong SHA-256: {name}")
        return data

    def _failed(self, reason: str) -> DetailsUnavailable:
        self.failure = f"The networks of the face mesh {reason}."
        logger.error("%s Requests for details get details_unavailable.", self.failure)
        return DetailsUnavailable()


def mesh_region(face: Face) -> CropRegion:
    """The square around a face's box, turned until the eyes are level.

    It is that of the first search of the whole picture, as in MediaPipe: in the close-up that confirms a face, the box
    is another, and points of the mesh move by up to a tenth of the distance of the eyes.
    """
    face = face.first or face
    side = _CROP_SIDE * face.box.width
    roll = 0.0
    if face.landmarks:
        (rx, ry), (lx, ly) = face.landmarks[:2]
        roll = math.atan2(ly - ry, lx - rx)
    (x, y), half = face.box.center, side / 2
    cos, sin = math.cos(roll), math.sin(roll)
    return CropRegion(x - half * (cos - sin), y - half * (sin + cos), side, roll)


def _in_picture(own: NDArray[np.float32], region: CropRegion) -> NDArray[np.float64]:
    """Points in pixels of a crop as pixels of the picture."""
    step = region.side / _MESH_SIDE
    cos, sin = step * math.cos(region.roll), step * math.sin(region.roll)
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, step]])
    return np.asarray(own @ turn + (region.x, region.y, 0.0))
