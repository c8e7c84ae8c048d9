"""``POST /predict``: one picture, one model. ``POST /predict/compare``: one picture, several models, one detection."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response

from app.api import jobs
from app.api.dependencies import Comparing, Predicting, choices_of, compared_models, service_of
from app.api.details import details_of
from app.api.examples import COMPARISON, DETAILED_PREDICTION, PREDICTION
from app.api.openapi import DETAILED, ONE_PICTURE, documented, file_form
from app.api.parameters import QueryRoute
from app.api.results import ComparisonResult, PredictionResult, comparison_result, prediction_result
from app.api.uploads import one_file
from app.pipeline import DetectOptions
from app.telemetry.records import request_record

router = APIRouter(tags=["Predictions"], route_class=QueryRoute)


@router.post(
    "/predict",
    operation_id="predict",
    summary="Predict the expression in a picture",
    response_model=PredictionResult,
    responses=documented(PREDICTION, *DETAILED, *ONE_PICTURE, detailed=DETAILED_PREDICTION),
    openapi_extra=file_form("file"),
)
async def predict(request: Request, query: Predicting) -> Response:
    """Takes a picture, finds the face and returns its apparent expression: what the face shows, which is not
    necessarily what the person feels.

    ```sh
    curl -F file=@sample_images/happy_sample.jpg http://localhost:8000/predict
    ```

    The picture stays in memory and is dropped after the response.
    """
    service = service_of(request.scope)
    choices = await choices_of(request.scope, query)
    request_record(request.scope).model = choices.model.manifest.name
    data = await one_file(request, "file", max_bytes=service.settings.max_file_bytes)
    build = partial(prediction_result, every_face=choices.every_face, explain=choices.explain)
    finished = await jobs.read_picture(
        request,
        data,
        choices.detect,
        [choices.model],
        build,
        classify=choices.classify,
        details=choices.details,
    )
    return jobs.respond(request, finished)


@router.post(
    "/predict/compare",
    operation_id="compare",
    summary="Compare models on a picture",
    response_model=ComparisonResult,
    responses=documented(COMPARISON, *DETAILED, *ONE_PICTURE),
    openapi_extra=file_form("file"),
)
async def compare(request: Request, query: Comparing) -> Response:
    """Takes a picture, finds the face once, and returns the prediction of each model, its time, and where the models
    disagree.

    ```sh
    curl -F file=@sample_images/happy_sample.jpg http://localhost:8000/predict/compare
    ```
    """
    service = service_of(request.scope)
    models = compared_models(service.registry, query)
    details = await details_of(request.scope, service.mesh, query.details)
    data = await one_file(request, "file", max_bytes=service.settings.max_file_bytes)
    options = DetectOptions(query.faces, query.on_no_face, details.names)
    finished = await jobs.read_picture(request, data, options, models, comparison_result, details=details)
    return jobs.respond(request, finished, shadow=False)
