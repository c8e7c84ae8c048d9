"""``POST /analyze/facial``: one picture inside JSON."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api import jobs
from app.api.base64_image import read_picture
from app.api.dependencies import Analyzing, service_of
from app.api.details import details_of
from app.api.examples import ANALYSIS, PICTURE
from app.api.json_values import is_json
from app.api.openapi import DETAILED, ONE_PICTURE, documented, request_body
from app.api.parameters import QueryRoute
from app.api.results import AnalysisResult, analysis_result
from app.errors import UnsupportedMediaType
from app.pipeline import DetectOptions
from app.telemetry.records import request_record

router = APIRouter(tags=["Predictions"], route_class=QueryRoute)

_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {
            "type": "string",
            "minLength": 1,
            "description": "A JPEG, PNG, WebP or BMP picture as base64 or as a data URL.",
        }
    },
}


@router.post(
    "/analyze/facial",
    operation_id="analyze_facial",
    summary="Predict the expression in a picture inside JSON",
    response_model=AnalysisResult,
    responses=documented(ANALYSIS, *DETAILED, *ONE_PICTURE),
    openapi_extra=request_body({"application/json": {"schema": _SCHEMA, "example": {"image": PICTURE}}}),
)
async def analyze_facial(request: Request, query: Analyzing) -> Response:
    """Takes a picture as base64 or as a data URL and returns the short form that many front ends know.

    White space, the URL-safe alphabet and missing padding are accepted. A picture without a face is the error
    `no_face_detected`, as on the other routes; with `on_no_face=center` the middle of the picture is taken as the
    face, and `face_detected` is false.

    ```sh
    printf '{"image": "%s"}' "$(base64 < sample_images/happy_sample.jpg)" |
      tr -d '\\n' | curl -H 'Content-Type: application/json' -d @- http://localhost:8000/analyze/facial
    ```
    """
    if not is_json(request):
        raise UnsupportedMediaType("Send JSON with Content-Type: application/json; POST /predict takes forms.")
    service = service_of(request.scope)
    model = service.registry.get(query.model)
    details = await details_of(request.scope, service.mesh, query.details)
    request_record(request.scope).model = model.manifest.name
    picture = await read_picture(request, max_bytes=service.settings.max_file_bytes)
    options = DetectOptions(query.faces, query.on_no_face, details.names)
    finished = await jobs.read_picture(request, picture, options, [model], analysis_result, details=details)
    return jobs.respond(request, finished)
