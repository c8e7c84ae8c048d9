"""The mesh, the blendshapes and the head pose against MediaPipe's own FaceLandmarker."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.expression.head_pose import fit
from app.vision.decode import Picture
from app.vision.geometry import Face
from app.vision.mesh import FaceMesh
from benchmarks.details.faces import MODELS, Finder, Labelled

_EYES: Final = ((33, 133), (362, 263))


def parity(pictures: Iterable[Labelled], finder: Finder) -> dict[str, Any]:
    """The differences, of the same face in both."""
    landmarker = _landmarker()
    rows = []
    for each in pictures:
        theirs, face = _theirs(landmarker, each.picture), finder.face(each.picture)
        mesh = face and finder.networks.run(each.picture, face, blendshapes=True)
        if theirs and mesh and _same_face(face, theirs[0]):
            rows.append(_differences(mesh, *theirs))
    return _summary(rows)


def _landmarker() -> Any:
    sys.modules.setdefault("sounddevice", None)  # type: ignore[arg-type]
    from mediapipe.tasks.python import BaseOptions, vision  # noqa: PLC0415

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(MODELS / "face_mesh" / "face_landmarker.task")),
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    return vision.FaceLandmarker.create_from_options(options)


def _theirs(landmarker: Any, picture: Picture) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """MediaPipe's points in pixels, its blendshapes, and its angles as ours are."""
    from mediapipe import Image, ImageFormat  # noqa: PLC0415

    found = landmarker.detect(Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(picture.pixels)))
    if not found.face_landmarks:
        return None
    points = np.array([(point.x * picture.width, point.y * picture.height) for point in found.face_landmarks[0]])
    shapes = np.array([shape.score for shape in found.face_blendshapes[0]])
    turn = np.array(found.facial_transformation_matrixes[0])[:3, :3]
    turn = turn / np.cbrt(np.linalg.det(turn))
    angles = (math.atan2(turn[0, 2], turn[2, 2]), math.asin(turn[1, 2]), math.atan2(turn[1, 0], turn[1, 1]))
    return points, shapes, np.degrees(angles)


def _same_face(face: Face | None, points: NDArray[Any]) -> bool:
    if face is None:
        return False
    (x, y), (left, top) = face.box.center, points.mean(axis=0)
    return math.hypot(x - left, y - top) < 0.3 * face.box.width


def _differences(mesh: FaceMesh, points: NDArray[Any], shapes: NDArray[Any], angles: NDArray[Any]) -> tuple[Any, ...]:
    right, left = (points[list(eye)].mean(axis=0) for eye in _EYES)
    distances = np.linalg.norm(mesh.points[:, :2] - points, axis=1) / np.linalg.norm(right - left)
    pose = fit(mesh.points).pose
    assert mesh.blendshapes is not None
    return (
        distances,
        np.abs(mesh.blendshapes - shapes).mean(),
        np.abs(np.subtract((pose.yaw, pose.pitch, pose.roll), angles)),
    )


def _summary(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    distances, shapes, angles = (np.array(values) for values in zip(*rows, strict=True))
    yaw, pitch, roll = np.median(angles, axis=0)
    return {
        "faces": len(rows),
        "points_median": round(float(np.median(distances)), 4),
        "points_p99": round(float(np.quantile(distances, 0.99)), 4),
        "blendshapes_mean": round(float(shapes.mean()), 4),
        **{name: round(float(value), 2) for name, value in (("yaw", yaw), ("pitch", pitch), ("roll", roll))},
    }
