"""``POST /analyze/session``: a series of predictions, for its summary."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api.csv_table import SessionTable, prefers_csv
from app.api.dependencies import check_profile, memory_of, reservation_of, result_headers, service_of
from app.api.examples import SESSION
from app.api.json_values import LONGEST_LABEL, MOST_LABELS, is_json
from app.api.openapi import ADMISSION, ErrorClass, documented, request_body
from app.api.results import json_response
from app.api.session_body import MOST_FRAMES, PostedFrame, PostedSession
from app.config import Settings
from app.errors import FileTooLarge, InvalidRequest, Overloaded, UnsupportedMediaType
from app.expression.blinks import series_units
from app.memory_budget import HeldMemory
from app.pipeline import Checkpoint, Pipeline
from app.sessions.profile import InterviewPractice
from app.sessions.summary import Session, SessionFace, SessionSummary
from app.telemetry.records import request_record

router = APIRouter(tags=["Sessions"])

_PORTION: Final = 2000
"""Frames of one job on a worker, so that other requests get their turn."""

_ERRORS: Final[tuple[ErrorClass, ...]] = (InvalidRequest, UnsupportedMediaType, FileTooLarge, *ADMISSION, Overloaded)
_TABLE: Final = (
    "t,track,emotion,confidence,is_uncertain,p_happy,p_neutral,warnings\r\n0.0,1,happy,0.8,false,0.8,0.2,\r\n"
)
_PROBABILITIES: Final[dict[str, Any]] = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": MOST_LABELS,
    "propertyNames": {"minLength": 1, "maxLength": LONGEST_LABEL, "pattern": "^[ -~]*$"},
    "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
}
_FRAME: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["t"],
    "additionalProperties": False,
    "properties": {
        "t": {
            "type": "number",
            "minimum": 0,
            "maximum": 1e9,
            "description": "Seconds; not less than the frame before.",
        },
        "probabilities": {
            "anyOf": [_PROBABILITIES, {"type": "null"}],
            "description": "By label, the same labels in every frame; null without a face.",
        },
        "face_detected": {"type": ["boolean", "null"], "description": "With false, the frame is one without a face."},
        "face_box": {
            "anyOf": [{"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}, {"type": "null"}],
            "description": "Not used.",
        },
        "warnings": {
            "anyOf": [
                {"type": "array", "items": {"$ref": "#/components/schemas/WarningCode"}},
                {"type": "null"},
            ],
            "description": "Codes of the prediction's warnings.",
        },
        "action_units": {
            "anyOf": [
                {
                    "type": "object",
                    "propertyNames": {"enum": [*series_units()]},
                    "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
                },
                {"type": "null"},
            ],
            "description": "Intensities by number, for the means of the summary.",
        },
    },
}
_BODY: Final = request_body(
    {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["frames"],
                "additionalProperties": False,
                "properties": {
                    "profile": {
                        "enum": [None, InterviewPractice.name],
                        "description": "One of `SESSION_PROFILES`, or null.",
                    },
                    "frames": {"type": "array", "items": _FRAME, "maxItems": MOST_FRAMES},
                },
            },
            "example": {
                "frames": [
                    {
                        **{"t": 0.0, "probabilities": {"happy": 0.8, "neutral": 0.2}, "face_detected": True},
                        "action_units": {"AU6": 0.55, "AU12": 0.72},
                    },
                    {
                        **{"t": 0.5, "probabilities": {"happy": 0.3, "neutral": 0.7}, "face_detected": True},
                        "action_units": {"AU6": 0.1, "AU12": 0.2},
                    },
                    {"t": 1.0, "face_detected": False},
                ],
            },
        }
    }
)


@router.post(
    "/analyze/session",
    operation_id="analyze_session",
    summary="Summarise a series of predictions",
    response_model=SessionSummary,
    responses=documented(SESSION, *_ERRORS, table=_TABLE),
    openapi_extra=_BODY,
)
async def analyze_session(request: Request) -> Response:
    """Takes the predictions of one face over time, up to 100,000, and returns the summary that a stream of these frames
    ends with. Nothing is kept.

    ```sh
    curl -H 'Content-Type: application/json' http://localhost:8000/analyze/session -d \\
      '{"frames": [{"t": 0, "probabilities": {"happy": 0.8, "neutral": 0.2}}, {"t": 1, "probabilities": null}]}'
    ```

    With `Accept: text/csv` the result is every frame, as a table with one row a frame. With the profile
    `interview_practice`, which the operator has to allow, both have its figures; they describe an appearance, for a
    person's own practice.
    """
    if not is_json(request):
        raise UnsupportedMediaType("Send JSON with Content-Type: application/json.")
    if request.query_params:
        raise InvalidRequest("This route takes no query parameters: profile and frames go into the body.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
    request_record(request.scope).size = len(body)
    csv = prefers_csv(request.headers.get("accept", ""))
    work = _Work(body, service_of(request.scope).settings, memory_of(request.scope), csv=csv)
    del body
    await _run(request, work)
    request_record(request.scope).items = work.count
    headers = {"Vary": "Accept", **result_headers(request.scope)}
    if csv:
        headers["Content-Disposition"] = 'attachment; filename="session.csv"'
        return Response(bytes(work.csv), headers=headers, media_type="text/csv")
    return json_response(work.session.summary("end"), headers=headers)


async def _run(request: Request, work: _Work) -> None:
    """Adds up the frames on worker threads, in several jobs."""
    reservation, pool, steps = reservation_of(request.scope), service_of(request.scope).pool, work.steps()

    def step(_: Pipeline, checkpoint: Checkpoint) -> bool:
        checkpoint()
        return next(steps)

    while await pool.run(reservation, step):
        pass


class _Work:
    """The work for one series."""

    def __init__(self, body: bytearray, settings: Settings, memory: HeldMemory, *, csv: bool) -> None:
        self._body = body
        self._settings = settings
        self._memory = memory
        self._wants_csv = csv
        self.csv = bytearray()
        self.count = 0
        self.session: Session

    def steps(self) -> Iterator[bool]:
        """Finds the frames, then adds a portion of them with each step. Yields whether there may be more."""
        posted = PostedSession(self._body)
        self.count, labels = posted.count, posted.labels()
        profile = None
        if posted.profile is not None:
            check_profile(posted.profile, self._settings, labels)
            profile = InterviewPractice(labels)
        self.session = Session(labels, profile)
        table = SessionTable(labels, practice=profile is not None)
        frames, more = posted.frames(), True
        yield more
        while more:
            portion = list(islice(frames, _PORTION))
            for frame in portion:
                uncertain = self._add(frame)
                if self._wants_csv:
                    table.add(frame, uncertain, profile.latest if profile else None)
            rows = table.take()
            # Twice: as it grows, and as it is sent.
            self._memory.take(2 * len(rows))
            self.csv += rows
            more = len(portion) == _PORTION
            yield more

    def _add(self, frame: PostedFrame) -> bool:
        """Adds a frame. Returns whether its prediction is uncertain."""
        uncertain = False
        faces: list[SessionFace] = []
        if frame.probabilities is not None:
            uncertain = max(frame.probabilities.values()) < self._settings.confidence_threshold
            faces = [SessionFace(1, frame.probabilities, uncertain, frame.warnings, None, frame.units)]
        self.session.add(frame.t, faces)
        return uncertain
