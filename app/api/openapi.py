"""What the OpenAPI document says of examples, uploads and errors, beyond what FastAPI derives from the types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import FastAPI

from app import errors as catalogue
from app.api.error_responses import Error
from app.api.examples import REQUEST_ID, SESSION
from app.errors import RateLimited, RetryableError, Unauthorized, VisageError

ErrorClass = type[VisageError]

ADMISSION: tuple[ErrorClass, ...] = (
    catalogue.Unauthorized,
    catalogue.RateLimited,
    catalogue.NotReady,
    catalogue.Timeout,
    catalogue.InternalError,
)
"""The errors that admission can raise on any route."""

PICTURES: tuple[ErrorClass, ...] = (
    catalogue.InvalidRequest,
    catalogue.UnsupportedMediaType,
    catalogue.FileTooLarge,
    catalogue.ModelNotFound,
    *ADMISSION,
    catalogue.Overloaded,
)
"""The errors of a whole request that sends pictures."""

DETAILED: tuple[ErrorClass, ...] = (*PICTURES, catalogue.DetailsUnavailable)
"""The errors of a whole request that sends pictures and may ask for details."""

ONE_PICTURE: tuple[ErrorClass, ...] = (
    catalogue.EmptyFile,
    catalogue.InvalidImage,
    catalogue.ImageTooLarge,
    catalogue.ImageTooSmall,
    catalogue.NoFaceDetected,
    catalogue.MultipleFaces,
)
"""The errors of a picture."""

_KEYS: dict[str, Any] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


_HEADERS: dict[str, Any] = {
    "X-Request-ID": {"description": "Finds the request in the service's log.", "schema": {"type": "string"}},
    "X-RateLimit-Limit": {
        "description": "Requests that the client may send at once, by the limit that it will reach first. The three "
        "headers are absent with `RATE_LIMIT=off`.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Remaining": {
        "description": "How many of them are left; on a route that makes no predictions, how many predictions.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Reset": {
        "description": "When all of them are there again, in seconds since 1970.",
        "schema": {"type": "integer"},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "Link": {"description": "Where the notice on use is.", "schema": {"type": "string"}},
}
_EVERY_RESPONSE: Final = ("X-Request-ID",)
_COUNTED: Final = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def install(app: FastAPI) -> None:
    """Completes the document that FastAPI makes."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            _describe_keys(document)
            _describe_headers(document)
            _close(document)
            _keep_nulls(document)
        return plain()

    app.openapi = described  # type: ignore[method-assign]


def documented(
    example: Mapping[str, object],
    *classes: ErrorClass,
    detailed: Mapping[str, object] | None = None,
    table: str | None = None,
) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: an example of its result, perhaps one with details or as CSV, and its errors."""
    content: dict[str, Any] = {"example": example}
    if detailed is not None:
        examples = {"plain": ("Without details", example), "detailed": ("With details", detailed)}
        content = {"examples": {name: {"summary": says, "value": value} for name, (says, value) in examples.items()}}
    contents = {"application/json": content}
    if table is not None:
        contents["text/csv"] = {"schema": {"type": "string"}, "example": table}
    return {200: {"content": contents}, **errors(*classes)}


def errors(*classes: ErrorClass) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may end in these errors, each with an example."""
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
            _add_headers(declared[status], ["Retry-After"])
    return declared


def _describe_keys(document: dict[str, Any]) -> None:
    """Says how a key is sent. It is optional, because a service without keys is open."""
    document.setdefault("components", {})["securitySchemes"] = _KEYS
    for methods in document["paths"].values():
        for operation in methods.values():
            if str(Unauthorized.status) in operation["responses"]:
                operation["security"] = [{}, *({name: []} for name in _KEYS)]


def _describe_headers(document: dict[str, Any]) -> None:
    """Says which headers each response has."""
    document["components"]["headers"] = _HEADERS
    for methods in document["paths"].values():
        for operation in methods.values():
            responses = operation["responses"]
            counted = _COUNTED if str(RateLimited.status) in responses else ()
            for status, response in responses.items():
                names = [*_EVERY_RESPONSE, *(counted if status in {"200", str(RateLimited.status)} else ())]
                _add_headers(response, names)
            if {"Predictions", "Sessions"} & {*operation["tags"]}:
                _add_headers(responses["200"], ["Link"])


def _add_headers(response: dict[str, Any], names: Iterable[str]) -> None:
    headers = response.setdefault("headers", {})
    headers.update({name: {"$ref": f"#/components/headers/{name}"} for name in names})


def _close(document: dict[str, Any]) -> None:
    """Says that a result has no other fields than those of its type."""
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False


def _keep_nulls(document: dict[str, Any]) -> None:
    """Puts an example back whose fields of null FastAPI has dropped."""
    said = document["paths"]["/analyze/session"]["post"]["responses"]["200"]
    said["content"]["application/json"]["example"] = SESSION


def _body(error: ErrorClass) -> Error:
    return {"success": False, "error": error.code, "message": error.default_message, "request_id": REQUEST_ID}


def file_form(field: str, *, several: bool = False) -> dict[str, Any]:
    """The ``openapi_extra`` of a route that takes one picture, or several, as a form."""
    picture = {"type": "string", "format": "binary", "description": "A JPEG, PNG, WebP or BMP picture."}
    schema = {"type": "array", "items": picture, "minItems": 1} if several else picture
    form = {"type": "object", "required": [field], "properties": {field: schema}}
    return request_body({"multipart/form-data": {"schema": form}})


def request_body(content: Mapping[str, object]) -> dict[str, Any]:
    """The ``openapi_extra`` of a route whose body has this content, by media type."""
    return {"requestBody": {"required": True, "content": dict(content)}}
