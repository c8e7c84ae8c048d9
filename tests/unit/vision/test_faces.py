from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from app.vision.decode import Picture
from app.vision.face_search import assumed, find
from app.vision.geometry import Box, Face


def picture(width: int, height: int, *, full: float = 1.0) -> Picture:
    return Picture(np.zeros((height, width, 3), np.uint8), round(width * full), round(height * full), "jpeg")


def painted(width: int, height: int, *boxes: Box, full: float = 1.0) -> Picture:
    """A black picture whose faces are grey squares, each of its own brightness, on which :class:`Squares` works."""
    shown = picture(width, height, full=full)
    for number, box in enumerate(boxes):
        left, top, side = round(box.x), round(box.y), round(box.width)
        shown.pixels[max(top, 0) : top + side, max(left, 0) : left + side] = 40 + 5 * number
    return shown


@dataclass
class Squares:
    """A detector of squares. Like the real one it sees those of at least a quarter of what it is shown.

    ``trust`` gives the score of a square from its brightness and from its share of what is shown.
    """

    trust: Callable[[int, float], float] = lambda brightness, share: 0.9
    smallest: float = 0.22
    shown: list[tuple[int, ...]] = field(default_factory=list)

    def detect(self, pixels: np.ndarray) -> list[Face]:
        assert pixels.flags.c_contiguous
        self.shown.append(pixels.shape)
        found = []
        for brightness in np.flatnonzero(np.bincount(pixels[..., 0].ravel(), minlength=256)):
            if brightness < 40 or brightness == 128:
                continue
            rows, columns = np.nonzero(pixels[..., 0] == brightness)
            side = max(np.ptp(columns), np.ptp(rows)) + 1
            score = self.trust(int(brightness), side / max(pixels.shape))
            if side < self.smallest * max(pixels.shape) or score < 0.5:
                continue
            box = Box(float(columns.min()), float(rows.min()), float(side), float(side))
            found.append(Face(box, score, (box.center,) * 6))
        return found

    def close(self) -> None: ...


def boxes(found: list[Face]) -> list[tuple[int, int, int]]:
    return [(round(face.box.x), round(face.box.y), round(face.box.width)) for face in found]


def test_a_large_face_costs_one_look() -> None:
    detector = Squares()

    found = find(detector, painted(600, 400, Box(200, 100, 200, 200)), thorough=False)

    assert boxes(found) == [(200, 100, 200)]
    assert len(detector.shown) == 1


@pytest.mark.parametrize("share", [0.3, 0.2, 0.13, 0.09, 0.065])
@pytest.mark.parametrize("size", [(600, 600), (640, 420), (480, 600)])
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.31, 0.52), (0.5, 0.5), (0.67, 0.23), (1.0, 1.0)])
def test_a_face_of_any_size_and_place_is_found_once_and_where_it_is(
    share: float, size: tuple[int, int], place: tuple[float, float]
) -> None:
    side = round(share * size[0])
    box = Box(round(place[0] * (size[0] - side)), round(place[1] * (size[1] - side)), side, side)

    found = find(Squares(), painted(*size, box), thorough=False)

    assert boxes(found) == [(box.x, box.y, side)]


def test_faces_of_one_size_are_all_found() -> None:
    rows = [Box(x, y, 70, 70) for y in (100, 300, 500) for x in (50, 250, 450, 650, 850)]

    found = find(Squares(), painted(1000, 700, *rows), thorough=False)

    assert sorted(boxes(found)) == sorted((round(box.x), round(box.y), 70) for box in rows)


def test_a_thorough_look_finds_the_people_behind() -> None:
    front, behind = Box(300, 200, 400, 400), Box(60, 60, 170, 170)
    shown = painted(1000, 1000, front, behind)

    assert boxes(find(Squares(), shown, thorough=False)) == [(300, 200, 400)]
    assert boxes(find(Squares(), shown, thorough=True)) == [(300, 200, 400), (60, 60, 170)]


def test_a_thorough_look_does_not_take_a_part_for_a_face() -> None:
    """Tiles cut the large face; what they show of it is no face of its own."""
    found = find(Squares(), painted(1000, 1000, Box(150, 150, 700, 700)), thorough=True)

    assert boxes(found) == [(150, 150, 700)]


def test_faces_come_in_full_size_pixels_largest_first() -> None:
    shown = painted(800, 600, Box(40, 40, 200, 200), Box(400, 200, 300, 300), full=4.0)

    found = find(Squares(), shown, thorough=False)

    assert boxes(found) == [(1600, 800, 1200), (160, 160, 800)]
    assert found[0].landmarks[0] == pytest.approx((2200, 1400))


def test_what_is_doubtful_and_not_seen_again_is_no_face() -> None:
    once = Squares(trust=lambda brightness, share: 0.6 if share < 0.4 else 0.0)

    assert find(once, painted(600, 600, Box(200, 200, 180, 180)), thorough=False) == []


def test_what_is_doubtful_at_first_and_clear_at_the_second_look_is_a_face() -> None:
    shy = Squares(trust=lambda brightness, share: 0.9 if 0.4 < share < 0.5 else 0.55)

    found = find(shy, painted(600, 600, Box(0, 0, 420, 420)), thorough=False)

    assert boxes(found) == [(0, 0, 420)]
    assert found[0].score == 0.9


def test_of_two_scores_for_one_face_the_surer_counts() -> None:
    class Twice(Squares):
        def detect(self, pixels: np.ndarray) -> list[Face]:
            found = super().detect(pixels)
            return found + [Face(face.box.moved(4, 0), 0.8, face.landmarks) for face in found]

    found = find(Twice(), painted(600, 600, Box(200, 200, 200, 200)), thorough=False)

    assert [(face.box.x, face.score) for face in found] == [(200, 0.9)]


def test_an_empty_picture_has_no_face_and_a_bounded_price() -> None:
    for size in ((1000, 1000), (4000, 300), (300, 4000), (32, 32), (1, 1)):
        detector = Squares()

        assert find(detector, picture(*size), thorough=True) == []
        assert len(detector.shown) <= 120


def test_looks_are_small_whatever_the_picture() -> None:
    detector = Squares()

    find(detector, picture(5000, 3000), thorough=False)

    assert max(max(shape) for shape in detector.shown) < 1024


def test_a_crowd_does_not_hold_a_worker_for_long() -> None:
    class Crowd(Squares):
        def detect(self, pixels: np.ndarray) -> list[Face]:
            self.shown.append(pixels.shape)
            step = max(pixels.shape[0] / 20, 1.0)
            places = [(x * step, y * step) for x in range(0, 20, 2) for y in range(0, 20, 2)]
            return [Face(Box(x, y, step, step), 0.6, ((x, y),) * 6) for x, y in places]

    detector = Crowd()

    find(detector, picture(800, 800), thorough=True)

    assert len(detector.shown) < 3000


def test_the_assumed_face_is_in_the_middle() -> None:
    face = assumed(picture(400, 300, full=2.0))

    assert face.assumed
    assert face.landmarks == ()
    assert face.box.center == (400, 300)
    assert face.box.width == face.box.height == pytest.approx(360)


class Doubtful:
    """A detector that is sure of a face only in the close-up, where it is in the middle."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, ...]] = []

    def detect(self, pixels: np.ndarray) -> list[Face]:
        height, width = pixels.shape[:2]
        side, score = (width / 2.2, 0.9) if self.shown else (0.9 * width, 0.6)
        self.shown.append(pixels.shape)
        box = Box((width - side) / 2, (height - side) / 2, side, side)
        return [Face(box, score, (box.center,) * 6)]

    def close(self) -> None: ...


def test_the_close_up_of_a_face_that_fills_a_large_picture_takes_little_memory() -> None:
    shown = picture(4000, 4000)
    tracemalloc.start()
    found = find(Doubtful(), shown, thorough=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    ((left, top, width),) = boxes(found)
    assert (left, top, width) == pytest.approx((200, 200, 3600), abs=30)
    assert peak < 40_000_000
