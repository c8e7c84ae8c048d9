"""The one error of this client."""

from __future__ import annotations

from typing import Any, Literal

from visage_client.types import ErrorCode

ClientErrorCode = Literal["unreachable", "unexpected_response", "unreadable_file", "disconnected", "no_prediction"]
"""What goes wrong without a result of the service: no connection or no response in time; a response of something else,
such as a proxy; a file that cannot be read; a stream that ended; a frame that got no prediction in time."""


class VisageError(Exception):
    """What the service, or the way to it, refused. ``code`` is for programs, ``message`` for people.

    ``retry_after`` are the seconds after which the same request may succeed; None means that it will fail again.
    """

    def __init__(
        self,
        code: ErrorCode | ClientErrorCode | str,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own makes pickle and copy call __init__ with ``args``: here one text.
        return type(self).__new__, (type(self), *self.args), self.__dict__
