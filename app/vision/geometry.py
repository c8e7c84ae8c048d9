"""Boxes and faces, and moving them between coordinate systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LANDMARK_NAMES: Final = ("right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear", "left_ear")
"""The order of :attr:`Face.landmarks`; left and right are the person's own."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels. It may extend beyond the picture: a face that the edge cuts keeps its whole box."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def center(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2

    def scaled(self, factor_x: float, factor_y: float) -> Box:
        return Box(self.x * factor_x, self.y * factor_y, self.width * factor_x, self.height * factor_y)

    def moved(self, dx: float, dy: float) -> Box:
        return Box(self.x + dx, self.y + dy, self.width, self.height)

    def overlap(self, other: Box) -> float:
        """Intersection over union."""
        shared = self._intersection(other)
        return shared / (self.area + other.area - shared) if shared else 0.0

    def covered_by(self, other: Box) -> float:
        """The share of this box that lies inside the other."""
        return self._intersection(other) / self.area if self.area else 0.0

    def _intersection(self, other: Box) -> float:
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return across * down if across > 0 and down > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Face:
    """One face. ``landmarks`` holds six points in the order of :data:`LANDMARK_NAMES`.

    ``assumed`` marks a face that was not detected: the caller asked for the centre of the picture instead. ``first`` is
    the same face as a search of the whole picture showed it, where a close-up has corrected it since.
    """

    box: Box
    score: float
    landmarks: tuple[Point, ...]
    assumed: bool = False
    first: Face | None = None

    def scaled(self, factor_x: float, factor_y: float) -> Face:
        points = tuple((x * factor_x, y * factor_y) for x, y in self.landmarks)
        first = self.first and self.first.scaled(factor_x, factor_y)
        return Face(self.box.scaled(factor_x, factor_y), self.score, points, self.assumed, first)

    def moved(self, dx: float, dy: float) -> Face:
        points = tuple((x + dx, y + dy) for x, y in self.landmarks)
        return Face(self.box.moved(dx, dy), self.score, points, self.assumed, self.first and self.first.moved(dx, dy))
