"""Action units of the samples, and of faces that are mirrored or moved."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from app.expression.action_units import ActionUnit, action_units, methods
from app.expression.description import FITTING_UNITS
from app.expression.emotion_vector import emotion_vector
from app.expression.face_shape import ORIGINS, logits, sides
from app.expression.head_pose import fit
from app.vision.mesh import BLENDSHAPES, FaceMesh, MeshLoader
from tests.unit.vision.test_mesh import MODELS, sample

UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 27, 28, 43)


@functools.cache
def mesh_of(name: str) -> FaceMesh:
    mesh = MeshLoader(MODELS).get().run(*sample(f"{name}_sample.jpg"), blendshapes=True)
    assert mesh is not None
    return mesh


def units_of(name: str) -> dict[str, ActionUnit]:
    mesh = mesh_of(name)
    assert mesh.blendshapes is not None
    return action_units(mesh.points, mesh.blendshapes)


def test_all_units_are_there_in_order() -> None:
    assert [*units_of("happy")] == [f"AU{number}" for number in UNITS]


def test_a_smile_raises_the_lip_corners_and_the_cheeks() -> None:
    happy, neutral = units_of("happy"), units_of("neutral")
    assert {code for code, unit in happy.items() if unit.active} >= {"AU6", "AU12"}
    assert not neutral["AU12"].active
    assert happy["AU12"].intensity > 0.7 > 0.3 > neutral["AU12"].intensity  # noqa: PLR0133


def test_intensities_lie_between_0_and_1_and_activity_follows_the_threshold() -> None:
    for name in ("happy", "neutral"):
        for code, unit in units_of(name).items():
            assert 0 <= unit.intensity <= 1
            assert unit.active == (unit.intensity > methods()[code].threshold)
            if unit.left is not None and unit.right is not None:
                assert unit.intensity == pytest.approx((unit.left + unit.right) / 2)


def test_a_mirrored_face_has_its_sides_exchanged() -> None:
    mesh = mesh_of("happy")
    assert mesh.blendshapes is not None
    mirrored, exchanged = _mirrored(mesh.points), _exchanged(mesh.blendshapes)
    for before, after in zip(units_of("happy").values(), action_units(mirrored, exchanged).values(), strict=True):
        if before.left is not None:
            assert after.left == pytest.approx(before.right, abs=0.02)
            assert after.right == pytest.approx(before.left, abs=0.02)


def test_a_unit_is_the_mean_of_the_weighted_sums_of_its_sides() -> None:
    mesh = mesh_of("happy")
    assert mesh.blendshapes is not None
    frontal, in_logits = fit(mesh.points).frontal(mesh.points), logits(mesh.blendshapes)
    for code, unit in units_of("happy").items():
        method = methods()[code]
        origin = frontal[list(ORIGINS[method.origin])].mean(axis=0)
        shown = []
        for side, points, mirror in ((0, method.left, (1, 1, 1)), (1, method.right, (-1, 1, 1))):
            moved = method.bias + float(np.sum(method.points * mirror * (frontal[points] - origin)))
            moved += sum(weight * in_logits[sides(name)[side]] for name, weight in method.logits.items())
            moved += sum(weight * mesh.blendshapes[sides(name)[side]] for name, weight in method.values.items())
            shown.append(min(max(moved, 0.0), 1.0))
        assert unit.intensity == pytest.approx(sum(shown) / 2)
        if method.sided:
            assert (unit.left, unit.right) == pytest.approx(shown)


def test_size_and_place_do_not_matter() -> None:
    mesh = mesh_of("happy")
    assert mesh.blendshapes is not None
    moved = action_units(3 * mesh.points + (5, -2, 1), mesh.blendshapes)
    for before, after in zip(units_of("happy").values(), moved.values(), strict=True):
        assert after.intensity == pytest.approx(before.intensity, abs=1e-9)


def test_the_units_of_an_expression_exist() -> None:
    assert {code for codes in FITTING_UNITS.values() for code in codes} <= methods().keys()


def test_the_vector_takes_what_the_model_says() -> None:
    shares = {"angry": 0.11111, "happy": 0.6, "neutral": 0.2}
    assert emotion_vector(shares) == {
        "happiness": 0.6,
        "sadness": None,
        "anger": 0.1111,
        "fear": None,
        "surprise": None,
        "disgust": None,
    }
    assert emotion_vector({"Happiness": 0.5, "fearful": 0.5})["fear"] == 0.5


def _pairs() -> dict[int, int]:
    return {left: right for method in methods().values() for left, right in zip(method.left, method.right, strict=True)}


def _mirrored(mesh: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mesh of the mirrored face: the points of the right side take the places of the left one's mirror images."""
    from app.expression.head_pose import _POINTS

    pairs = _pairs() | {263: 33, 362: 133, 98: 327, 2: 2}
    pairs |= {right: left for left, right in pairs.items()}
    result = mesh * (-1, 1, 1)
    known = {*_POINTS.tolist(), *(point for points in ORIGINS.values() for point in points)}
    for point in {*pairs} | (known & {*pairs}):
        result[point] = mesh[pairs[point]] * (-1, 1, 1)
    for right, left in _fit_pairs(mesh).items():
        result[right] = mesh[left] * (-1, 1, 1)
    return result


def _fit_pairs(mesh: NDArray[np.float64]) -> dict[int, int]:
    """The points of the fixed face, each with its mirror image there."""
    from app.expression.head_pose import _AT, _POINTS

    return {
        int(_POINTS[row]): int(_POINTS[np.abs(_AT - at * (-1, 1, 1)).sum(axis=1).argmin()])
        for row, at in enumerate(_AT)
    }


def _exchanged(blendshapes: NDArray[np.float32]) -> NDArray[np.float32]:
    other = {"Left": "Right", "Right": "Left"}
    names = [
        next((name.removesuffix(end) + other[end] for end in other if name.endswith(end)), name) for name in BLENDSHAPES
    ]
    return blendshapes[[BLENDSHAPES.index(name) for name in names]]
