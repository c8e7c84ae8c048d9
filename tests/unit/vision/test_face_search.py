from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from app.vision.decode import Picture
from app.vision.face_search import LARGE_COPY, FaceDetector, FaceNetwork, assumed, find, find_again, find_near
from app.vision.geometry import Box, Face


def picture(width: int, height: int, *, full: float = 1.0) -> Picture:
    return Picture(np.zeros((height, width, 3), np.uint8), round(width * full), round(height * full), "jpeg")


def painted(width: int, height: int, *boxes: Box, full: float = 1.0) -> Picture:
    """A black picture whose faces are white squares, on which :class:`Squares` works."""
    shown = picture(width, height, full=full)
    for box in boxes:
        left, top, side = round(box.x), round(box.y), round(box.width)
        shown.pixels[max(top, 0) : top + side, max(left, 0) : left + side] = 255
    return shown


Trust = Callable[[float, float], float]
"""The score of a square from its side, in pixels and as a share of what is shown."""


def large_ones(side: float, share: float) -> float:
    return 0.9 if share >= 0.22 else 0.0


def all_sizes(side: float, share: float) -> float:
    """Sure from 24 pixels, with a suspicion from 12."""
    return 0.9 if side >= 24 else 0.3 if side >= 12 else 0.0


@dataclass
class Squares:
    """A network that finds white squares."""

    trust: Trust
    shown: list[tuple[int, ...]] = field(default_factory=list)

    def detect(self, pixels: np.ndarray, least_score: float) -> list[Face]:
        self.shown.append(pixels.shape)
        _, _, areas, _ = cv2.connectedComponentsWithStats((pixels[..., 0] > 140).astype(np.uint8))
        found = []
        for left, top, width, height, _ in areas[1:].tolist():
            box = Box(left, top, width, height)
            score = self.trust(max(width, height), max(width, height) / max(pixels.shape))
            if score >= least_score:
                found.append(Face(box, score, (box.center,) * 6))
        return found


def detector(near: Trust = large_ones, far: Trust = all_sizes, threshold: float = 0.5) -> FaceDetector:
    return FaceDetector(Squares(near), Squares(far), threshold)


def shown(network: FaceNetwork) -> list[tuple[int, ...]]:
    assert isinstance(network, Squares)
    return network.shown


def assert_near(found: list[Face], expected: list[Box]) -> None:
    assert len(found) == len(expected)
    for face, box in zip(found, expected, strict=True):
        assert face.box.overlap(box) > 0.8


def nothing(side: float, share: float) -> float:
    return 0.0


def test_one_look_of_the_near_network_finds_a_large_face() -> None:
    networks = detector()

    found = find(networks, painted(600, 400, Box(200, 100, 200, 200)), thorough=False)

    assert_near(found, [Box(200, 100, 200, 200)])
    assert len(shown(networks.near)) == 1
    assert shown(networks.far) == []


@pytest.mark.parametrize("share", [0.9, 0.5, 0.3, 0.2, 0.13, 0.09, 0.065, 0.03])
@pytest.mark.parametrize("size", [(600, 600), (640, 420), (480, 600), (1500, 1000)])
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.31, 0.52), (0.67, 0.23), (1.0, 1.0)])
def test_a_face_of_any_size_and_place_is_found_once_and_where_it_is(
    share: float, size: tuple[int, int], place: tuple[float, float]
) -> None:
    side = round(share * min(size))
    box = Box(round(place[0] * (size[0] - side)), round(place[1] * (size[1] - side)), side, side)

    assert_near(find(detector(), painted(*size, box), thorough=False), [box])


def test_faces_of_one_size_are_all_found() -> None:
    rows = [Box(x, y, 70, 70) for y in (100, 300, 500) for x in (50, 250, 450, 650, 850)]

    found = find(detector(), painted(1000, 700, *rows), thorough=False)

    assert_near(sorted(found, key=lambda face: (round(face.box.y, -2), face.box.x)), rows)


def test_a_thorough_search_finds_the_people_behind() -> None:
    front, behind, far = Box(300, 200, 400, 400), Box(60, 60, 40, 40), Box(850, 850, 20, 20)
    shown = painted(1000, 1000, front, behind, far)

    assert_near(find(detector(), shown, thorough=False), [front])
    assert_near(find(detector(), shown, thorough=True), [front, behind, far])


def test_where_all_faces_are_small_the_far_network_looks_once() -> None:
    far, boxes = Squares(all_sizes), [Box(100, 100, 90, 90), Box(500, 300, 40, 40), Box(100, 400, 30, 30)]
    networks = FaceDetector(Squares(lambda side, share: 0.9 if share > 0.12 else 0.0), far, 0.5)

    found = find(networks, painted(640, 480, *boxes), thorough=True)

    assert_near(found, boxes)
    assert [max(shape) for shape in far.shown] == [LARGE_COPY]


def test_the_part_of_a_face_is_no_face() -> None:
    class Noses(Squares):
        def detect(self, pixels: np.ndarray, least_score: float) -> list[Face]:
            found = super().detect(pixels, least_score)
            return [_nose(face) for face in found] + found

    found = find(
        FaceDetector(Noses(large_ones), Noses(all_sizes), 0.5), painted(600, 600, Box(100, 0, 300, 300)), thorough=True
    )

    assert_near(found, [Box(100, 0, 300, 300)])


def _nose(face: Face) -> Face:
    (x, y), side = face.box.center, 0.3 * face.box.width
    return Face(Box(x - side / 2, y - side / 2, side, side), 0.95, face.landmarks)


def test_faces_come_in_full_size_pixels_largest_first() -> None:
    shown = painted(800, 600, Box(40, 40, 200, 200), Box(400, 200, 300, 300), full=4.0)

    found = find(detector(), shown, thorough=False)

    assert_near(found, [Box(1600, 800, 1200, 1200), Box(160, 160, 800, 800)])
    assert found[0].landmarks[0] == pytest.approx((2200, 1400), abs=10)


@pytest.mark.parametrize(("first", "close_up", "found"), [(0.8, 0.0, True), (0.6, 0.0, False), (0.6, 0.72, True)])
def test_a_face_of_which_the_near_network_is_unsure_is_looked_at_again(
    first: float, close_up: float, found: bool
) -> None:
    near = lambda side, share: close_up if 0.4 < share < 0.5 else first  # noqa: E731

    faces = find(detector(near, nothing), painted(600, 600, Box(100, 100, 360, 360)), thorough=False)

    assert [face.score for face in faces] == ([max(first, close_up)] if found else [])


@pytest.mark.parametrize(
    ("far", "close_up", "found"), [(0.3, 0.8, True), (0.3, 0.65, False), (0.6, 0.65, False), (0.9, 0.8, True)]
)
def test_a_small_face_counts_when_the_near_network_confirms_it(far: float, close_up: float, found: bool) -> None:
    near = lambda side, share: close_up if 0.4 < share < 0.5 else 0.0  # noqa: E731
    networks = detector(near, lambda side, share: far)

    faces = find(networks, painted(1000, 1000, Box(300, 300, 100, 100)), thorough=False)

    assert [face.score for face in faces] == ([close_up] if found else [])


@pytest.mark.parametrize(("share", "least"), [(0.9, 0.65), (0.25, 0.65), (0.1, 0.8)])
def test_a_face_that_the_near_network_misses_counts_when_the_far_one_is_sure(share: float, least: float) -> None:
    shown = painted(1000, 1000, Box(20, 20, round(1000 * share), round(1000 * share)))

    for score, found in ((least + 0.01, True), (least - 0.01, False)):
        # At half the size the far network sees nothing.
        far = lambda side, share, score=score: score if side > 128 * share * 1.1 + 5 else 0.0  # noqa: E731
        first_only = Squares(far)
        networks = FaceDetector(Squares(nothing), _OnlyFrom(first_only, 200), 0.5)
        assert bool(find(networks, shown, thorough=False)) == found


@dataclass
class _OnlyFrom:
    """A network that finds nothing in copies with a longer side below ``least``."""

    network: Squares
    least: int

    def detect(self, pixels: np.ndarray, least_score: float) -> list[Face]:
        return self.network.detect(pixels, least_score) if max(pixels.shape) >= self.least else []


@pytest.mark.parametrize(("half", "found"), [(0.4, False), (0.46, True)])
def test_a_doubtful_face_that_fills_the_picture_counts_by_two_scores_of_the_far_network(
    half: float, found: bool
) -> None:
    far = lambda side, share: 0.55 if side > 150 else half  # noqa: E731

    faces = find(detector(nothing, far), painted(500, 500, Box(20, 20, 450, 450)), thorough=False)

    assert [round(face.score, 3) for face in faces] == ([round((0.55 + half) / 2, 3)] if found else [])


def test_a_higher_threshold_asks_for_more_everywhere() -> None:
    boxes = Box(300, 300, 360, 360), Box(50, 50, 60, 60)
    near = lambda side, share: 0.9 if share > 0.3 else 0.0  # noqa: E731

    for threshold, count in ((0.5, 2), (0.6, 2), (0.75, 1), (0.95, 0)):
        networks = detector(near, threshold=threshold)
        assert len(find(networks, painted(1000, 1000, *boxes), thorough=True)) == count


def test_an_empty_picture_takes_three_looks_of_a_bounded_size() -> None:
    for size in ((1000, 1000), (5000, 3000), (4000, 300), (300, 4000), (32, 32), (1, 1)):
        networks = detector()

        assert find(networks, picture(*size), thorough=True) == []
        assert len(shown(networks.near)) == 1
        assert len(shown(networks.far)) == 2
        assert max(max(shape) for shape in shown(networks.near) + shown(networks.far)) <= LARGE_COPY


def test_a_crowd_does_not_occupy_a_worker_for_long() -> None:
    class Crowd(Squares):
        def detect(self, pixels: np.ndarray, least_score: float) -> list[Face]:
            self.shown.append(pixels.shape)
            places = [(x * 6, y * 6) for x in range(30) for y in range(30)]
            return [Face(Box(x, y, 5, 5), 0.55, ((x, y),) * 6) for x, y in places]

    networks = FaceDetector(Crowd(large_ones), Crowd(all_sizes), 0.5)

    find(networks, picture(800, 800), thorough=True)

    assert len(shown(networks.near)) <= 601
    assert len(shown(networks.far)) == 2


def test_the_assumed_face_is_in_the_middle() -> None:
    face = assumed(picture(400, 300, full=2.0))

    assert face.assumed
    assert face.landmarks == ()
    assert face.box.center == (400, 300)
    assert face.box.width == face.box.height == pytest.approx(360)


def test_the_close_up_of_a_face_that_fills_a_large_picture_takes_little_memory() -> None:
    shown = painted(4000, 4000, Box(200, 200, 3600, 3600))
    near = lambda side, share: 0.9 if share < 0.5 else 0.6  # noqa: E731
    tracemalloc.start()
    found = find(detector(near), shown, thorough=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_near(found, [Box(200, 200, 3600, 3600)])
    assert peak < 40_000_000


class TestFrames:
    """Searches a frame that follows another one."""

    def test_a_face_is_found_again_in_a_close_up_alone(self) -> None:
        far, near = Squares(all_sizes), Squares(large_ones)
        shown = painted(640, 480, Box(205, 200, 40, 40), Box(500, 100, 60, 60))
        found = find_again(FaceDetector(near, far, 0.5), shown, [Box(200, 198, 40, 40)])
        assert found is not None
        assert [round(face.box.x) for face in found] == [205]
        assert far.shown == []
        assert max(near.shown[0]) <= 2 * 88

    def test_a_frame_in_which_one_face_is_lost_has_to_be_searched(self) -> None:
        detector = FaceDetector(Squares(large_ones), Squares(all_sizes), 0.5)
        shown = painted(640, 480, Box(200, 200, 40, 40))
        assert find_again(detector, shown, [Box(200, 200, 40, 40), Box(500, 100, 60, 60)]) is None
        # Nor may two tracks end in the same face.
        assert find_again(detector, shown, [Box(200, 200, 40, 40), Box(205, 203, 40, 40)]) is None

    def test_it_is_found_in_the_full_size_of_a_reduced_picture(self) -> None:
        detector = FaceDetector(Squares(large_ones), Squares(all_sizes), 0.5)
        shown = painted(640, 480, Box(200, 200, 40, 40), full=2.0)
        found = find_again(detector, shown, [Box(404, 400, 80, 80)])
        assert found is not None
        assert (round(found[0].box.x), round(found[0].box.width)) == (400, 80)

    def test_without_a_face_the_near_network_looks_alone(self) -> None:
        far, near = Squares(all_sizes), Squares(large_ones)
        assert find_near(FaceDetector(near, far, 0.5), painted(640, 480, Box(200, 200, 40, 40))) == []
        assert len(find_near(FaceDetector(near, far, 0.5), painted(640, 480, Box(100, 100, 300, 300)))) == 1
        assert far.shown == []
