"""``POST /predict``: one picture, one model."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.api import jobs
from app.api.dependencies import TheService, TheTicket
from app.api.direct import direct
from app.api.openapi import PICTURE, READING, errors, file_form
from app.api.queries import Predicting, PredictionQuery, choices
from app.api.responses import json_response
from app.api.schemas import Prediction
from app.api.uploads import one_file
from app.errors import MultipleFaces
from app.telemetry.records import request_record

router = APIRouter(tags=["Predictions"], route_class=direct(PredictionQuery))


@router.post(
    "/predict",
    operation_id="predict",
    summary="Read a picture",
    response_model=Prediction,
    responses=errors(*READING, *PICTURE, MultipleFaces),
    openapi_extra=file_form("file"),
)
async def predict(request: Request, service: TheService, ticket: TheTicket, query: Predicting) -> Response:
    """Finds the face in a picture and answers with its apparent expression: what a face shows, which need not be what
    somebody feels.

    ```sh
    curl -F file=@sample_images/happy_sample.jpg http://localhost:8000/predict
    ```

    The picture is read in memory and forgotten with the answer.
    """
    chosen = choices(service, query)
    record = request_record(request.scope)
    record.model = chosen.model.manifest.name
    data = await one_file(request, "file", max_bytes=service.settings.max_file_bytes)
    record.size = len(data)
    read = await jobs.predict(service, ticket, lambda: data, chosen)
    jobs.account(service, read.answer)
    jobs.describe(record, read)
    fields = {**read.answer.fields, "request_id": record.request_id}
    return json_response(fields, jobs.shadow_of(service, read))
