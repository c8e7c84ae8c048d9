"""The names of the details that a request may ask for."""

from __future__ import annotations

from typing import Final, Literal, get_args

from typing_extensions import TypeAliasType

Detail = TypeAliasType(
    "Detail", Literal["action_units", "blendshapes", "head_pose", "mesh", "emotion_vector", "description"]
)

DETAILS: Final[tuple[Detail, ...]] = get_args(Detail.__value__)

NO_DETAILS: Final[frozenset[Detail]] = frozenset()

_WITHOUT_MESH: Final[frozenset[Detail]] = frozenset({"emotion_vector"})
_WITH_BLENDSHAPES: Final[frozenset[Detail]] = frozenset({"action_units", "blendshapes", "description"})


def needs_mesh(details: frozenset[Detail]) -> bool:
    """Whether these details need the mesh of the face."""
    return bool(details - _WITHOUT_MESH)


def needs_blendshapes(details: frozenset[Detail]) -> bool:
    """Whether these details need the blendshapes too."""
    return bool(details & _WITH_BLENDSHAPES)
