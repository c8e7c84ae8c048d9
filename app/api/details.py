"""The details of a face that a request may ask for: how they are asked for, and their form in results."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, NotRequired

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from starlette.types import Scope
from typing_extensions import TypedDict

from app.api.parameters import unknown
from app.errors import InvalidRequest
from app.expression.action_units import ActionUnit
from app.expression.blinks import BLINK, Blinks
from app.expression.description import Language, Shown, describe, preferred_language
from app.expression.details import DETAILS, NO_DETAILS, Detail, needs_mesh
from app.expression.emotion_vector import EmotionVector, emotion_vector
from app.pipeline import FacePrediction, MeshedFace, PicturePrediction
from app.vision.mesh import BLENDSHAPES, MeshLoader

DetailNames = Annotated[
    str | SkipJsonSchema[None],
    Field(
        max_length=200,
        description="What else to return of each face, separated by commas: "
        f"{', '.join(f'`{name}`' for name in DETAILS)}.",
    ),
]

_BYTES: Final[Mapping[Detail, int]] = {
    "action_units": 12_000,
    "blendshapes": 10_000,
    "head_pose": 500,
    "mesh": 100_000,
    "emotion_vector": 1_000,
    "description": 2_000,
}
"""What each detail of a face takes until it is sent, as Python's objects and as JSON."""


class ActionUnitEntry(TypedDict):
    """One action unit of the Facial Action Coding System."""

    name: Annotated[str, Field(description="Its usual name.")]
    intensity: Annotated[float, Field(description="From 0 to 1: how far the movement goes.")]
    active: Annotated[bool, Field(description="Whether it goes further than on 95 % of neutral faces.")]
    left: NotRequired[Annotated[float, Field(description="On the person's left side, where the unit has sides.")]]
    right: NotRequired[float]


class HeadPoseEntry(TypedDict):
    """The turn of the head in degrees."""

    yaw: Annotated[float, Field(description="Positive: the person looks to their own left.")]
    pitch: Annotated[float, Field(description="Positive: up.")]
    roll: Annotated[float, Field(description="Positive: the head is tilted to the person's own right shoulder.")]


class MeasuredDetails(TypedDict, total=False):
    """What the mesh of a face gives, each only if `details` names it; null where no mesh can be seen."""

    action_units: Annotated[
        dict[str, ActionUnitEntry] | None, Field(description="Action units by number; only with `details`.")
    ]
    blendshapes: Annotated[dict[str, float] | None, Field(description="52 blendshapes, 0 to 1; only with `details`.")]
    head_pose: Annotated[HeadPoseEntry | None, Field(description="Only with `details`.")]
    mesh: Annotated[
        list[list[float]] | None,
        Field(description="478 points as [x, y, z] in pixels of the picture; only with `details`."),
    ]


class SpokenDetails(TypedDict, total=False):
    """What follows from a prediction, each only if `details` names it."""

    emotion_vector: Annotated[
        EmotionVector, Field(description="Six of the model's probabilities, not renormalised; only with `details`.")
    ]
    description: Annotated[
        str, Field(description="The apparent expression in words, never a feeling; only with `details`.")
    ]


class FaceDetails(MeasuredDetails, SpokenDetails, total=False):
    """All details of a face."""


@dataclass(frozen=True, slots=True)
class DetailsRequest:
    """Which details are asked for, and the language of the description."""

    names: frozenset[Detail] = NO_DETAILS
    language: Language = "en"


NOTHING_ASKED: Final = DetailsRequest()


async def details_of(scope: Scope, mesh: MeshLoader, names: str | None) -> DetailsRequest:
    """What a query asks for. Loads the mesh where it needs one, or raises the error that says why it cannot be had."""
    if names is None:
        return NOTHING_ASKED
    asked = frozenset(_known(name) for part in names.split(",") if (name := part.strip()))
    if not asked:
        raise InvalidRequest(f"details: name at least one of {', '.join(DETAILS)}.")
    if needs_mesh(asked) and not mesh.loaded:
        await asyncio.to_thread(mesh.get)
    accepted = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
    return DetailsRequest(asked, preferred_language(accepted))


def details_headers(details: DetailsRequest) -> dict[str, str]:
    """The headers of a response whose description depends on the client's language."""
    if "description" not in details.names:
        return {}
    return {"Content-Language": details.language, "Vary": "Accept-Language"}


def result_bytes(details: DetailsRequest) -> int:
    """Bytes that the details of a face take until they are sent."""
    return sum(_BYTES[name] for name in details.names)


def measured_details(face: FacePrediction, details: DetailsRequest) -> MeasuredDetails:
    """The details of a face that need no prediction."""
    names, meshed, result = details.names, face.meshed, MeasuredDetails()
    if "action_units" in names:
        units = None if meshed is None else meshed.units
        result["action_units"] = None if units is None else {code: _entry(unit) for code, unit in units.items()}
    if "blendshapes" in names:
        result["blendshapes"] = None if meshed is None else _blendshapes(meshed)
    if "head_pose" in names:
        result["head_pose"] = None if meshed is None else _pose(meshed)
    if "mesh" in names:
        result["mesh"] = None if meshed is None else meshed.mesh.points.round(1).tolist()
    return result


def spoken_details(
    face: FacePrediction, predicted: PicturePrediction, threshold: float, details: DetailsRequest
) -> SpokenDetails:
    """The details of a face that follow from one model's prediction."""
    result = SpokenDetails()
    if not details.names & {"emotion_vector", "description"}:
        return result
    probabilities = dict(zip(predicted.model.manifest.labels, face.probabilities, strict=True))
    if "emotion_vector" in details.names:
        result["emotion_vector"] = emotion_vector(probabilities)
    if "description" in details.names:
        shown = Shown(
            probabilities=probabilities,
            uncertain=round(max(face.probabilities), 4) < threshold,
            warnings=tuple(warning.code for warning in face.warnings),
            units=None if face.meshed is None else face.meshed.units,
        )
        result["description"] = describe(shown, details.language)
    return result


def face_details(
    face: FacePrediction, predicted: PicturePrediction, threshold: float, details: DetailsRequest
) -> FaceDetails:
    """All details of a face that are asked for."""
    if not details.names:
        return {}
    return {**measured_details(face, details), **spoken_details(face, predicted, threshold, details)}


def add_blink(units: dict[str, ActionUnitEntry], blinks: Blinks, t: float) -> None:
    """Adds the blink that ends with a frame at ``t`` seconds to the units of a face."""
    closed = units["AU43"]
    units[BLINK] = _entry(blinks.add(t, ActionUnit(closed["name"], closed["intensity"], closed["active"])))


def _known(name: str) -> Detail:
    for known in DETAILS:
        if name == known:
            return known
    raise unknown("detail", name, DETAILS)


def _entry(unit: ActionUnit) -> ActionUnitEntry:
    entry: ActionUnitEntry = {"name": unit.name, "intensity": round(unit.intensity, 3), "active": unit.active}
    if unit.left is not None and unit.right is not None:
        entry["left"], entry["right"] = round(unit.left, 3), round(unit.right, 3)
    return entry


def _blendshapes(meshed: MeshedFace) -> dict[str, float]:
    values: Any = meshed.mesh.blendshapes
    return dict(zip(BLENDSHAPES, values.astype(float).round(4).tolist(), strict=True))


def _pose(meshed: MeshedFace) -> HeadPoseEntry:
    pose = meshed.pose
    return {"yaw": round(pose.yaw, 1), "pitch": round(pose.pitch, 1), "roll": round(pose.roll, 1)}
