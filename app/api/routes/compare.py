"""``POST /predict/compare``: one picture, several models, one detection."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic.json_schema import SkipJsonSchema

from app.api import reading
from app.api.context import TheService, TheTicket
from app.api.dependencies import OnNoFace
from app.api.openapi import PICTURE, READING, errors, file_form
from app.api.responses import json_response
from app.api.schemas import Comparison
from app.api.uploads import one_file
from app.errors import InvalidRequest, MultipleFaces
from app.inference.classifier import Classifier
from app.inference.registry import Registry
from app.observe.record import record_of
from app.pipeline import LookOptions

router = APIRouter(tags=["Predictions"])


@router.post(
    "/predict/compare",
    operation_id="compare",
    summary="Read a picture with several models",
    response_model=Comparison,
    responses=errors(*READING, *PICTURE, MultipleFaces),
    openapi_extra=file_form("file"),
)
async def compare(
    *,
    request: Request,
    service: TheService,
    ticket: TheTicket,
    models: Annotated[
        str | SkipJsonSchema[None],
        Query(max_length=1000, description="Names of models, separated by commas; all that are loaded if none."),
    ] = None,
    faces: Annotated[
        Literal["one", "largest"],
        Query(description="`one` refuses a picture with several faces, `largest` reads the largest."),
    ] = "one",
    on_no_face: OnNoFace = "error",
) -> Response:
    """Looks for the face once, reads it with each model, and says what each makes of it, how long it took, and where
    they disagree.

    ```sh
    curl -F file=@sample_images/happy_sample.jpg http://localhost:8000/predict/compare
    ```
    """
    chosen = _chosen(service.registry, models)
    record = record_of(request.scope)
    data = await one_file(request, "file", max_bytes=service.settings.max_file_bytes)
    record.size = len(data)
    read = await reading.compare(service, ticket, lambda: data, chosen, LookOptions(faces, on_no_face))
    reading.account(service, read)
    reading.describe(record, read)
    return json_response({**read.answer.fields, "request_id": record.request_id})


def _chosen(registry: Registry, models: str | None) -> list[Classifier]:
    """The models that were named, each once, in the order in which they were named."""
    names = registry.names
    if models is not None:
        names = tuple(dict.fromkeys(name.strip() for name in models.split(",") if name.strip()))
    if not names:
        raise InvalidRequest("models: name at least one model.")
    return [registry.get(name) for name in names]
