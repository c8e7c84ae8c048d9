"""The response to what is no request of the application's."""

from __future__ import annotations

import logging
import uuid

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.api.error_responses import body_of
from app.errors import VisageError

logger = logging.getLogger("visage.server")


def refusal(error: VisageError) -> bytes:
    """A whole response, after which the connection ends."""
    request_id = uuid.uuid4().hex
    logger.info("%s before any route, request %s.", error.code, request_id)
    body = body_of(error, request_id)
    return (
        STATUS_LINE[error.status]
        + b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        + b"x-request-id: %s\r\nconnection: close\r\n\r\n" % request_id.encode()
        + body
    )
