"""Joins the faces of consecutive frames into tracks by where they are. Nobody is recognised: a face that was out of
view for longer than a second gets a new number. Time without frames shows nobody out of view."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.expression.blinks import Blinks
from app.sessions.smoothing import Smoother
from app.vision.geometry import Face, Point

LOST_AFTER: Final = 1.0
"""Seconds after the first frame without its face from which on a track has ended, and for which it is expected to move
on as before."""

_SECONDS, _CROWDED_SECONDS = 0.3, 2.0
"""Time constants of a track's mean velocity and width: alone, and while another face overlaps it. Boxes tremble by a
few pixels from frame to frame, and a face that is partly hidden is found smaller than it is and beside its place."""

_CROWDED: Final = 0.05
"""Overlap with another face from which a face may be partly hidden."""

_PARTIAL: Final = 1.25
"""Factor between the width of a face and its mean from which it counts as partly hidden, if another overlaps it."""

_LEAST_OVERLAP: Final = 0.1
"""Overlap of a face with the predicted box of a track from which they may be the same."""

_FARTHEST: Final = 0.6
"""Distance in face widths up to which landmarks may be those of the predicted face, where the boxes do not overlap."""

_FARTHER_A_SECOND: Final = 2.0
"""Face widths by which that distance grows for each second that the track is not seen."""

_LARGEST_CHANGE: Final = 2.0
"""Largest factor between the width of a face and the mean of its track."""


@dataclass(slots=True)
class Track:
    """One face followed through frames. ``velocity`` is in pixels a second; it and ``width`` are means over time."""

    number: int
    face: Face
    seen: float
    width: float
    velocity: Point = (0.0, 0.0)
    frames: int = 1
    missing_since: float | None = None
    """The time of the first frame since then without the face."""
    blinks: Blinks = field(default_factory=Blinks)
    smoother: Smoother | None = None

    def smoothed(self, t: float, probabilities: Sequence[float]) -> tuple[float, ...] | None:
        """The means of its probabilities after those of a frame; None where its tracker has no ``smoothing``."""
        return None if self.smoother is None else self.smoother.add(t, probabilities)

    def predicted(self, t: float) -> Face:
        """The face where it should be at a time, if it moves on as before."""
        elapsed = self.unseen(t)
        return self.face.moved(self.velocity[0] * elapsed, self.velocity[1] * elapsed)

    def unseen(self, t: float) -> float:
        """Seconds for which the face may have moved unseen: a pause of the frames counts as a second at most."""
        return min(t - self.seen, LOST_AFTER)

    def has_ended(self, t: float) -> bool:
        return self.missing_since is not None and t - self.missing_since > LOST_AFTER

    def follow(self, face: Face, t: float, *, crowded: bool) -> None:
        """Goes on with a face; ``crowded`` says that another one overlaps it."""
        self.missing_since = None
        elapsed = t - self.seen
        if elapsed <= 0:
            return
        expected = self.predicted(t)
        if crowded and _factor(face.box.width, self.width) > _PARTIAL:
            # Its place is not where its visible part is.
            face = expected
        (x, y), (before_x, before_y) = face.box.center, self.face.box.center
        share = -math.expm1(-elapsed / (_CROWDED_SECONDS if crowded else _SECONDS))
        share = max(share, 1 / self.frames)
        self.velocity = (
            self.velocity[0] + share * ((x - before_x) / elapsed - self.velocity[0]),
            self.velocity[1] + share * ((y - before_y) / elapsed - self.velocity[1]),
        )
        self.width += share * (face.box.width - self.width)
        self.face, self.seen = face, t
        self.frames += 1


@dataclass(slots=True)
class Tracker:
    """The tracks of one stream. Tracks are numbered from 1, and a number is never used again.

    ``smoothing`` is the time constant of the means of their probabilities in seconds; 0 for none.
    """

    smoothing: float = 0.0
    tracks: list[Track] = field(default_factory=list)
    _last_number: int = 0

    def update(self, t: float, faces: Sequence[Face]) -> list[Track]:
        """The track of each face of the frame at ``t``, in seconds, which does not fall."""
        self.tracks = [each for each in self.tracks if not each.has_ended(t)]
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
            others = [other.predicted(t).box for other in self.tracks if other is not track]
            crowded = any(faces[index].box.overlap(box) > _CROWDED for box in others)
            track.follow(faces[index], t, crowded=crowded)
        for number, track in enumerate(self.tracks):
            if number not in taken and track.missing_since is None:
                track.missing_since = t
        return [chosen.get(index) or self._begin(face, t) for index, face in enumerate(faces)]

    def _begin(self, face: Face, t: float) -> Track:
        self._last_number += 1
        smoother = Smoother(self.smoothing) if self.smoothing else None
        track = Track(self._last_number, face, t, face.box.width, smoother=smoother)
        self.tracks.append(track)
        return track


def _cost(track: Track, face: Face, t: float) -> float | None:
    """How badly a face fits a track; None when it cannot be the same."""
    expected = track.predicted(t)
    change = _factor(face.box.width, track.width)
    if change > _LARGEST_CHANGE:
        return None
    distance = _distance(expected, face) / max(track.width, face.box.width)
    farthest = _FARTHEST + _FARTHER_A_SECOND * track.unseen(t)
    if expected.box.overlap(face.box) < _LEAST_OVERLAP and distance > farthest:
        return None
    return distance + math.log(change)


def _factor(one: float, other: float) -> float:
    """How many times as large as the smaller the larger is."""
    return max(one, other) / max(min(one, other), 1e-6)


def _distance(one: Face, other: Face) -> float:
    """The mean distance of the landmarks, or of the boxes' centres where there are none."""
    pairs = list(zip(one.landmarks, other.landmarks, strict=False)) or [(one.box.center, other.box.center)]
    return sum(math.dist(*pair) for pair in pairs) / len(pairs)
