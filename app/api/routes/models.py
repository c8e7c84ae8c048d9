"""``GET /models`` and ``POST /models/reload``: which models there are, and taking up what has changed on disk."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from app.api.dependencies import TheService
from app.api.model_info import MODEL_EXAMPLE, ModelFacts, facts_of
from app.api.openapi import ADMISSION, errors
from app.api.responses import json_response
from app.api.schemas import Answer
from app.errors import ModelRejected, NotFound
from app.inference.errors import BadModel
from app.inference.manifest import file_within

router = APIRouter(tags=["Models"])
logger = logging.getLogger("visage.models")

_CARD = "CARD.md"
_LONGEST_CARD = 200_000


_WITH_CARD = {**MODEL_EXAMPLE, "card": "# default\n\nWhat it is, what it learned from, and where it fails."}


class ModelWithCard(ModelFacts):
    """What a model says of itself, with its card."""

    model_config = ConfigDict(json_schema_extra={"example": _WITH_CARD})

    card: str | None = Field(description="The model card, in Markdown.")


class Models(Answer):
    """The models of the service."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                "default": "default",
                "models": [_WITH_CARD],
                "failures": {},
            }
        }
    )

    success: bool
    default: str
    models: list[ModelWithCard] = Field(description="The default first, then the others by name.")
    failures: dict[str, str] = Field(description="What is wrong with each model that is not served, in one sentence.")


class Reloaded(Answer):
    """The models after a reload."""

    model_config = ConfigDict(json_schema_extra={"example": {"success": True, "models": ["default"], "failures": {}}})

    success: bool
    models: list[str]
    failures: dict[str, str]


@router.get(
    "/models",
    operation_id="models",
    summary="The models, with their cards and figures",
    response_model=Models,
    responses=errors(*ADMISSION),
)
async def models(service: TheService) -> Response:
    """Every model that can be asked for with `model=`: what it is, what it learned from, how well it does, the hash of
    its file and its card.
    """
    registry = service.registry
    cards = await asyncio.to_thread(_cards, service.settings.models_dir, registry.names)
    return json_response(
        {
            "success": True,
            "default": registry.default_name,
            "models": [{**facts, "card": cards.get(facts["name"])} for facts in facts_of(registry)],
            "failures": registry.failures,
        }
    )


@router.post(
    "/models/reload",
    operation_id="reload_models",
    summary="Take up the models on disk",
    response_model=Reloaded,
    responses=errors(NotFound, ModelRejected, *ADMISSION),
)
async def reload_models(service: TheService) -> Response:
    """Checks and loads every model again and swaps them all at once. Requests that are being answered keep the model
    that they began with. If the default model is not fit to serve, nothing changes.

    The route exists only where `API_KEYS` are set.
    """
    if not service.settings.api_keys:
        raise NotFound
    registry = service.registry
    try:
        await asyncio.to_thread(registry.reload)
    except BadModel as error:
        raise ModelRejected(f"Nothing was changed. {error}") from None
    logger.info("The models were loaded again: %s.", ", ".join(registry.names))
    return json_response({"success": True, "models": registry.names, "failures": registry.failures})


def _cards(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    cards = {}
    for name in names:
        try:
            cards[name] = file_within(folder / name, _CARD, at_most=_LONGEST_CARD).decode("utf-8", "replace")
        except (FileNotFoundError, BadModel):
            continue
    return cards
