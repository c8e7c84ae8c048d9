"""What endpoints ask for: the model and the options that a request chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from pydantic.json_schema import SkipJsonSchema

from app.api.answers import ExplainMode
from app.api.context import TheService
from app.errors import InvalidRequest
from app.inference.classifier import Classifier
from app.pipeline import FacesMode, LookOptions, NoFaceMode, ReadOptions

ModelName = Annotated[
    str | SkipJsonSchema[None],
    Query(max_length=64, description="Name of a model of `GET /models`; the default model if none is named."),
]
OnNoFace = Annotated[
    NoFaceMode,
    Query(description="`error` answers `no_face_detected`; `center` reads the central region and warns of it."),
]


async def _model(service: TheService, model: ModelName = None) -> Classifier:
    return service.registry.get(model)


TheModel = Annotated[Classifier, Depends(_model)]


@dataclass(frozen=True, slots=True)
class Choices:
    """What a request for predictions chose, checked before its body is read."""

    model: Classifier
    look: LookOptions
    read: ReadOptions
    explain: ExplainMode


async def _choices(
    *,
    service: TheService,
    model: TheModel,
    faces: Annotated[
        FacesMode | SkipJsonSchema[None],
        Query(
            description="`one` refuses a picture with several faces, `largest` reads the largest, `all` reads all. "
            "The default is `one`, or `all` where `ENABLE_MULTIPLE_FACES` is set."
        ),
    ] = None,
    on_no_face: OnNoFace = "error",
    explain: Annotated[
        ExplainMode,
        Query(description="`true` adds a heatmap over each face's crop as a PNG, `grid` adds it as numbers."),
    ] = "false",
    explain_label: Annotated[
        str | SkipJsonSchema[None], Query(max_length=64, description="Label to explain instead of the likeliest one.")
    ] = None,
) -> Choices:
    labels = model.manifest.labels
    if explain_label is not None and explain_label not in labels:
        raise InvalidRequest(f"explain_label: this model's labels are {', '.join(labels)}.")
    wanted = faces or ("all" if service.settings.enable_multiple_faces else "one")
    return Choices(model, LookOptions(wanted, on_no_face), ReadOptions(explain != "false", explain_label), explain)


TheChoices = Annotated[Choices, Depends(_choices)]
