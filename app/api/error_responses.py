"""Turns every exception into the response of an error of the catalogue. No response holds a traceback."""

from __future__ import annotations

import logging
import math
import traceback
from http import HTTPStatus
from typing import Annotated, Literal

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope
from typing_extensions import TypedDict

from app.errors import (
    ErrorCode,
    FileTooLarge,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RetryableError,
    UnsupportedMediaType,
    VisageError,
)
from app.telemetry.records import request_record
from app.worker_pool import ClientDisconnected

logger = logging.getLogger("visage.errors")

CLIENT_LEFT = 499
"""The status in logs and metrics of a request whose client has disconnected. No client receives it."""

_BY_STATUS: dict[int, type[VisageError]] = {
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: MethodNotAllowed,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: FileTooLarge,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: UnsupportedMediaType,
}


class Error(TypedDict):
    """The form of every error, whatever its cause."""

    success: Literal[False]
    error: Annotated[ErrorCode, Field(description="A code that stays the same.")]
    message: Annotated[str, Field(description="A sentence for the person who sent the request.")]
    request_id: Annotated[str, Field(description="Finds the request in the service's log.")]


def body_of(error: VisageError, request_id: str) -> bytes:
    """An error as JSON."""
    body: Error = {"success": False, "error": error.code, "message": error.message, "request_id": request_id}
    return orjson.dumps(body)


def response_to(scope: Scope, exception: Exception) -> Response:
    """The response to a request that ended in an exception. The request's record gets the code of the error."""
    if isinstance(exception, ClientDisconnected | ClientDisconnect):
        return Response(status_code=CLIENT_LEFT)
    record = request_record(scope)
    error = known_error(exception, record.request_id)
    record.error = error.code
    headers = dict(getattr(exception, "headers", None) or {})
    if isinstance(error, RetryableError):
        headers["Retry-After"] = str(max(math.ceil(error.retry_after), 1))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(body_of(error, record.request_id), error.status, headers, media_type="application/json")


def known_error(exception: Exception, request_id: str) -> VisageError:
    """The error of the catalogue for an exception. An exception without one becomes InternalError and is logged."""
    error = _catalogued(exception)
    if isinstance(error, InternalError):
        # Its message may quote what a client sent. Its type and place are enough to find the defect.
        logger.error("%s in request %s%s", type(exception).__name__, request_id, _place(exception))
    return error


def _catalogued(exception: Exception) -> VisageError:
    if isinstance(exception, VisageError):
        return exception
    if isinstance(exception.__cause__, VisageError):
        # FastAPI raises a 400 of its own from an error that is raised while it reads a body.
        return exception.__cause__
    if isinstance(exception, RequestValidationError):
        return InvalidRequest(_first_problem(exception))
    if isinstance(exception, HTTPException):
        kind = _BY_STATUS.get(exception.status_code)
        if kind is not None:
            return kind()
        if exception.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            return InvalidRequest()
    return InternalError()


def _first_problem(exception: RequestValidationError) -> str:
    """What is wrong with which field, without its value, which may be a picture."""
    problem = exception.errors()[0]
    kind, *path = problem["loc"]
    # Of a parameter with several types, the types follow.
    where = ".".join(str(part) for part in (path[:1] if kind == "query" else path))
    if where and problem["type"] == "literal_error":
        return f"{where} takes {problem['ctx']['expected']}."
    what = str(problem["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{where}: {what}." if where else f"{what}."


def _place(exception: BaseException) -> str:
    """File names and line numbers of the traceback, the innermost last."""
    frames = traceback.walk_tb(exception.__traceback__)
    places = [f"{frame.f_code.co_filename.rpartition('/')[2]}:{line}" for frame, line in frames]
    return f" at {' > '.join(places[-6:])}" if places else ""
