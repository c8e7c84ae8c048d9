"""The profile ``interview_practice``: how confident a person looks in their own recording, by a published formula.

It is for a person's own practice. It describes an appearance; it does not say what somebody feels or can do.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pvariance
from typing import Annotated, Final, Literal

from pydantic import Field
from typing_extensions import TypeAliasType, TypedDict

from app.expression.labels import usual_name
from app.sessions.series import Series

ProfileName = Literal["interview_practice"]
PracticeLevel = TypeAliasType(
    "PracticeLevel", Literal["excellent", "confident", "moderate", "nervous", "anxious", "very anxious"]
)
Trend = Literal["improving", "declining", "steady"]
ImprovementCode = TypeAliasType(
    "ImprovementCode",
    Literal["low_confidence", "sudden_drops", "declining", "uneven", "weak_beginning", "weak_end", "tense"],
)

NOTICE: Final = (
    "This describes how a face looks in your own recording, by a formula, for your own practice. It does not say what "
    "you feel or how able you are. Do not use it to judge anybody: at work, in hiring and in education the EU AI Act "
    "forbids inferring emotions."
)
"""Stands in each result of the profile."""

WEIGHTS: Final[Mapping[str, float]] = {
    "happy": 0.85,
    "neutral": 0.75,
    "surprise": 0.50,
    "sad": -0.60,
    "fear": -0.70,
    "angry": -0.50,
    "disgust": -0.40,
}
LEVELS: Final[tuple[tuple[float, PracticeLevel], ...]] = (
    (0.80, "excellent"),
    (0.65, "confident"),
    (0.50, "moderate"),
    (0.35, "nervous"),
    (0.20, "anxious"),
)
"""The least smoothed confidence of each level; below all of them the level is ``very anxious``."""

_WINDOW: Final = 15
_SPIKE_WINDOW: Final = 3
_SPIKE: Final = 0.15
_STEADY: Final = 0.005
_DIGITS: Final = 6
_MOST_SPIKES: Final = 1000
_MOST_BLOCKS: Final = 2**17
_LANE: Final = 32
_WEAKER: Final = 0.1
_ADVICE: Final[Mapping[ImprovementCode, str]] = {
    "low_confidence": "Your face looked tense or unsure most of the time. Relax your jaw and brow before you begin.",
    "sudden_drops": "Your look dropped suddenly several times. Pause and breathe before you go on to a hard question.",
    "declining": "Your look became less confident towards the end of this recording. Practise shorter rounds.",
    "uneven": "Your look changed a lot in the last seconds. Speak slower, and look at the camera.",
    "weak_beginning": "You looked less confident at the beginning than later. Practise your first sentences.",
    "weak_end": "You looked less confident at the end than before. Prepare a closing sentence.",
    "tense": "Your face often looked angry, afraid or sad. Watch those moments in your recording.",
}

_TENSE: Final = frozenset({"angry", "fear", "sad", "disgust"})
_SPIKE_MESSAGE: Final = "You looked less confident all at once. Pause, breathe, and go on."
LEVEL_MESSAGES: Final[Mapping[PracticeLevel, str]] = {
    "excellent": "You look very confident. Keep it like this.",
    "confident": "You look confident. Keep your eyes on the camera.",
    "moderate": "You look calm. A smile at the start of a sentence makes you look more confident.",
    "nervous": "You look a little nervous. Breathe out slowly and relax your shoulders.",
    "anxious": "You look tense. Pause for a moment and relax your jaw and brow.",
    "very anxious": "You look very tense. Take a break, then begin again with an easy question.",
}


class PracticePoint(TypedDict):
    """A frame, or the mean of the frames in a span of time."""

    t: float
    confidence: Annotated[float, Field(description="How confident the face looks, from 0 to 1.")]
    smoothed_confidence: Annotated[float, Field(description="Mean of the last 15 frames with a face.")]
    level: Annotated[PracticeLevel, Field(description="The level of the smoothed confidence.")]


class Spike(TypedDict):
    """A sudden drop of the confidence below the mean of the three frames before."""

    t: float
    magnitude: Annotated[float, Field(description="The difference from that mean.")]


class Segment(TypedDict):
    """A part of the session, by the count of its frames with a face. Without such frames, the means are null."""

    mean_confidence: float | None
    dominant: Annotated[str | None, Field(description="The label of the most frames.")]
    spikes: int


class Segments(TypedDict):
    """The first 20 %, the middle 60 % and the last 20 % of the frames with a face."""

    beginning: Segment
    middle: Segment
    end: Segment


class Stability(TypedDict):
    """The confidence over the last 15 frames with a face."""

    variance: float
    trend: Annotated[Trend, Field(description="By the slope of a least-squares line: beyond ±0.005 a frame.")]
    consistency: Annotated[float, Field(description="1 − min(1, 4 × standard deviation).")]


class Improvement(TypedDict):
    """What a person may practise."""

    code: ImprovementCode
    message: str


class ProfileResult(TypedDict):
    """What the profile says of a session. It describes an appearance and is not for judging anybody."""

    name: ProfileName
    mean_confidence: Annotated[float | None, Field(description="Null without a frame with a face.")]
    frames: Annotated[
        list[PracticePoint],
        Field(description="At most 600 points: the frames with a face, or means by equal spans of time."),
    ]
    spikes: Annotated[list[Spike], Field(description="The first 1,000.")]
    segments: Segments
    stability: Annotated[Stability | None, Field(description="Null without a frame with a face.")]
    improvement_areas: list[Improvement]
    notice: Annotated[str, Field(description="What this result is, and what it must not be used for.")]


class SpikeEvent(TypedDict):
    """A spike, as it happens."""

    type: Literal["event"]
    event: Literal["spike"]
    t: float
    track: int
    magnitude: float
    message: Annotated[str, Field(description="A sentence for the person in the recording.")]


# ``from`` is a keyword of Python.
LevelEvent = TypedDict(
    "LevelEvent",
    {
        "type": Literal["event"],
        "event": Literal["level_changed"],
        "t": float,
        "track": int,
        "from": PracticeLevel | None,
        "to": PracticeLevel,
        "smoothed_confidence": float,
        "message": str,
    },
)
"""The level of the smoothed confidence has changed. The first has no level before it."""

Event = SpikeEvent | LevelEvent


def confidence_of(probabilities: Mapping[str, float]) -> float:
    """How confident a face looks, from 0 to 1. Labels that are missing count as 0, unknown ones not at all."""
    adjusted = _adjusted(probabilities)
    score = sum(adjusted[label] * weight for label, weight in WEIGHTS.items())
    return min(max((score + 0.7) / 1.55, 0.0), 1.0)


def level_of(smoothed: float) -> PracticeLevel:
    """The level of a smoothed confidence, rounded as results show it."""
    shown = round(smoothed, _DIGITS)
    return next((level for least, level in LEVELS if shown >= least), "very anxious")


def _adjusted(probabilities: Mapping[str, float]) -> dict[str, float]:
    """The probabilities with what speaking does to a face taken into account."""
    given = dict.fromkeys(WEIGHTS, 0.0)
    for label, probability in probabilities.items():
        name = label if label in given else usual_name(label)
        if name in given:
            given[name] += probability
    adjusted = dict(given)
    if given["surprise"] > 0.4 and given["happy"] > 0.15:
        moved = min(0.35, given["surprise"] * 0.5)
        adjusted["surprise"] -= moved
        adjusted["happy"] += moved
    calm = given["happy"] + given["neutral"]
    if 0.35 < given["angry"] < 0.70 and calm > 0.15:
        share = min(0.6, calm)
        moved = given["angry"] * share
        adjusted["angry"] *= 1 - share
        adjusted["neutral"] += 0.8 * moved
        adjusted["happy"] += 0.2 * moved
    return adjusted


class InterviewPractice:
    """Follows one face frame by frame, in bounded memory."""

    name: Final[ProfileName] = "interview_practice"

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self.latest: PracticePoint | None = None
        """The last frame with a face."""
        self._window: deque[float] = deque(maxlen=_WINDOW)
        self._total = 0.0
        self._series = Series()
        self._spikes: list[Spike] = []
        self._spike_count = 0
        self._blocks = _Blocks(len(self._labels))

    def add(self, t: float, track: int, probabilities: Mapping[str, float]) -> list[Event]:
        """Takes the face of a frame. Returns what has just happened."""
        confidence = confidence_of(probabilities)
        drop = self._drop(confidence)
        self._window.append(confidence)
        smoothed = fmean(self._window)
        self._total += confidence
        self._series.add(t, 0, (confidence, smoothed))
        values = [probabilities[label] for label in self._labels]
        self._blocks.add(confidence, values.index(max(values)), spike=drop is not None)
        before, self.latest = self.latest, _practice_point(t, confidence, smoothed)
        return [*self._spike(self.latest, track, drop), *_level_events(before, self.latest, track)]

    def result(self) -> ProfileResult:
        """What the frames come to so far."""
        segments, stability = self._segments(), self._stability()
        areas = self._areas(segments, stability)
        return {
            "name": self.name,
            "mean_confidence": self._mean(),
            "frames": [_practice_point(point.t, *point.values) for point in self._series.points()],
            "spikes": self._spikes,
            "segments": segments,
            "stability": stability,
            "improvement_areas": [{"code": code, "message": _ADVICE[code]} for code in areas],
            "notice": NOTICE,
        }

    def _mean(self) -> float | None:
        return round(self._total / self._blocks.frames, _DIGITS) if self._blocks.frames else None

    def _drop(self, confidence: float) -> float | None:
        """How far a spike lies below the mean of the frames before; None for no spike."""
        if len(self._window) < _SPIKE_WINDOW:
            return None
        drop = round(fmean([*self._window][-_SPIKE_WINDOW:]) - confidence, _DIGITS)
        return drop if drop > _SPIKE else None

    def _spike(self, point: PracticePoint, track: int, drop: float | None) -> Iterator[Event]:
        if drop is None:
            return
        self._spike_count += 1
        if len(self._spikes) < _MOST_SPIKES:
            self._spikes.append({"t": point["t"], "magnitude": drop})
        yield {
            "type": "event",
            "event": "spike",
            "t": point["t"],
            "track": track,
            "magnitude": drop,
            "message": _SPIKE_MESSAGE,
        }

    def _segments(self) -> Segments:
        frames = self._blocks.frames
        first, last = frames // 5, frames * 4 // 5
        parts = self._blocks.parts(first, last)
        beginning, middle, end = (self._segment(part) for part in parts)
        return {"beginning": beginning, "middle": middle, "end": end}

    def _segment(self, part: _Part) -> Segment:
        frames = sum(part.labels)
        if not frames:
            return {"mean_confidence": None, "dominant": None, "spikes": part.spikes}
        return {
            "mean_confidence": round(part.confidence / frames, _DIGITS),
            "dominant": self._labels[part.labels.index(max(part.labels))],
            "spikes": part.spikes,
        }

    def _stability(self) -> Stability | None:
        if not self._window:
            return None
        variance = pvariance(self._window)
        slope = _slope(self._window)
        return {
            "variance": round(variance, _DIGITS),
            "trend": "improving" if slope > _STEADY else "declining" if slope < -_STEADY else "steady",
            "consistency": round(1 - min(1.0, 4 * math.sqrt(variance)), _DIGITS),
        }

    def _areas(self, segments: Segments, stability: Stability | None) -> Iterator[ImprovementCode]:
        mean = self._mean()
        if mean is None or stability is None:
            return
        if mean < 0.5:
            yield "low_confidence"
        if self._spike_count > 2:
            yield "sudden_drops"
        if stability["trend"] == "declining":
            yield "declining"
        if stability["consistency"] < 0.5:
            yield "uneven"
        middle = segments["middle"]["mean_confidence"]
        if _is_weaker(segments["beginning"]["mean_confidence"], middle):
            yield "weak_beginning"
        if _is_weaker(segments["end"]["mean_confidence"], middle):
            yield "weak_end"
        parts = (segments["beginning"], segments["middle"], segments["end"])
        if any(part["dominant"] is not None and usual_name(part["dominant"]) in _TENSE for part in parts):
            yield "tense"


def _level_events(before: PracticePoint | None, point: PracticePoint, track: int) -> Iterator[Event]:
    """The event of a level that differs from the one before."""
    previous, level = before and before["level"], point["level"]
    if previous != level:
        yield {
            "type": "event",
            "event": "level_changed",
            "t": point["t"],
            "track": track,
            "from": previous,
            "to": level,
            "smoothed_confidence": point["smoothed_confidence"],
            "message": LEVEL_MESSAGES[level],
        }


def _is_weaker(part: float | None, middle: float | None) -> bool:
    return part is not None and middle is not None and part < middle - _WEAKER


def _practice_point(t: float, confidence: float, smoothed: float) -> PracticePoint:
    return {
        "t": round(t, 3),
        "confidence": round(confidence, _DIGITS),
        "smoothed_confidence": round(smoothed, _DIGITS),
        "level": level_of(smoothed),
    }


def _slope(values: Sequence[float]) -> float:
    """The slope of the least-squares line through values at 0, 1, 2, …"""
    middle, mean = (len(values) - 1) / 2, fmean(values)
    spread = sum((place - middle) ** 2 for place in range(len(values)))
    if not spread:
        return 0.0
    return round(sum((place - middle) * (value - mean) for place, value in enumerate(values)) / spread, _DIGITS)


@dataclass(slots=True)
class _Part:
    """Consecutive frames, added up."""

    confidence: float
    labels: list[int]
    """Frames by label."""
    spikes: int


class _Blocks:
    """The frames of a session in blocks of equal counts, so that its parts can be added up at the end.

    A block is one frame up to 131,072 frames. Whenever there are more blocks, two become one. A block's counts, of
    each label and of spikes, are the 32-bit lanes of one number, so that single frames share a few numbers.
    """

    def __init__(self, labels: int) -> None:
        self.frames = 0
        self._lanes = labels + 1
        one = [1 << (_LANE * lane) for lane in range(labels + 1)]
        self._marks = {
            (label, spike): one[label] + spike * one[labels] for label in range(labels) for spike in (False, True)
        }
        self._size = 1
        self._confidences = array("d")
        self._counts: list[int] = []

    def add(self, confidence: float, label: int, *, spike: bool) -> None:
        counts = self._marks[label, spike]
        if self.frames % self._size:
            self._confidences[-1] += confidence
            self._counts[-1] += counts
        else:
            self._confidences.append(confidence)
            self._counts.append(counts)
        self.frames += 1
        if len(self._counts) > _MOST_BLOCKS:
            self._halve()

    def parts(self, *ends: int) -> Iterator[_Part]:
        """The sums of the frames up to each of ``ends``, rounded to whole blocks, and of the rest."""
        start = 0
        for end in (*(round(end / self._size) for end in ends), len(self._counts)):
            total = sum(self._counts[start:end])
            *labels, spikes = (total >> (_LANE * lane) & (2**_LANE - 1) for lane in range(self._lanes))
            yield _Part(sum(self._confidences[start:end]), labels, spikes)
            start = end

    def _halve(self) -> None:
        """Joins blocks by twos."""
        pairs = range(0, len(self._counts), 2)
        self._confidences = array("d", (sum(self._confidences[first : first + 2]) for first in pairs))
        self._counts = [sum(self._counts[first : first + 2]) for first in pairs]
        self._size *= 2
