"""Joins the faces of consecutive frames into tracks by where they are. Nobody is recognised: a face that was out of
view for longer than a second gets a new number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.vision.geometry import Face, Point

LOST_AFTER: Final = 1.0
"""Seconds without its face after which a track ends."""

_VELOCITY_SECONDS: Final = 0.25
"""Time constant of the mean velocity. Boxes tremble by a few pixels from frame to frame."""

_LEAST_OVERLAP: Final = 0.1
"""Overlap of a face with the predicted box of a track from which they may be the same."""

_FARTHEST: Final = 0.6
"""Distance in face widths up to which landmarks may be those of the predicted face, where the boxes do not overlap."""

_FARTHER_A_SECOND: Final = 2.0
"""Face widths by which that distance grows for each second that the track is not seen."""

_LARGEST_CHANGE: Final = 2.0
"""Largest factor between the widths of a face in two frames."""


@dataclass(slots=True)
class Track:
    """One face followed through frames. The velocity is in pixels a second."""

    number: int
    face: Face
    seen: float
    velocity: Point = (0.0, 0.0)
    frames: int = 1

    def predicted(self, t: float) -> Face:
        """The face where it should be at a time, if it moves on as before."""
        elapsed = t - self.seen
        return self.face.moved(self.velocity[0] * elapsed, self.velocity[1] * elapsed)

    def follow(self, face: Face, t: float) -> None:
        elapsed = t - self.seen
        if elapsed > 0:
            (x, y), (before_x, before_y) = face.box.center, self.face.box.center
            share = 1.0 if self.frames == 1 else -math.expm1(-elapsed / _VELOCITY_SECONDS)
            now = ((x - before_x) / elapsed, (y - before_y) / elapsed)
            self.velocity = (
                self.velocity[0] + share * (now[0] - self.velocity[0]),
                self.velocity[1] + share * (now[1] - self.velocity[1]),
            )
        self.face, self.seen = face, t
        self.frames += 1


@dataclass(slots=True)
class Tracker:
    """The tracks of one stream. Tracks are numbered from 1, and a number is never used again."""

    tracks: list[Track] = field(default_factory=list)
    _last_number: int = 0

    def update(self, t: float, faces: Sequence[Face]) -> list[Track]:
        """The track of each face of the frame at ``t``, in seconds, which does not fall."""
        self.tracks = [track for track in self.tracks if t - track.seen <= LOST_AFTER]
        candidates = sorted(
            (cost, number, index)
            for number, track in enumerate(self.tracks)
            for index, face in enumerate(faces)
            if (cost := _cost(track, face, t)) is not None
        )
        chosen: dict[int, Track] = {}
        taken: set[int] = set()
        for _, number, index in candidates:
            if number not in taken and index not in chosen:
                taken.add(number)
                chosen[index] = self.tracks[number]
        for index, track in chosen.items():
            track.follow(faces[index], t)
        return [chosen.get(index) or self._begin(face, t) for index, face in enumerate(faces)]

    def _begin(self, face: Face, t: float) -> Track:
        self._last_number += 1
        track = Track(self._last_number, face, t)
        self.tracks.append(track)
        return track


def _cost(track: Track, face: Face, t: float) -> float | None:
    """How badly a face fits a track; None when it cannot be the same."""
    expected = track.predicted(t)
    widths = sorted((expected.box.width, face.box.width))
    change = widths[1] / max(widths[0], 1e-6)
    if change > _LARGEST_CHANGE:
        return None
    distance = _distance(expected, face) / (sum(widths) / 2)
    farthest = _FARTHEST + _FARTHER_A_SECOND * (t - track.seen)
    if expected.box.overlap(face.box) < _LEAST_OVERLAP and distance > farthest:
        return None
    return distance + math.log(change)


def _distance(one: Face, other: Face) -> float:
    """The mean distance of the landmarks, or of the boxes' centres where there are none."""
    pairs = list(zip(one.landmarks, other.landmarks, strict=False)) or [(one.box.center, other.box.center)]
    return sum(math.dist(*pair) for pair in pairs) / len(pairs)
