"""The summary of a session: what its frames come to, in memory that does not grow with its length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypeAliasType, TypedDict

from app.expression.blinks import series_units
from app.sessions.profile import Event, InterviewPractice, ProfileResult
from app.sessions.series import Series
from app.vision.geometry import Box

SkipReason = Literal["busy", "rate"]
CaveatCode = TypeAliasType(
    "CaveatCode",
    Literal[
        "few_frames",
        "no_faces",
        "face_missing",
        "often_uncertain",
        "picture_quality",
        "frames_skipped",
        "frames_failed",
        "gaps",
        "several_faces",
        "tracks_left_out",
        "changes_left_out",
    ],
)

MOST_TRACKS: Final = 200
"""Most tracks of a summary, which is the most faces that one frame can have."""

MOST_CHANGES: Final = 1000

_LONGEST_STEP: Final = 1.0
"""Seconds that a frame stands for at most, when the next one comes later."""

_FEW, _OFTEN, _LONG_GAP, _BRIEF = 30, 0.3, 2.0, 1.0
_PROBABILITY_DIGITS, _TIME_DIGITS = 4, 3


@dataclass(frozen=True, slots=True)
class SessionFace:
    """One face of a frame: its track, what the model says of it, and where it is."""

    track: int
    probabilities: Mapping[str, float]
    uncertain: bool
    warnings: Sequence[str]
    box: Box | None
    units: Mapping[str, float] | None = None
    """Intensities of its action units by number, where they were measured."""


class FrameCounts(TypedDict):
    """The frames of a session: ``received`` = ``read`` + ``failed`` + all ``skipped``."""

    received: int
    read: int
    failed: Annotated[int, Field(description="Frames that had an `error`.")]
    skipped: Annotated[dict[SkipReason, int], Field(description="Frames that were passed over, by reason.")]
    without_face: Annotated[int, Field(description="Frames that were read and show no face.")]


class UnitSummary(TypedDict):
    """One action unit of a track, over the frames in which it was measured."""

    name: str
    mean_intensity: Annotated[float, Field(description="From 0 to 1.")]
    active_share: Annotated[float, Field(description="Share of these frames in which it is active.")]


# ``from`` is a keyword of Python.
TrackSummary = TypedDict(
    "TrackSummary",
    {
        "track": int,
        "from": Annotated[float, Field(description="The time of its first frame, in seconds.")],
        "to": Annotated[float, Field(description="The time of its last frame, in seconds.")],
        "seconds": Annotated[
            float, Field(description="Time with this face: a frame counts until the next one, at most 1 s.")
        ],
        "frames": int,
        "share": Annotated[dict[str, float], Field(description="Share of that time by the most probable label.")],
        "mean_probabilities": Annotated[dict[str, float], Field(description="Means over its frames.")],
        "uncertain_share": Annotated[float, Field(description="Share of its frames with an uncertain prediction.")],
        "warnings": Annotated[dict[str, int], Field(description="Its frames by the code of their warnings.")],
        "largest_gap": Annotated[float, Field(description="Longest time between two of its frames, in seconds.")],
        "action_units": NotRequired[
            Annotated[dict[str, UnitSummary], Field(description="By number; only where its frames have action units.")]
        ],
    },
)
"""One face, followed through a session. Its number identifies nobody and is used in this session only."""

Change = TypedDict("Change", {"t": float, "track": int, "from": str, "to": str})
"""The most probable label of a track has changed."""


class SeriesPoint(TypedDict):
    """A frame of a track, or the mean of its frames in a span of time."""

    t: float
    track: int
    probabilities: dict[str, float]


class Caveat(TypedDict):
    """A reason to doubt a summary."""

    code: CaveatCode
    message: str


class SessionSummary(TypedDict):
    """What the frames of a session come to."""

    success: Literal[True]
    type: Literal["summary"]
    reason: Annotated[str, Field(description="Why the session ended: `end`, `idle`, `draining`, …")]
    duration: Annotated[float, Field(description="Seconds from the first frame that was read to the last.")]
    frames: FrameCounts
    tracks: Annotated[list[TrackSummary], Field(description="The faces; of more than 200 those with the most frames.")]
    changes: Annotated[list[Change], Field(description="Changes of the most probable label; the first 1,000.")]
    series: Annotated[
        list[SeriesPoint],
        Field(description="At most 600 points: every frame of every track, or means by equal spans of time."),
    ]
    caveats: list[Caveat]
    profile: Annotated[ProfileResult | None, Field(description="The result of the profile that was asked for.")]


class Session:
    """Adds up frames as they are read."""

    def __init__(self, labels: Sequence[str], profile: InterviewPractice | None) -> None:
        self._labels = tuple(labels)
        self._profile = profile
        self._skipped: Counter[SkipReason] = Counter()
        self._failed = self._read = self._without_face = 0
        self._first = self._last = self._step = 0.0
        self._tracks: dict[int, _Track] = {}
        self._in_view: list[_Track] = []
        self._left_out = 0
        self._changes: list[Change] = []
        self._change_count = 0
        self._series = Series()

    def add(self, t: float, faces: Sequence[SessionFace]) -> list[Event]:
        """Takes a frame that was read, with its time in seconds. Returns the events of the profile."""
        self._advance(t)
        self._read += 1
        self._without_face += not faces
        shown = {face.track for face in faces}
        for face in faces:
            self._add_face(face, shown)
        self._in_view = [self._tracks[number] for number in shown]
        if self._profile is None or not faces:
            return []
        largest = max(faces, key=_area)
        return self._profile.add(self._last, largest.track, largest.probabilities)

    def skipped(self, reason: SkipReason) -> None:
        """Counts a frame that was passed over."""
        self._skipped[reason] += 1

    def failed(self) -> None:
        """Counts a frame that had an error."""
        self._failed += 1

    def summary(self, reason: str) -> SessionSummary:
        """What the frames come to so far."""
        tracks = [self._track_summary(self._tracks[number]) for number in sorted(self._tracks)]
        return {
            "success": True,
            "type": "summary",
            "reason": reason,
            "duration": round(self._last - self._first, _TIME_DIGITS),
            "frames": self._frames(),
            "tracks": tracks,
            "changes": self._changes,
            "series": [
                {
                    "t": round(point.t, _TIME_DIGITS),
                    "track": point.track,
                    "probabilities": self._named(point.values),
                }
                for point in self._series.points()
            ],
            "caveats": [{"code": code, "message": message} for code, message in self._caveats(tracks)],
            "profile": None if self._profile is None else self._profile.result(),
        }

    def _advance(self, t: float) -> None:
        """Moves on to the time of the next frame. A time that falls counts as the last one."""
        if not self._read:
            self._first = self._last = t
            return
        t = max(t, self._last)
        self._step = min(t - self._last, _LONGEST_STEP)
        self._last = t
        for track in self._in_view:
            track.lasted(self._step)

    def _add_face(self, face: SessionFace, shown: set[int]) -> None:
        values = [face.probabilities[label] for label in self._labels]
        label = values.index(max(values))
        track = self._tracks.get(face.track)
        if track is None:
            self._make_room(shown)
            self._tracks[face.track] = track = _Track(face.track, self._last, len(self._labels), label)
        elif track.label != label:
            self._change(track, label)
        track.add(self._last, label, values, face)
        self._series.add(self._last, face.track, values)

    def _change(self, track: _Track, label: int) -> None:
        self._change_count += 1
        if len(self._changes) < MOST_CHANGES:
            before, after = self._labels[track.label], self._labels[label]
            t = round(self._last, _TIME_DIGITS)
            self._changes.append({"t": t, "track": track.number, "from": before, "to": after})

    def _make_room(self, shown: set[int]) -> None:
        """Drops the track with the fewest frames that is not in view, when there are as many as a summary has."""
        if len(self._tracks) < MOST_TRACKS:
            return
        ended = [track for number, track in self._tracks.items() if number not in shown] or [*self._tracks.values()]
        dropped = min(ended, key=lambda track: track.frames).number
        del self._tracks[dropped]
        self._series.drop(dropped)
        self._changes = [change for change in self._changes if change["track"] != dropped]
        self._left_out += 1

    def _frames(self) -> FrameCounts:
        return {
            "received": self._read + self._failed + self._skipped.total(),
            "read": self._read,
            "failed": self._failed,
            "skipped": dict(self._skipped),
            "without_face": self._without_face,
        }

    def _track_summary(self, track: _Track) -> TrackSummary:
        seconds = list(track.seconds)
        if track in self._in_view:
            # Nothing follows the last frame: it counts as long as the one before it.
            seconds[track.label] += self._step
        total = sum(seconds)
        shares = [value / total for value in seconds] if total else [count / track.frames for count in track.counts]
        summary: TrackSummary = {
            "track": track.number,
            "from": round(track.first, _TIME_DIGITS),
            "to": round(track.last, _TIME_DIGITS),
            "seconds": round(total, _TIME_DIGITS),
            "frames": track.frames,
            "share": self._named(shares),
            "mean_probabilities": self._named([value / track.frames for value in track.sums]),
            "uncertain_share": round(track.uncertain / track.frames, _PROBABILITY_DIGITS),
            "warnings": dict(track.warnings),
            "largest_gap": round(track.largest_gap, _TIME_DIGITS),
        }
        if track.units:
            summary["action_units"] = track.unit_summaries()
        return summary

    def _named(self, values: Sequence[float]) -> dict[str, float]:
        rounded = (round(value, _PROBABILITY_DIGITS) for value in values)
        return dict(zip(self._labels, rounded, strict=True))

    def _caveats(self, tracks: Sequence[TrackSummary]) -> Iterator[tuple[CaveatCode, str]]:
        yield from self._caveats_of_frames()
        yield from self._caveats_of_tracks(tracks)
        if self._left_out:
            yield "tracks_left_out", f"{self._left_out} faces with few frames are left out of the list of faces."
        if self._change_count > MOST_CHANGES:
            yield "changes_left_out", f"There were {self._change_count} changes; the first {MOST_CHANGES} are listed."

    def _caveats_of_frames(self) -> Iterator[tuple[CaveatCode, str]]:
        counts = self._frames()
        read, received = counts["read"], counts["received"]
        if read < _FEW:
            yield "few_frames", f"Only {read} frames were read. Shares and means of so few say little."
        if read and counts["without_face"] == read:
            yield "no_faces", "No frame shows a face."
        elif counts["without_face"] > _OFTEN * read:
            yield "face_missing", f"{_percent(counts['without_face'], read)} of the frames show no face."
        if self._skipped.total() > _OFTEN * received:
            yield "frames_skipped", f"{_percent(self._skipped.total(), received)} of the frames were passed over."
        if self._failed:
            yield "frames_failed", f"{self._failed} frames could not be read."

    def _caveats_of_tracks(self, tracks: Sequence[TrackSummary]) -> Iterator[tuple[CaveatCode, str]]:
        if not tracks:
            return
        faces = sum(track["frames"] for track in tracks)
        uncertain = sum(track.uncertain for track in self._tracks.values())
        if uncertain > _OFTEN * faces:
            yield "often_uncertain", f"{_percent(uncertain, faces)} of the predictions are uncertain."
        warnings = sum((track.warnings for track in self._tracks.values()), Counter[str]())
        # Several faces are no fault of the picture.
        frequent = [code for code, count in warnings.items() if count > _OFTEN * faces and code != "multiple_faces"]
        if frequent:
            named = ", ".join(code.replace("_", " ") for code in sorted(frequent))
            yield "picture_quality", f"Many frames have a warning of their quality: {named}."
        gap = max(track["largest_gap"] for track in tracks)
        if gap > _LONG_GAP:
            yield "gaps", f"A face was not seen for {gap:.1f} s between two of its frames."
        if self._profile is not None and sum(track["seconds"] > _BRIEF for track in tracks) > 1:
            yield "several_faces", "There were several faces. The profile follows the largest face of each frame."


class _Track:
    """One face, added up."""

    def __init__(self, number: int, t: float, labels: int, label: int) -> None:
        self.number = number
        self.first = self.last = t
        self.label = label
        self.frames = self.uncertain = 0
        self.largest_gap = 0.0
        self.seconds = [0.0] * labels
        self.counts = [0] * labels
        self.sums = [0.0] * labels
        self.warnings: Counter[str] = Counter()
        self.units: dict[str, _UnitSums] = {}

    def add(self, t: float, label: int, values: Sequence[float], face: SessionFace) -> None:
        self.largest_gap = max(self.largest_gap, t - self.last)
        self.last = t
        self.label = label
        self.frames += 1
        self.counts[label] += 1
        self.sums = [mine + value for mine, value in zip(self.sums, values, strict=True)]
        self.uncertain += face.uncertain
        self.warnings.update(face.warnings)
        for code, intensity in (face.units or {}).items():
            self.units.setdefault(code, _UnitSums()).add(intensity, series_units()[code].threshold)

    def lasted(self, seconds: float) -> None:
        """The last frame counts for this long."""
        self.seconds[self.label] += seconds

    def unit_summaries(self) -> dict[str, UnitSummary]:
        """The means of the action units, in order of number."""
        return {
            code: {
                "name": unit.name,
                "mean_intensity": round(sums.intensity / sums.frames, _PROBABILITY_DIGITS),
                "active_share": round(sums.active / sums.frames, _PROBABILITY_DIGITS),
            }
            for code, unit in series_units().items()
            if (sums := self.units.get(code))
        }


@dataclass(slots=True)
class _UnitSums:
    """One action unit of a track, added up."""

    frames: int = 0
    intensity: float = 0.0
    active: int = 0

    def add(self, intensity: float, threshold: float) -> None:
        self.frames += 1
        self.intensity += intensity
        self.active += intensity > threshold


def _area(face: SessionFace) -> float:
    return face.box.area if face.box is not None else 0.0


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"
