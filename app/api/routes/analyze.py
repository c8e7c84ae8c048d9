"""``POST /analyze/facial``: one picture inside JSON."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from app.api import jobs
from app.api.base64_image import picture_of
from app.api.dependencies import TheService, TheTicket
from app.api.openapi import PICTURE, READING, errors
from app.api.queries import Analyzing
from app.api.responses import json_response
from app.api.schemas import Analysis
from app.errors import MultipleFaces, UnsupportedMediaType
from app.pipeline import DetectOptions
from app.telemetry.records import request_record

router = APIRouter(tags=["Predictions"])

_EXAMPLE = Path(__file__).with_name("example.jpg")


def _json_body() -> dict[str, Any]:
    picture = b64encode(_EXAMPLE.read_bytes()).decode("ascii")
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["image"],
                        "properties": {
                            "image": {
                                "type": "string",
                                "minLength": 1,
                                "description": "A JPEG, PNG, WebP or BMP picture as base64 or as a data URL.",
                            }
                        },
                    },
                    "example": {"image": f"data:image/jpeg;base64,{picture}"},
                }
            },
        }
    }


@router.post(
    "/analyze/facial",
    operation_id="analyze_facial",
    summary="Read a picture that comes inside JSON",
    response_model=Analysis,
    responses=errors(*READING, *PICTURE, MultipleFaces),
    openapi_extra=_json_body(),
)
async def analyze_facial(request: Request, service: TheService, ticket: TheTicket, query: Analyzing) -> Response:
    """Takes a picture as base64 or as a data URL and answers in the short form that many front ends know.

    White space, the URL-safe alphabet and missing padding are fine. A picture without a face is the error
    `no_face_detected`, as everywhere; with `on_no_face=center` its central region is read and `face_detected` is
    false.

    ```sh
    printf '{"image": "%s"}' "$(base64 < sample_images/happy_sample.jpg)" |
      tr -d '\\n' | curl -H 'Content-Type: application/json' -d @- http://localhost:8000/analyze/facial
    ```
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaType("Send JSON with Content-Type: application/json; POST /predict takes forms.")
    model = service.registry.get(query.model)
    record = request_record(request.scope)
    record.model = model.manifest.name
    body = await request.body()
    read = await jobs.analyze(
        service,
        ticket,
        lambda: picture_of(body, max_bytes=service.settings.max_file_bytes),
        model,
        DetectOptions(query.faces, query.on_no_face),
    )
    jobs.account(service, read.answer)
    jobs.describe(record, read)
    fields = {**read.answer.fields, "request_id": record.request_id}
    return json_response(fields, jobs.shadow_of(service, read))
