"""Finds the faces of a picture with two networks, of which each finds what the other misses.

The *near* network finds large faces, also turned ones, and places landmarks best. It searches the whole picture first.
The *far* network finds faces of any size in one pass over a larger copy. It runs when the first finds nothing, or when
more faces are wanted. What it finds counts if the near network confirms it in a close-up, which also gives the
landmarks. Faces that fill the picture and profiles, which the near network often misses, count by themselves if the
far network is sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from app.vision.decode import Picture
from app.vision.geometry import Box, Face

SMALL_COPY: Final = 256
MIDDLE_COPY: Final = 320
LARGE_COPY: Final = 640
"""Longer sides, in pixels, of the copies of a picture in which the far network searches."""

_NEAR_SIDE: Final = 128
"""Longer side of the near network's input."""

_CLOSE_UP: Final = 2.2
"""Side of a close-up in box widths. The near network works best at this size."""

_SURROUND: Final = (128, 128, 128)
"""Colour around a picture in a close-up that extends beyond it."""

_FEW_PIXELS: Final = 48
"""Width of a face in a copy below which the far network's score says little."""

_MISSED_PIXELS: Final = 36
"""Width of a face in a copy from which others of its size may be missed there."""

_SMALL_FACE: Final = 0.18
"""Width of a face, as a share of the picture's longer side, up to which the near network misses some."""

_CANDIDATE: Final = 0.4
"""Least score of a face that a close-up may confirm, as a share of the threshold."""

_FAINT: Final = 0.1
"""The same where no face is found so far, for a few faces. Small and turned ones score that low."""

_MOST_FAINT: Final = 8

_LARGE_CANDIDATE: Final = 0.6
"""The same for a face that is large enough for the near network, which has not found it."""

_WORTH_MIRRORING: Final = 0.1
"""By how much the score of a close-up exceeds the threshold when the mirror image may still decide."""

_SURE: Final = 0.25
"""By how much the near network's score exceeds the threshold when no second score is needed."""

_AGREED: Final = 0.3
"""By how much the score of a close-up exceeds the threshold when it confirms a face without its mirror image."""

_CONFIRMED: Final = 0.275
"""By how much the mean score of a close-up and its mirror image, and a tenth of the first score, must exceed the
threshold. Nearly all textures, machines and cats that are taken for a face at first reach less."""

_ALONE: Final = {SMALL_COPY: 0.15, MIDDLE_COPY: 0.3, LARGE_COPY: 0.3}
"""By how much the far network's score exceeds the threshold when a face counts without the near network, by copy."""

_MOST_CANDIDATES: Final = 100
"""Faces that are examined in one copy, so that a picture of a thousand faces does not occupy a worker for long."""

_SAME_FACE: Final = 0.3
"""Intersection over union from which two boxes are the same face."""

_PART_OF: Final = 0.6
"""Share of a box inside a larger one from which it is part of that face."""

_ASSUMED_SHARE: Final = 0.6
"""Side of an assumed face, as a share of the picture's shorter side."""


class FaceNetwork(Protocol):
    """A network that finds faces."""

    def detect(self, pixels: NDArray[np.uint8], least_score: float) -> list[Face]:
        """The faces in uint8 (h, w, 3) RGB, in its pixels, best first. A box may extend beyond them."""
        ...


@dataclass(frozen=True, slots=True)
class FaceDetector:
    """The two networks of a worker, and the least score of a face."""

    near: FaceNetwork
    far: FaceNetwork
    threshold: float


def find(detector: FaceDetector, picture: Picture, *, thorough: bool, near: Sequence[Face] | None = None) -> list[Face]:
    """The faces of a picture in its full-size pixels, largest first.

    ``thorough`` searches for small faces even when there is a large one. ``near`` is what :func:`find_near` returned,
    if it was called for this picture before.
    """
    search = _Search(detector, picture.pixels)
    if near is None:
        search.near()
    else:
        height, width = picture.pixels.shape[:2]
        search.found += [face.scaled(width / picture.width, height / picture.height) for face in near]
    if search.found:
        if not thorough:
            if search.finds_only_small_faces:
                search.far(MIDDLE_COPY)
        elif search.finds_only_small_faces or search.far(MIDDLE_COPY):
            # Beside small faces there may be some that are too small for the middle copy.
            search.far(LARGE_COPY)
    else:
        for side in (LARGE_COPY, SMALL_COPY) if thorough else (SMALL_COPY, LARGE_COPY):
            if not search.found:
                search.far(side)
    return search.sorted(picture)


def find_near(detector: FaceDetector, picture: Picture) -> list[Face]:
    """The large faces of a picture, as the near network finds them in one pass."""
    search = _Search(detector, picture.pixels)
    search.near()
    return search.sorted(picture)


def suffices(found: Sequence[Face], picture: Picture) -> bool:
    """Whether what :func:`find_near` found is all that :func:`find` would find, unless it is thorough."""
    return any(face.box.width >= _SMALL_FACE * max(picture.width, picture.height) for face in found)


def find_again(detector: FaceDetector, picture: Picture, boxes: Sequence[Box]) -> list[Face] | None:
    """The faces that were in these boxes a moment ago, largest first; None when not each of them is found again.

    Searches close-ups alone, so that it finds no face that is new.
    """
    height, width = picture.pixels.shape[:2]
    search = _Search(detector, picture.pixels)
    for box in boxes:
        search.again(box.scaled(width / picture.width, height / picture.height))
    found = search.sorted(picture)
    return found if len(found) == len(boxes) else None


def assumed(picture: Picture) -> Face:
    """The central region of a picture, for a caller who wants a result in any case."""
    side = _ASSUMED_SHARE * min(picture.width, picture.height)
    box = Box((picture.width - side) / 2, (picture.height - side) / 2, side, side)
    return Face(box, 0.0, (), assumed=True)


class _Search:
    """The faces of one picture that have been found so far, in its pixels."""

    def __init__(self, detector: FaceDetector, pixels: NDArray[np.uint8]) -> None:
        self.found: list[Face] = []
        self._detector = detector
        self._threshold = detector.threshold
        self._pixels = pixels
        self._side = max(pixels.shape[:2])

    @property
    def finds_only_small_faces(self) -> bool:
        return all(face.box.width < _SMALL_FACE * self._side for face in self.found)

    def sorted(self, picture: Picture) -> list[Face]:
        """What is found, in the picture's full-size pixels, largest first."""
        height, width = picture.pixels.shape[:2]
        found = sorted(_without_parts(self.found), key=lambda face: face.box.area, reverse=True)
        return [face.scaled(picture.width / width, picture.height / height) for face in found]

    def near(self) -> None:
        """The near network's pass over the whole picture."""
        for face in self._near(self._pixels, self._threshold)[:_MOST_CANDIDATES]:
            again = face if face.score >= self._threshold + _SURE else self._confirmed(face)
            self._add(again and (again if again is face else replace(again, first=face)))

    def again(self, box: Box) -> None:
        """The near network's pass over the surroundings of a face that was there."""
        close_up = self._close_up(box)
        if close_up is not None:
            face = _best(self._near(close_up.pixels, self._threshold), close_up.inside(box))
            self._add(None if face is None else close_up.outside(face))

    def far(self, side: int) -> bool:
        """The far network's pass over a copy. True if small faces are found, so that others may be missed."""
        few = _FEW_PIXELS * self._side / side
        known = len(self.found)
        for face in self._candidates(side):
            if (face.score >= _CANDIDATE * self._threshold or not self.found) and not self._knows(face):
                self._add(self._confirmed(face) or (self._alone(face, side) if face.box.width >= few else None))
        missed_nearby = _MISSED_PIXELS * self._side / side
        return any(face.box.width < missed_nearby for face in self.found[known:])

    def _candidates(self, side: int) -> list[Face]:
        """What the far network finds in a copy and is worth a close-up, best first."""
        least = _FAINT if side == LARGE_COPY and not self.found else _CANDIDATE
        large = _SMALL_FACE * self._side
        seen = [
            face
            for face in self._far(side, least * self._threshold)
            if face.box.width < large or face.score >= _LARGE_CANDIDATE * self._threshold
        ]
        clear = sum(face.score >= _CANDIDATE * self._threshold for face in seen)
        return seen[: min(clear + _MOST_FAINT, _MOST_CANDIDATES)]

    def _far(self, side: int, least_score: float) -> list[Face]:
        """What the far network finds in a copy, in the picture's pixels."""
        copy = _resized(self._pixels, side)
        across, down = self._pixels.shape[1] / copy.shape[1], self._pixels.shape[0] / copy.shape[0]
        return [face.scaled(across, down) for face in self._detector.far.detect(copy, least_score)]

    def _near(self, pixels: NDArray[np.uint8], least_score: float) -> list[Face]:
        """What the near network finds, in the pixels that are given."""
        small = _halved(pixels, 2 * _NEAR_SIDE)
        across, down = pixels.shape[1] / small.shape[1], pixels.shape[0] / small.shape[0]
        return [face.scaled(across, down) for face in self._detector.near.detect(small, least_score)]

    def _knows(self, face: Face) -> bool:
        return any(
            face.box.overlap(other.box) > _SAME_FACE or face.box.covered_by(other.box) > _PART_OF
            for other in self.found
        )

    def _add(self, face: Face | None) -> None:
        if face is not None and not self._knows(face):
            self.found.append(face)

    def _alone(self, face: Face, side: int) -> Face | None:
        """A face that the near network does not confirm, if the far network is sure of it, perhaps at half its size."""
        least = self._threshold + _ALONE[side]
        if face.score >= least:
            return face
        if side != SMALL_COPY or face.score < self._threshold:
            return None
        again = _best(self._far(side // 2, 2 * self._threshold - face.score), face.box)
        return None if again is None else replace(face, score=(face.score + again.score) / 2)

    def _confirmed(self, face: Face) -> Face | None:
        """The face as the near network finds it in a close-up and in the close-up's mirror image, or None."""
        close_up = self._close_up(face.box)
        if close_up is None:
            return None
        expected = close_up.inside(face.box)
        again = _best(self._near(close_up.pixels, self._threshold), expected)
        if again is None:
            return None
        if face.score < self._threshold or again.score < self._threshold + _AGREED:
            if again.score < self._threshold + _WORTH_MIRRORING:
                return None
            mirror_box = expected.moved(close_up.pixels.shape[1] - 2 * expected.center[0], 0)
            mirrored = _best(self._near(close_up.pixels[:, ::-1], self._threshold), mirror_box)
            if mirrored is None:
                return None
            if (again.score + mirrored.score) / 2 + face.score / 10 < self._threshold + _CONFIRMED:
                return None
        return close_up.outside(again)

    def _close_up(self, box: Box) -> _CloseUp | None:
        """The surroundings of a face, halved until the near network's input is at most four times smaller."""
        height, width = self._pixels.shape[:2]
        side = max(round(_CLOSE_UP * box.width), 2)
        left, top = (round(middle - side / 2) for middle in box.center)
        part = self._pixels[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
        if not part.size:
            return None
        step = 1
        while side >= 4 * step * _NEAR_SIDE:
            step *= 2
        part = _halved(part, max(part.shape[:2]) // step)
        beyond = (max(-top, 0), max(top + side - height, 0), max(-left, 0), max(left + side - width, 0))
        above, below, before, after = (pixels // step for pixels in beyond)
        pixels = cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_CONSTANT, value=_SURROUND)
        return _CloseUp(np.asarray(pixels, dtype=np.uint8), left, top, step)


@dataclass(frozen=True, slots=True)
class _CloseUp:
    """A part of a picture, perhaps reduced: its pixels, its corner in the picture, and the picture's pixels a pixel."""

    pixels: NDArray[np.uint8]
    left: int
    top: int
    step: int

    def inside(self, box: Box) -> Box:
        return box.moved(-self.left, -self.top).scaled(1 / self.step, 1 / self.step)

    def outside(self, face: Face) -> Face:
        return face.scaled(self.step, self.step).moved(self.left, self.top)


def _halved(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The pixels halved while their longer side stays at least ``side``. OpenCV averages fast only when it halves."""
    while max(pixels.shape[:2]) >= 2 * side and min(pixels.shape[:2]) >= 2:
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        even = pixels[: 2 * half[1], : 2 * half[0]]
        pixels = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return pixels


def _resized(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The pixels with a longer side of ``side``."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    target = max(round(width * factor), 1), max(round(height * factor), 1)
    return np.asarray(cv2.resize(_halved(pixels, side), target, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _best(found: list[Face], where: Box) -> Face | None:
    there = [face for face in found if face.box.overlap(where) > _SAME_FACE]
    return max(there, key=lambda face: face.score, default=None)


def _without_parts(faces: list[Face]) -> list[Face]:
    return [face for face in faces if not any(_is_part(face.box, other.box) for other in faces)]


def _is_part(box: Box, other: Box) -> bool:
    return box.area < other.area and box.covered_by(other) > _PART_OF
