"""The catalogue: every error that a client can get, with its code, its HTTP status and its public message.

An error is raised where it is detected and turned into HTTP in one place, ``app/api/error_responses.py``. The message
is for the person who sent the request; details for the operator go into the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Literal

from typing_extensions import TypeAliasType

ErrorCode = TypeAliasType(
    "ErrorCode",
    Literal[
        "invalid_request",
        "malformed_request",
        "headers_too_large",
        "empty_file",
        "unsupported_media_type",
        "file_too_large",
        "image_too_large",
        "too_many_files",
        "invalid_image",
        "image_too_small",
        "no_face_detected",
        "multiple_faces",
        "unauthorized",
        "forbidden",
        "rate_limited",
        "overloaded",
        "timeout",
        "not_ready",
        "model_not_found",
        "model_rejected",
        "details_unavailable",
        "not_found",
        "method_not_allowed",
        "internal_error",
    ],
)
"""The code of every error. Clients may rely on it."""


_MOST_NAMED: Final = 20


class VisageError(Exception):
    """An error of the catalogue. A subclass sets its code, status and default message."""

    code: ClassVar[ErrorCode]
    status: ClassVar[int]
    default_message: ClassVar[str]

    def __init__(self, message: str | None = None) -> None:
        self.message = message or self.default_message
        super().__init__(self.message)


class RetryableError(VisageError):
    """A temporary error. ``retry_after`` becomes the ``Retry-After`` header, in whole seconds."""

    def __init__(self, message: str | None = None, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InvalidRequest(VisageError):
    code = "invalid_request"
    status = 422
    default_message = "The request does not have the form that this route expects."


class MalformedRequest(VisageError):
    code = "malformed_request"
    status = 400
    default_message = "This is not a valid HTTP request."


class HeadersTooLarge(VisageError):
    code = "headers_too_large"
    status = 431
    default_message = "The headers of this request are larger than this service accepts."


class EmptyFile(VisageError):
    code = "empty_file"
    status = 400
    default_message = "The file is empty. Send the bytes of a JPEG, PNG, WebP or BMP picture."


class UnsupportedMediaType(VisageError):
    code = "unsupported_media_type"
    status = 415
    default_message = "This file is not a supported picture. Send a JPEG, PNG, WebP or BMP file."


class FileTooLarge(VisageError):
    code = "file_too_large"
    status = 413
    default_message = "The upload is larger than this service accepts. Scale the picture down or compress it more."


class ImageTooLarge(VisageError):
    code = "image_too_large"
    status = 413
    default_message = "The picture has more pixels than this service accepts. Scale it down and send it again."


class TooManyFiles(VisageError):
    code = "too_many_files"
    status = 413
    default_message = "This request has more files than this service accepts. Send them in smaller batches."


class InvalidImage(VisageError):
    code = "invalid_image"
    status = 400
    default_message = "The picture is truncated or corrupt. Export it again and send the new file."


class ImageTooSmall(VisageError):
    code = "image_too_small"
    status = 422
    default_message = "The picture is too small to show a face. Send one of at least 32 pixels on each side."


class NoFaceDetected(VisageError):
    code = "no_face_detected"
    status = 422
    default_message = "No face found in the image. Use a well-lit photo in which one face looks at the camera."


class MultipleFaces(VisageError):
    code = "multiple_faces"
    status = 422
    default_message = "There are several faces in the image. Crop it to one, or ask for faces=largest or faces=all."


class Unauthorized(VisageError):
    code = "unauthorized"
    status = 401
    default_message = "This service needs an API key: send it as X-API-Key or as a bearer token."


class Forbidden(VisageError):
    code = "forbidden"
    status = 403
    default_message = "This API key may not do this. Use one that API_KEYS marks with :admin."


class RateLimited(RetryableError):
    code = "rate_limited"
    status = 429
    default_message = "Too many requests from this client. Wait and try again."


class Overloaded(RetryableError):
    code = "overloaded"
    status = 503
    default_message = "The service is busy with other requests. Wait a moment and try again."


class Timeout(RetryableError):
    code = "timeout"
    status = 503
    default_message = "The request took too long and was cancelled. Try again."


class NotReady(RetryableError):
    code = "not_ready"
    status = 503
    default_message = "The service is starting, stopping, or has no working model. Wait a moment and try again."


class ModelNotFound(VisageError):
    code = "model_not_found"
    status = 404
    default_message = "There is no model of this name. GET /models lists those that are available."

    @classmethod
    def among(cls, names: Sequence[str]) -> ModelNotFound:
        """The error where the models are these, of which it names the first."""
        named = f"{', '.join(names[:_MOST_NAMED])}{', …' if len(names) > _MOST_NAMED else ''}"
        return cls(f"There is no model of this name. There {'is' if len(names) == 1 else 'are'}: {named}.")


class ModelRejected(VisageError):
    code = "model_rejected"
    status = 409
    default_message = "The models on disk cannot be served. Those that were loaded before stay in use."


class DetailsUnavailable(RetryableError):
    code = "details_unavailable"
    status = 503
    default_message = "This service cannot compute details at present. Leave out the parameter details."

    def __init__(self, message: str | None = None, *, retry_after: float = 60.0) -> None:
        # Another replica may have what this one lacks; this one needs its operator.
        super().__init__(message, retry_after=retry_after)


class NotFound(VisageError):
    code = "not_found"
    status = 404
    default_message = "There is nothing at this address. GET /docs lists the routes."


class MethodNotAllowed(VisageError):
    code = "method_not_allowed"
    status = 405
    default_message = "This address does not support this method. GET /docs lists the routes."


class InternalError(VisageError):
    code = "internal_error"
    status = 500
    default_message = "An internal error occurred. The service's log has its details under the request id."


CATALOGUE: tuple[type[VisageError], ...] = tuple(
    kind for kind in globals().copy().values() if isinstance(kind, type) and hasattr(kind, "code")
)
"""Every error above that has a code, in the order of ``docs/errors.md``."""
