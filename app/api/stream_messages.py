"""The messages of ``WS /stream``: their types, from which the AsyncAPI document is made, and how they are built."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Final, Literal, NotRequired

import orjson
from pydantic import Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import TypedDict

from app.api.error_responses import Error, body_of
from app.api.results import ModelVersion, PictureInfo, PredictedFace, RequestId, TimingsMs, picture_info
from app.errors import InternalError, RateLimited, RetryableError, VisageError
from app.pipeline import DetectedPicture
from app.sessions.profile import PracticePoint

STREAM_PATH: Final = "/stream"
SUBPROTOCOL: Final = "visage.v1"
KEY_PREFIX: Final = "visage.key."
"""Before a token among the subprotocols that a browser offers."""

IDLE_SECONDS: Final = 30.0
MOST_BAD: Final = 10
"""Messages in a row without a prediction after which a stream ends."""

StreamFaces = Literal["largest", "all"]


class End(Enum):
    """Why a stream ends: the summary's reason, and the code of the close."""

    END = ("end", 1000)
    IDLE = ("idle", 1001)
    BAD_MESSAGES = ("bad_messages", 1008)
    TOO_LARGE = ("frame_too_large", 1009)
    NO_ROOM = ("no_room", 1013)
    BAD_DATA = ("bad_data", 1007)
    PROTOCOL_ERROR = ("protocol_error", 1002)
    DEFECT = ("internal_error", 1011)
    DRAINING = ("draining", 1012)
    GONE = ("gone", 1006)
    """The client has closed the connection, or it was lost: nobody gets a summary."""

    @property
    def reason(self) -> str:
        return self.value[0]

    @property
    def code(self) -> int:
        return self.value[1]


class StreamLimits(TypedDict):
    """What the stream accepts."""

    frame_bytes: Annotated[int, Field(description="Most bytes of a frame.")]
    pixels: Annotated[int, Field(description="Most pixels of a frame.")]
    frames_per_second: Annotated[int, Field(description="Frames of this client that are read each second.")]
    idle_seconds: Annotated[float, Field(description="Seconds without a message after which the stream ends.")]
    bad_messages: Annotated[int, Field(description="Errors in a row after which the stream ends.")]


class Started(TypedDict):
    """The stream is open: what it is, and what it accepts."""

    type: Literal["started"]
    session: Annotated[str, Field(description="The id of this stream, which the service's log has as request id.")]
    model: ModelVersion
    labels: Annotated[list[str], Field(description="The labels of the probabilities, in their order.")]
    faces: StreamFaces
    details: Annotated[list[str], Field(description="What each face has besides its prediction.")]
    smoothing: Annotated[float, Field(description="Time constant of `smoothed` in seconds; 0 turns it off.")]
    profile: Annotated[str | None, Field(description="The profile of the summary.")]
    limits: StreamLimits


class TrackedFace(PredictedFace):
    """A face of a frame, with its prediction."""

    track: Annotated[int, Field(description="The number of this face, which it keeps while it is in view, from 1.")]
    smoothed: Annotated[
        dict[str, float] | None,
        Field(description="Probabilities averaged over the last moments; null where `smoothing` is 0."),
    ]


class FramePrediction(TypedDict):
    """The predictions for one frame."""

    type: Literal["prediction"]
    frame: Annotated[int, Field(description="The frame's number, from 0 by arrival.")]
    t: Annotated[float, Field(description="The frame's time in seconds.")]
    faces: Annotated[list[TrackedFace], Field(description="The faces, largest first; empty without a face.")]
    faces_detected: int
    image: PictureInfo
    skipped: Annotated[int, Field(description="Frames passed over since the last one with a prediction or an error.")]
    practice: NotRequired[
        Annotated[PracticePoint, Field(description="The largest face by the profile. Only with a profile and a face.")]
    ]
    timings_ms: TimingsMs


class StreamError(Error):
    """An error. A frame or message with one does not end the stream; ten in a row do."""

    type: Literal["error"]
    frame: NotRequired[Annotated[int, Field(description="The frame that the error belongs to.")]]
    skipped: NotRequired[Annotated[int, Field(description="Frames passed over since the last prediction or error.")]]
    retry_after: NotRequired[Annotated[float, Field(description="Seconds to wait before the next try.")]]


class Time(TypedDict):
    """Sets the time of the next frame. Without it, that is the time of its arrival since the start."""

    type: Literal["time"]
    t: Annotated[float, Field(ge=0, description="Seconds; not less than the time of the frame before.")]


class Finish(TypedDict):
    """Asks for the summary, after the frames that wait. Then the stream is closed."""

    type: Literal["end"]


class Token(TypedDict):
    """A token with which a browser opens a stream."""

    success: Literal[True]
    token: Annotated[
        str, Field(description=f"Offer it as the subprotocol `{KEY_PREFIX}TOKEN`, beside `{SUBPROTOCOL}`.")
    ]
    expires_in: Annotated[int, Field(description="Seconds within which the stream must be opened.")]
    request_id: RequestId


def encoded(message: Mapping[str, Any]) -> str:
    return orjson.dumps(message).decode()


def stream_error(
    error: VisageError, request_id: str, *, frame: int | None = None, skipped: int | None = None
) -> StreamError:
    message: StreamError = {
        "type": "error",
        "success": False,
        "error": error.code,
        "message": error.message,
        "request_id": request_id,
    }
    if frame is not None and skipped is not None:
        message["frame"], message["skipped"] = frame, skipped
    if isinstance(error, RetryableError):
        message["retry_after"] = error.retry_after
    return message


def close_code(error: VisageError) -> int:
    """The code of the close after an error that ends a stream."""
    if isinstance(error, InternalError):
        return 1011
    return 1013 if isinstance(error, RetryableError) and not isinstance(error, RateLimited) else 1008


async def refuse_stream(
    error: VisageError, request_id: str, scope: Scope, receive: Receive, send: Send, *, accepted: bool
) -> None:
    """Tells a client why its stream is not opened, or ends. Browsers show nothing of a response to a handshake, so that
    the WebSocket is opened first; but not with a subprotocol that is unknown here."""
    offered = scope["subprotocols"]
    if not accepted and offered and SUBPROTOCOL not in offered:
        await Response(body_of(error, request_id), error.status, media_type="application/json")(scope, receive, send)
        return
    if not accepted:
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if offered else None})
    try:
        await send({"type": "websocket.send", "text": encoded(stream_error(error, request_id))})
        await send({"type": "websocket.close", "code": close_code(error)})
    except OSError:
        # The client has gone.
        return


def frame_prediction(
    frame: int,
    t: float,
    detected: DetectedPicture,
    faces: list[TrackedFace],
    timings_ms: dict[str, float],
    *,
    skipped: int,
    practice: PracticePoint | None,
) -> FramePrediction:
    prediction: FramePrediction = {
        "type": "prediction",
        "frame": frame,
        "t": round(t, 3),
        "faces": faces,
        "faces_detected": detected.faces_detected,
        "image": picture_info(detected),
        "skipped": skipped,
        "timings_ms": timings_ms,
    }
    if practice is not None:
        prediction["practice"] = practice
    return prediction
