"""One stream: receives frames, has the newest one read, and sends what comes of it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from pydantic import Field, ValidationError
from pydantic.json_schema import SkipJsonSchema
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.api.dependencies import CLIENT, ModelName, check_profile, service_of
from app.api.details import DetailNames, DetailsRequest, add_blink, details_of, result_bytes
from app.api.error_responses import known_error
from app.api.jobs import FACE_BYTES
from app.api.parameters import Parameters
from app.api.results import Findings, picture_record, predicted_face
from app.api.stream_messages import (
    IDLE_SECONDS,
    MOST_BAD,
    SUBPROTOCOL,
    End,
    Started,
    StreamFaces,
    TrackedFace,
    encoded,
    frame_prediction,
    stream_error,
)
from app.errors import FileTooLarge, InvalidRequest, ModelNotFound, NotReady, Overloaded, Timeout, VisageError
from app.expression.details import DETAILS
from app.inference.classifier import Classifier
from app.memory_budget import HeldMemory, process_memory
from app.pipeline import Checkpoint, ClassifyOptions, FacePrediction, FrameOptions, PicturePrediction, Pipeline
from app.service import Phase, Service
from app.sessions.profile import Event, InterviewPractice, ProfileName
from app.sessions.summary import Session, SessionFace, SkipReason
from app.sessions.tracks import Track, Tracker
from app.telemetry.records import PictureRecord, request_record
from app.vision.geometry import Box, Face
from app.worker_pool import ClientDisconnected, Reservation

logger = logging.getLogger("visage.streams")

_LONGEST_TEXT: Final = 1024
_WHOLE_FRAME_SECONDS: Final = 0.5
_LATEST: Final = 1e9
"""Largest time of a frame in seconds."""

_ENDS: Final = {end.code: end for end in (End.PROTOCOL_ERROR, End.BAD_DATA, End.TOO_LARGE, End.DRAINING, End.NO_ROOM)}
"""Disconnects after which the server still sends what the stream has to say."""


class StreamQuery(Parameters):
    """The query of ``WS /stream``."""

    model: ModelName = None
    faces: StreamFaces = Field("largest", description="`largest` reads the largest face of a frame, `all` reads all.")
    details: DetailNames = None
    smoothing: float = Field(
        0.5, ge=0, le=60, description="Time constant of `smoothed` in seconds; 0 turns it off.", allow_inf_nan=False
    )
    profile: ProfileName | SkipJsonSchema[None] = Field(
        None, description="Profile of the session, where `SESSION_PROFILES` lists it; needs `purpose=own_practice`."
    )
    purpose: Literal["own_practice"] | SkipJsonSchema[None] = Field(
        None, description="Says that the person in front of the camera opened this stream for their own practice."
    )


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What the query of a stream asks for, with the service's defaults."""

    model: Classifier
    every_face: bool
    smoothing: float
    profile: ProfileName | None
    details: DetailsRequest

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.model.manifest.labels)


async def options_of(scope: Scope, parameters: Mapping[str, str]) -> StreamOptions:
    """The options of a query, or the error that says what is wrong with them."""
    service = service_of(scope)
    try:
        query = StreamQuery.model_validate(dict(parameters))
    except ValidationError as error:
        problem = error.errors()[0]
        raise InvalidRequest(f"{problem['loc'][0]}: {problem['msg'].rstrip('.')}.") from None
    model = service.registry.get(query.model)
    if query.profile is not None:
        check_profile(query.profile, service.settings, model.manifest.labels)
        if query.purpose != "own_practice":
            raise InvalidRequest("purpose: this profile needs purpose=own_practice.")
    details = await details_of(scope, service.mesh, query.details)
    return StreamOptions(model, query.faces == "all", query.smoothing, query.profile, details)


@dataclass(frozen=True, slots=True)
class _Frame:
    number: int
    t: float
    data: bytes


@dataclass(frozen=True, slots=True)
class _Read:
    """What came of a frame: its encoded message, and the bytes of memory that are taken for it."""

    frame: _Frame
    message: str
    size: int
    record: PictureRecord
    events: Sequence[Event]


class Stream:
    """One connection from its opening to its end. Nothing of it is kept."""

    def __init__(self, websocket: WebSocket, service: Service, options: StreamOptions) -> None:
        self._websocket = websocket
        self._service = service
        self._options = options
        self._id = request_record(websocket.scope).request_id
        self._client: tuple[str, ...] = websocket.scope["state"][CLIENT]
        self._memory = process_memory().held(by_stream=True)
        """Of the frame that waits, of the one that is read, and of its prediction."""
        self._frames = _Frames(options, service.settings.confidence_threshold, self._id, self._memory)
        self._waiting: deque[_Frame] = deque(maxlen=1)
        """The newest frame. The event loop puts it in, a worker takes it out."""
        self._taken: _Frame | None = None
        """The frame that is being read."""
        self._bad: deque[VisageError] = deque(maxlen=MOST_BAD)
        self._bad_in_row = 0
        self._changed = asyncio.Event()
        self._end: End | None = None
        self._reservation: Reservation | None = None
        self._received = 0
        self._last_told = -1
        self._next_time: float | None = None
        self._last_time = 0.0
        self._started = time.monotonic()

    async def run(self) -> None:
        if self._service.phase is Phase.DRAINING:
            # It has begun to stop since the request was let in.
            raise NotReady
        with self._memory, self._service.streams.opened(self._client, self._drain):
            offered = self._websocket.scope["subprotocols"]
            await self._websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
            reader = asyncio.create_task(self._receive())
            end = End.GONE
            try:
                await self._send_started()
                end = await self._work()
                await self._close(end)
            except WebSocketDisconnect:
                end = End.GONE
            finally:
                reader.cancel()
                self._finish_with(End.GONE)
                self._count_end(end)

    async def _send_started(self) -> None:
        settings, options = self._service.settings, self._options
        manifest = options.model.manifest
        started: Started = {
            "type": "started",
            "session": self._id,
            "model": {"name": manifest.name, "version": manifest.version},
            "labels": [*options.labels],
            "faces": "all" if options.every_face else "largest",
            "details": [name for name in DETAILS if name in options.details.names],
            "smoothing": options.smoothing,
            "profile": options.profile,
            "limits": {
                "frame_bytes": settings.max_file_bytes,
                "pixels": settings.max_image_pixels,
                "frames_per_second": settings.stream_frames_per_second,
                "idle_seconds": IDLE_SECONDS,
                "bad_messages": MOST_BAD,
            },
        }
        await self._send(started)

    # The reader: never waits for anything but the client.

    async def _receive(self) -> None:
        try:
            await self._receive_messages()
        except Exception as defect:
            known_error(defect, self._id)
            self._finish_with(End.DEFECT)

    async def _receive_messages(self) -> None:
        while self._end is None:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    message = await self._websocket.receive()
            except TimeoutError:
                self._finish_with(End.IDLE)
                return
            if message["type"] == "websocket.disconnect":
                self._finish_with(_ENDS.get(message["code"], End.GONE) if message.get("unfinished") else End.GONE)
                return
            if (data := message.get("bytes")) is not None:
                self._take_frame(data)
            else:
                self._take_text(message["text"])

    def _take_frame(self, data: bytes) -> None:
        number, self._received = self._received, self._received + 1
        now = time.monotonic()
        t = self._next_time if self._next_time is not None else max(now - self._started, self._last_time)
        self._next_time, self._last_time = None, t
        if not self._service.streams.grants_frame(*self._client):
            self._skip("rate")
            return
        self._pass_over()
        try:
            self._memory.take(len(data))
        except Overloaded:
            self._skip("busy")
            return
        self._waiting.append(_Frame(number, t, data))
        self._changed.set()

    def _pass_over(self) -> None:
        """Passes over the frame that waits, if there is one."""
        with suppress(IndexError):
            self._drop(self._waiting.popleft())
            self._skip("busy")

    def _drop(self, frame: _Frame) -> None:
        self._memory.give_back(len(frame.data))

    def _take_text(self, text: str) -> None:
        try:
            self._obey(_parsed(text))
        except VisageError as error:
            # Its traceback holds the message.
            self._bad.append(error.with_traceback(None))
            self._changed.set()

    def _obey(self, message: Mapping[str, Any]) -> None:
        match message.get("type"):
            case "time":
                t = message.get("t")
                if isinstance(t, bool) or not isinstance(t, int | float) or not 0 <= t <= _LATEST:
                    raise InvalidRequest(f"t: takes seconds from 0 to {_LATEST:,.0f}.")
                if t < self._last_time:
                    raise InvalidRequest(f"t: is before the last frame, which is at {self._last_time:.3f}.")
                self._next_time = float(t)
            case "end":
                self._finish_with(End.END)
            case _:
                raise InvalidRequest("type: takes time or end. Send pictures as binary messages.")

    def _skip(self, reason: SkipReason) -> None:
        self._frames.session.skipped(reason)
        self._service.metrics.stream_frame_skipped(reason)

    def _drain(self) -> None:
        self._finish_with(End.DRAINING)

    def _finish_with(self, end: End) -> None:
        """Ends the stream. The first end counts, but one that is gone needs no other."""
        if self._end is None or end is End.GONE:
            self._end = end
        if end is End.GONE and self._reservation is not None:
            self._reservation.cancel()
        self._changed.set()

    # The rest: reads one frame at a time, and sends.

    async def _work(self) -> End:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._bad_in_row < MOST_BAD and self._end is not End.GONE:
                if self._bad:
                    await self._send_error(self._bad.popleft())
                elif self._waiting and self._end in {None, End.END, End.IDLE}:
                    await self._read_frame()
                else:
                    break
            if self._bad_in_row >= MOST_BAD:
                self._finish_with(End.BAD_MESSAGES)
            if self._end is not None:
                return self._end

    async def _read_frame(self) -> None:
        pool = self._service.pool
        self._reservation = reservation = pool.reserve_frame()
        submitted = time.perf_counter()

        def job(pipeline: Pipeline, checkpoint: Checkpoint) -> _Read | None:
            queue_ms = (time.perf_counter() - submitted) * 1000
            frame = self._take()
            if frame is None:
                return None
            skipped = self._skipped_before(frame)
            return self._frames.read(frame, self._model(), pipeline, checkpoint, queue_ms=queue_ms, skipped=skipped)

        try:
            read = await pool.run(reservation, job, stream=True)
        except ClientDisconnected:
            return
        except Exception as exception:
            await self._failed(exception)
            return
        finally:
            self._reservation = None
        if read is None:
            return
        self._taken = None
        self._drop(read.frame)
        self._bad_in_row = 0
        self._last_told = read.frame.number
        self._service.metrics.stream_frame_read(read.record)
        await self._websocket.send_text(read.message)
        self._memory.give_back(read.size)
        for event in read.events:
            await self._send(event)

    def _take(self) -> _Frame | None:
        """Takes the newest frame, or again the one that was taken, where its job runs once more. None where it was
        passed over, and the next one has not come yet. Runs on a worker's thread."""
        if self._taken is None:
            with suppress(IndexError):
                self._taken = self._waiting.popleft()
        return self._taken

    def _model(self) -> Classifier:
        """The model by its name, because a reload replaces it."""
        model = self._service.registry.get(self._options.model.manifest.name)
        if tuple(model.manifest.labels) != self._options.labels:
            raise ModelNotFound("This model was replaced by one with other labels. Open another stream.")
        return model

    async def _failed(self, exception: Exception) -> None:
        frame, self._taken = self._taken, None
        if frame is not None and isinstance(exception, Overloaded):
            # There is no memory for its result.
            self._drop(frame)
            self._skip("busy")
            return
        if frame is None:
            # It waited too long for a worker, and the newest frame goes on waiting.
            if not isinstance(exception, Timeout):
                await self._send_error(known_error(exception, self._id))
            return
        self._drop(frame)
        error = known_error(exception, self._id)
        self._frames.session.failed()
        self._service.metrics.stream_frame_failed(error.code)
        await self._send_error(error, frame)

    async def _send_error(self, error: VisageError, frame: _Frame | None = None) -> None:
        self._bad_in_row += 1
        number = skipped = None
        if frame is not None:
            number, skipped, self._last_told = frame.number, self._skipped_before(frame), frame.number
        await self._send(stream_error(error, self._id, frame=number, skipped=skipped))

    def _skipped_before(self, frame: _Frame) -> int:
        """Frames passed over between the last one that was told of and this one."""
        return frame.number - self._last_told - 1

    async def _close(self, end: End) -> None:
        self._pass_over()
        if end is End.GONE:
            return
        session = self._frames.session
        if end in {End.TOO_LARGE, End.NO_ROOM}:
            # The server has refused it while it arrived.
            self._received += 1
            session.failed()
            limit = self._service.settings.max_file_size_mb
            too_large = FileTooLarge(f"The frame is larger than {limit:g} MB.")
            error = too_large if end is End.TOO_LARGE else Overloaded()
            self._service.metrics.stream_frame_failed(error.code)
            await self._send(stream_error(error, self._id))
        await self._send(session.summary(end.reason))
        await self._websocket.close(end.code)

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._websocket.send_text(encoded(message))

    def _count_end(self, end: End) -> None:
        seconds = time.monotonic() - self._started
        self._service.metrics.stream_closed(end.code, seconds)
        record = request_record(self._websocket.scope)
        record.items = self._received
        logger.info("A stream ended after %.1f s and %d frames: %s.", seconds, self._received, end.reason)


class FrameSearches:
    """Decides how the frames of a stream are searched for faces: the whole frame every half second and while a track is
    lost, else where the faces were."""

    def __init__(self, options: FrameOptions) -> None:
        self._options = options
        self._whole_frame_at: float | None = None

    def options(self, t: float, tracker: Tracker) -> FrameOptions:
        lost = len(tracker.tracks) > len(self._options.known)
        whole_frame = lost or self._whole_frame_at is None or t - self._whole_frame_at >= _WHOLE_FRAME_SECONDS
        return replace(self._options, whole_frame=whole_frame)

    def took(self, t: float, faces: Sequence[Face], count: int, *, full: bool) -> None:
        """Notes what a frame shows: the wanted faces, and how many there are."""
        if full:
            self._whole_frame_at = t
        self._options = replace(self._options, known=tuple(face.box for face in faces), known_count=count)


class _Frames:
    """What a stream remembers from frame to frame. Used on worker threads, by one job at a time."""

    def __init__(self, options: StreamOptions, threshold: float, request_id: str, memory: HeldMemory) -> None:
        self._memory = memory
        self._options = options
        self._searches = FrameSearches(FrameOptions(options.every_face, options.details.names))
        self._threshold = threshold
        self._id = request_id
        self._tracker = Tracker(options.smoothing)
        self._profile = None if options.profile is None else InterviewPractice(options.labels)
        self.session = Session(options.labels, self._profile)

    def read(
        self,
        frame: _Frame,
        model: Classifier,
        pipeline: Pipeline,
        checkpoint: Checkpoint,
        *,
        queue_ms: float,
        skipped: int,
    ) -> _Read:
        """The predictions for a frame, as the client gets them."""
        detected = pipeline.detect_frame(frame.data, self._searches.options(frame.t, self._tracker), checkpoint)
        predicted = PicturePrediction(model, (), 0.0)
        if detected.faces:
            predicted = pipeline.predict(detected, model, ClassifyOptions(), checkpoint)
        timings = detected.timings.after(queue_ms)
        checkpoint()
        size = len(detected.faces) * (FACE_BYTES + result_bytes(self._options.details))
        self._memory.take(size)
        self._searches.took(frame.t, detected.faces, detected.faces_detected, full=detected.whole_frame)
        tracks = self._tracker.update(frame.t, detected.faces)
        faces = [self._tracked(frame.t, *each, predicted) for each in zip(tracks, predicted.faces, strict=True)]
        found = [_session_face(face, shown.box) for face, shown in zip(faces, detected.faces, strict=True)]
        events = self.session.add(frame.t, found)
        record = picture_record(Findings(detected, [predicted], self._threshold, timings, self._id))
        practice = self._profile.latest if self._profile and faces else None
        prediction = frame_prediction(
            frame.number, frame.t, detected, faces, timings, skipped=skipped, practice=practice
        )
        return _Read(frame, encoded(prediction), size, record, events)

    def _tracked(self, t: float, track: Track, face: FacePrediction, predicted: PicturePrediction) -> TrackedFace:
        """A face with what only frames in a row can show."""
        shown = predicted_face(face, predicted, self._threshold, "false", self._options.details)
        units = shown.get("action_units")
        if units is not None:
            add_blink(units, track.blinks, t)
        smoothed: dict[str, float] | None = None
        if (means := track.smoothed(t, face.probabilities)) is not None:
            smoothed = {label: round(mean, 4) for label, mean in zip(self._options.labels, means, strict=True)}
        return {"track": track.number, **shown, "smoothed": smoothed}


def _session_face(face: TrackedFace, box: Box) -> SessionFace:
    units = face.get("action_units")
    return SessionFace(
        track=face["track"],
        probabilities=face["probabilities"],
        uncertain=face["is_uncertain"],
        warnings=[warning["code"] for warning in face["warnings"]],
        box=box,
        units={code: unit["intensity"] for code, unit in units.items()} if units else None,
    )


def _parsed(text: str) -> Mapping[str, Any]:
    if len(text) > _LONGEST_TEXT:
        raise InvalidRequest(f"A text message takes at most {_LONGEST_TEXT} characters.")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequest("A text message must be JSON. Send pictures as binary messages.") from None
    if not isinstance(message, dict):
        raise InvalidRequest("A text message must be a JSON object.")
    return message
