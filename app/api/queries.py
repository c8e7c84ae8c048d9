"""What a request chooses in its query: one type for each kind of route, checked before a body is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from app.api.results import ExplainMode
from app.errors import InvalidRequest
from app.inference.classifier import Classifier
from app.inference.registry import Registry
from app.pipeline import ClassifyOptions, DetectOptions, FacesMode, NoFaceMode
from app.service import Service

ModelName = Annotated[
    str | SkipJsonSchema[None],
    Field(max_length=64, description="Name of a model of `GET /models`; the default model if none is named."),
]
OnNoFace = Annotated[
    NoFaceMode,
    Field(description="`error` answers `no_face_detected`; `center` reads the central region and warns of it."),
]
OneFace = Annotated[
    Literal["one", "largest"],
    Field(description="`one` refuses a picture with several faces, `largest` reads the largest."),
]


class PredictionQuery(BaseModel):
    """The query of ``/predict`` and ``/predict/batch``."""

    model: ModelName = None
    faces: FacesMode | SkipJsonSchema[None] = Field(
        None,
        description="`one` refuses a picture with several faces, `largest` reads the largest, `all` reads all. "
        "The default is `one`, or `all` where `ENABLE_MULTIPLE_FACES` is set.",
    )
    on_no_face: OnNoFace = "error"
    explain: ExplainMode = Field(
        "false", description="`true` adds a heatmap over each face's crop as a PNG, `grid` adds it as numbers."
    )
    explain_label: str | SkipJsonSchema[None] = Field(
        None, max_length=64, description="Label to explain instead of the likeliest one."
    )


class AnalysisQuery(BaseModel):
    """The query of ``/analyze/facial``."""

    model: ModelName = None
    faces: OneFace = "one"
    on_no_face: OnNoFace = "error"


class ComparisonQuery(BaseModel):
    """The query of ``/predict/compare``."""

    models: str | SkipJsonSchema[None] = Field(
        None, max_length=1000, description="Names of models, separated by commas; all models if none is named."
    )
    faces: OneFace = "one"
    on_no_face: OnNoFace = "error"


Predicting = Annotated[PredictionQuery, Query()]
Analyzing = Annotated[AnalysisQuery, Query()]
Comparing = Annotated[ComparisonQuery, Query()]


@dataclass(frozen=True, slots=True)
class Choices:
    """What a request for predictions chose, in the words of the road."""

    model: Classifier
    look: DetectOptions
    read: ClassifyOptions
    explain: ExplainMode


def choices(service: Service, query: PredictionQuery) -> Choices:
    model = service.registry.get(query.model)
    labels = model.manifest.labels
    if query.explain_label is not None and query.explain_label not in labels:
        raise InvalidRequest(f"explain_label: this model's labels are {', '.join(labels)}.")
    faces = query.faces or ("all" if service.settings.enable_multiple_faces else "one")
    return Choices(
        model,
        DetectOptions(faces, query.on_no_face),
        ClassifyOptions(query.explain != "false", query.explain_label),
        query.explain,
    )


def compared(registry: Registry, query: ComparisonQuery) -> list[Classifier]:
    """The models that were named, each once, in the order in which they were named."""
    names = registry.names
    if query.models is not None:
        names = tuple(dict.fromkeys(name.strip() for name in query.models.split(",") if name.strip()))
    if not names:
        raise InvalidRequest("models: name at least one model.")
    return [registry.get(name) for name in names]
