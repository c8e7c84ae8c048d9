"""``GET /models`` lists the models; ``POST /models/reload`` loads them again from disk."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Annotated, Final, Literal, NotRequired

from fastapi import APIRouter, Response
from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from app.api.dependencies import AdminOnly, NoParameters, TheService
from app.api.openapi import ADMISSION, documented
from app.api.results import json_response
from app.errors import Forbidden, InvalidRequest, ModelRejected, NotFound, Overloaded
from app.inference.classifier import Classifier
from app.inference.explain import Method, methods_of
from app.inference.manifest import BadModel, FurtherOutput, RegressionSpec, read_within
from app.inference.registry import Registry

router = APIRouter(tags=["Models"])
logger = logging.getLogger("visage.models")

_CARD = "CARD.md"
_LONGEST_CARD = 200_000

Failures = Annotated[
    dict[str, str], Field(description="What is wrong with each model that is not served, in one sentence.")
]


class ModelInput(TypedDict):
    """The crop that a model takes."""

    width: int
    height: int
    channels: Literal["gray", "rgb", "bgr"]


class FurtherOutputInfo(TypedDict):
    """What a model gives beside its labels."""

    kind: Literal["regression", "multilabel"]
    names: list[str]
    range: NotRequired[Annotated[list[float], Field(description="Least and greatest value of a regression.")]]
    thresholds: NotRequired[
        Annotated[list[float], Field(description="The probability from which each name of a multilabel is active.")]
    ]


class ModelInfo(TypedDict):
    """What the manifest of a model says, and how the model runs here."""

    name: str
    version: str
    default: Annotated[bool, Field(description="Whether requests that name no model get this one.")]
    loaded: Annotated[bool, Field(description="Whether it is in memory: true for every model that is served.")]
    architecture: str
    trained_on: str
    license: str
    labels: list[str]
    outputs: Annotated[list[FurtherOutputInfo], Field(description="Beside the labels; most models have none.")]
    metrics: dict[str, JsonValue]
    sha256: str
    input: ModelInput
    providers: Annotated[list[str], Field(description="Execution providers in use.")]
    explains_by: Annotated[Method, Field(description="The method of its explanations where none is asked for.")]
    explain_methods: Annotated[list[Method], Field(description="Every method that `explain_method` can name.")]


class ModelWithCard(ModelInfo):
    """A model with its card."""

    card: Annotated[str | None, Field(description="The model card, in Markdown.")]


class Models(TypedDict):
    """The models of the service."""

    success: Literal[True]
    default: str
    models: Annotated[list[ModelWithCard], Field(description="The default first, then the others by name.")]
    failures: Failures


class ReloadedModels(TypedDict):
    """The models after a reload."""

    success: Literal[True]
    models: list[str]
    failures: Failures


MODEL_EXAMPLE: Final[ModelInfo] = {
    "name": "default",
    "version": "0.6.0",
    "default": True,
    "loaded": True,
    "architecture": "facenet, widths 32-64-128-256, blocks 0-2-2-2, 2.8 M parameters",
    "trained_on": "FER-2013 with the votes of FER+, and labelled photos (muxspace/facial_expressions)",
    "license": "MIT",
    "labels": ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"],
    "outputs": [],
    "metrics": {"split": "test", "ferplus7_plurality_accuracy": 0.8454},
    "sha256": "e2cb17624e72779d94911bf6d6a7a06d08b4c06a497e1a871c54b38403aee244",
    "input": {"width": 48, "height": 48, "channels": "gray"},
    "providers": ["cpu"],
    "explains_by": "contrast",
    "explain_methods": ["contrast", "cam", "occlusion"],
}
_CARD_EXAMPLE: Final = "# default\n\nWhat it is, what data it learned from, and where it fails."
_EXAMPLE: Final[Models] = {
    "success": True,
    "default": "default",
    "models": [{**MODEL_EXAMPLE, "card": _CARD_EXAMPLE}],
    "failures": {},
}
_RELOADED_EXAMPLE: Final[ReloadedModels] = {"success": True, "models": ["default"], "failures": {}}


@router.get(
    "/models",
    operation_id="models",
    summary="The models, with their cards and figures",
    response_model=Models,
    responses=documented(_EXAMPLE, InvalidRequest, *ADMISSION),
    dependencies=[NoParameters],
)
async def models(service: TheService) -> Response:
    """Returns every model that `model=` can name: what it is, what data it learned from, its figures, the hash of its
    file and its card.
    """
    registry = service.registry
    cards = await asyncio.to_thread(_cards, service.settings.models_dir, registry.names)
    result: Models = {
        "success": True,
        "default": registry.default_name,
        "models": [{**model, "card": cards.get(model["name"])} for model in model_infos(registry)],
        "failures": registry.failures,
    }
    return json_response(result)


@router.post(
    "/models/reload",
    operation_id="reload_models",
    summary="Load the models again from disk",
    response_model=ReloadedModels,
    responses=documented(_RELOADED_EXAMPLE, InvalidRequest, Forbidden, NotFound, ModelRejected, Overloaded, *ADMISSION),
    dependencies=[AdminOnly, NoParameters],
)
async def reload_models(service: TheService) -> Response:
    """Checks and loads every model again and swaps them all at once. Requests that have begun keep their model. If the
    default model cannot be served, nothing changes.

    The route exists only where `API_KEYS` are set, and needs a key that is marked `:admin` there. One reload runs at a
    time; another gets `overloaded`.
    """
    registry = service.registry
    try:
        await asyncio.to_thread(registry.reload)
    except BadModel as error:
        raise ModelRejected(f"Nothing was changed. {error}") from None
    logger.info("The models were loaded again: %s.", ", ".join(registry.names))
    result: ReloadedModels = {"success": True, "models": [*registry.names], "failures": registry.failures}
    return json_response(result)


def model_infos(registry: Registry) -> list[ModelInfo]:
    """Every model, in the registry's order."""
    return [_model_info(model, model.manifest.name == registry.default_name) for model in registry.classifiers]


def _model_info(model: Classifier, default: bool) -> ModelInfo:
    manifest = model.manifest
    spec = manifest.input
    return {
        "name": manifest.name,
        "version": manifest.version,
        "default": default,
        "loaded": True,
        "architecture": manifest.architecture,
        "trained_on": manifest.trained_on,
        "license": manifest.license,
        "labels": [*manifest.labels],
        "outputs": [_further(output) for output in manifest.outputs],
        "metrics": manifest.metrics,
        "sha256": manifest.sha256,
        "input": {"width": spec.width, "height": spec.height, "channels": spec.channels},
        "providers": [*model.providers],
        "explains_by": methods_of(manifest)[0],
        "explain_methods": [*methods_of(manifest)],
    }


def _further(output: FurtherOutput) -> FurtherOutputInfo:
    if isinstance(output, RegressionSpec):
        return {"kind": output.kind, "names": [*output.names], "range": [*output.range]}
    return {"kind": output.kind, "names": [*output.names], "thresholds": [*output.thresholds]}


def _cards(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    cards = {}
    for name in names:
        try:
            cards[name] = read_within(folder / name, _CARD, at_most=_LONGEST_CARD).decode("utf-8", "replace")
        except (FileNotFoundError, BadModel):
            continue
    return cards
