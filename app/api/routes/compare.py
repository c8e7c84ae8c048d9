"""``POST /predict/compare``: one picture, several models, one detection."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.api import jobs
from app.api.dependencies import TheService, TheTicket
from app.api.openapi import PICTURE, READING, errors, file_form
from app.api.queries import Comparing, compared
from app.api.responses import json_response
from app.api.schemas import Comparison
from app.api.uploads import one_file
from app.errors import MultipleFaces
from app.pipeline import DetectOptions
from app.telemetry.records import request_record

router = APIRouter(tags=["Predictions"])


@router.post(
    "/predict/compare",
    operation_id="compare",
    summary="Read a picture with several models",
    response_model=Comparison,
    responses=errors(*READING, *PICTURE, MultipleFaces),
    openapi_extra=file_form("file"),
)
async def compare(request: Request, service: TheService, ticket: TheTicket, query: Comparing) -> Response:
    """Looks for the face once, reads it with each model, and says what each makes of it, how long it took, and where
    they disagree.

    ```sh
    curl -F file=@sample_images/happy_sample.jpg http://localhost:8000/predict/compare
    ```
    """
    models = compared(service.registry, query)
    record = request_record(request.scope)
    data = await one_file(request, "file", max_bytes=service.settings.max_file_bytes)
    record.size = len(data)
    read = await jobs.compare(service, ticket, lambda: data, models, DetectOptions(query.faces, query.on_no_face))
    jobs.account(service, read.answer)
    jobs.describe(record, read)
    return json_response({**read.answer.fields, "request_id": record.request_id})
