"""What the OpenAPI document says of uploads and errors, beyond what FastAPI finds out by itself."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fastapi import FastAPI

from app.api.schemas import EXAMPLE_ID, Error
from app.errors import (
    EmptyFile,
    FileTooLarge,
    ImageTooLarge,
    ImageTooSmall,
    InternalError,
    InvalidImage,
    InvalidRequest,
    ModelNotFound,
    NoFaceDetected,
    NotReady,
    Overloaded,
    RateLimited,
    RetryableError,
    Timeout,
    Unauthorized,
    UnsupportedMediaType,
    VisageError,
)

ErrorClass = type[VisageError]

ADMISSION: tuple[ErrorClass, ...] = (Unauthorized, RateLimited, NotReady, Timeout, InternalError)
"""What any route behind the admission can answer."""

READING: tuple[ErrorClass, ...] = (
    InvalidRequest,
    UnsupportedMediaType,
    FileTooLarge,
    ModelNotFound,
    *ADMISSION,
    Overloaded,
)
"""What any route that takes pictures can answer about the request as a whole."""

PICTURE: tuple[ErrorClass, ...] = (
    EmptyFile,
    InvalidImage,
    ImageTooLarge,
    ImageTooSmall,
    NoFaceDetected,
)
"""What is said about one picture."""


_KEYS: dict[str, Any] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def install(app: FastAPI) -> None:
    """Makes the document say how an API key is sent."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            _describe_keys(plain())
        return plain()

    app.openapi = described  # type: ignore[method-assign]


def errors(*classes: ErrorClass) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may answer these errors, each with an example."""
    by_status: dict[int, list[ErrorClass]] = defaultdict(list)
    for error in classes:
        by_status[error.status].append(error)
    declared: dict[int | str, dict[str, Any]] = {}
    for status, group in sorted(by_status.items()):
        declared[status] = {
            "model": Error,
            "description": ", ".join(f"`{error.code}`" for error in group),
            "content": {
                "application/json": {
                    "examples": {error.code: {"summary": error.code, "value": _body(error)} for error in group}
                }
            },
        }
        if any(issubclass(error, RetryableError) for error in group):
            declared[status]["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
            }
    return declared


def _describe_keys(document: dict[str, Any]) -> None:
    """A key is told to be optional, because a service without keys is open."""
    document.setdefault("components", {})["securitySchemes"] = _KEYS
    for methods in document["paths"].values():
        for operation in methods.values():
            if str(Unauthorized.status) in operation["responses"]:
                operation["security"] = [{}, *({name: []} for name in _KEYS)]


def _body(error: ErrorClass) -> dict[str, Any]:
    return {"success": False, "error": error.code, "message": error.default_message, "request_id": EXAMPLE_ID}


def file_form(field: str, *, several: bool = False) -> dict[str, Any]:
    """The ``openapi_extra`` of a route that takes one picture, or several, as a form."""
    picture = {"type": "string", "format": "binary", "description": "A JPEG, PNG, WebP or BMP picture."}
    schema = {"type": "array", "items": picture, "minItems": 1} if several else picture
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {"type": "object", "required": [field], "properties": {field: schema}}
                }
            },
        }
    }
