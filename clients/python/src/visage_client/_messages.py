"""What both kinds of streams share: the address, and what messages mean. Nothing here waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlencode

from websockets.exceptions import InvalidStatus

from visage_client._calls import Picture, Service, parameters, read
from visage_client.errors import VisageError
from visage_client.types import FramePrediction, SessionSummary, Started, StreamError, StreamEvent, StreamMessage

LARGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes of a message of the service: every face of a frame, with every detail."""

END = json.dumps({"type": "end"})


def time_of(t: float) -> str:
    """Sets the time of the next frame."""
    return json.dumps({"type": "time", "t": t})


def frame_of(picture: Picture) -> bytes:
    return read(picture)[1]


def opening_error(error: Exception) -> VisageError:
    """Why a stream could not be opened."""
    if isinstance(error, InvalidStatus):
        try:
            body = json.loads(error.response.body or b"")
            return VisageError(body["error"], body["message"], status=error.response.status_code)
        except (ValueError, KeyError, TypeError):
            message = f"The handshake was answered with the status {error.response.status_code}."
            return VisageError("unexpected_response", message, status=error.response.status_code)
    return VisageError("unreachable", "The service cannot be reached.")


def error_of(message: StreamError) -> VisageError:
    return VisageError(
        message["error"],
        message["message"],
        request_id=message["request_id"],
        retry_after=message.get("retry_after"),
    )


def message_of(text: str | bytes) -> Any:
    """A message of the service, or the error of something else that responded in its place."""
    try:
        message = json.loads(text)
        message["type"]
    except (ValueError, KeyError, TypeError):
        raise VisageError("unexpected_response", "The stream sent something other than a message of Visage.") from None
    return message


class Conversation:
    """What has been said on a stream."""

    def __init__(self, on_event: Callable[[StreamEvent], None] | None) -> None:
        self._on_event = on_event
        self._sent = 0
        self._last_error: VisageError | None = None
        self.summary: SessionSummary | None = None

    def sending(self) -> int:
        """Notes that a frame is sent. Returns its number."""
        self._sent += 1
        return self._sent - 1

    def opened(self, text: str | bytes) -> Started:
        message = message_of(text)
        if message["type"] == "error":
            raise error_of(message)
        return cast(Started, message)

    def received(self, text: str | bytes) -> StreamMessage:
        """A message of the service, noted."""
        message: StreamMessage = message_of(text)
        if message["type"] == "summary":
            self.summary = message
        elif message["type"] == "error":
            self._last_error = error_of(message)
        elif message["type"] == "prediction":
            self._last_error = None
        elif message["type"] == "event" and self._on_event is not None:
            self._on_event(message)
        return message

    def prediction(self, message: StreamMessage, frame: int) -> FramePrediction | None:
        """The prediction for a frame, if this message is it. Raises the error of the frame."""
        if message["type"] == "prediction" and message["frame"] == frame:
            return message
        if message["type"] == "error" and message.get("frame", frame) == frame:
            raise error_of(message)
        return None

    def ended(self, code: int | None) -> VisageError:
        """Why a stream gives no more messages."""
        if self._last_error is not None:
            return self._last_error
        summary = "with its summary" if self.summary is not None else "without a summary"
        return VisageError("disconnected", f"The stream ended {summary} (code {code}).")


class BaseStream:
    """What both kinds of streams are made of."""

    started: Started

    def __init__(
        self, service: Service, options: Mapping[str, Any], on_event: Callable[[StreamEvent], None] | None
    ) -> None:
        query = urlencode(parameters(options))
        self._address = f"ws{service.url[4:]}/stream{'?' if query else ''}{query}"
        self._timeout = service.timeout
        self._connecting: dict[str, Any] = {
            "additional_headers": service.headers,
            "open_timeout": service.timeout,
            "max_size": LARGEST_MESSAGE,
            "compression": None,
        }
        self._on_event = on_event
        self._begin()

    def _begin(self) -> None:
        self._conversation = Conversation(self._on_event)
        self._due = 0.0

    @property
    def summary(self) -> SessionSummary | None:
        return self._conversation.summary


def no_prediction(timeout: float) -> VisageError:
    return VisageError(
        "no_prediction", f"No prediction came within {timeout:g} s. The service may have passed over the frame."
    )
