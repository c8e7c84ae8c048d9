"""Tracks: who keeps a number, and who gets a new one."""

from __future__ import annotations

from app.sessions.tracks import LOST_AFTER, Tracker
from app.vision.geometry import Box, Face


def face(x: float, y: float = 100.0, width: float = 100.0) -> Face:
    """A face with its landmarks where a detector finds them."""
    shares = ((0.3, 0.35), (0.7, 0.35), (0.5, 0.6), (0.5, 0.8), (0.05, 0.4), (0.95, 0.4))
    points = tuple((x + across * width, y + down * width) for across, down in shares)
    return Face(Box(x, y, width, width), 0.9, points)


def numbers(tracker: Tracker, t: float, *faces: Face) -> list[int]:
    return [track.number for track in tracker.update(t, faces)]


def test_tracks_are_numbered_from_one() -> None:
    tracker = Tracker()
    assert numbers(tracker, 0.0, face(0), face(300)) == [1, 2]
    assert numbers(tracker, 0.1, face(302), face(4), face(600)) == [2, 1, 3]


def test_a_face_out_of_view_for_less_than_a_second_keeps_its_number() -> None:
    tracker = Tracker()
    assert numbers(tracker, 0.0, face(0)) == [1]
    assert numbers(tracker, 0.5) == []
    assert numbers(tracker, 0.5 + LOST_AFTER, face(5)) == [1]


def test_a_face_out_of_view_for_longer_gets_another() -> None:
    tracker = Tracker()
    assert numbers(tracker, 0.0, face(0)) == [1]
    assert numbers(tracker, 0.5) == []
    assert numbers(tracker, 0.5 + LOST_AFTER + 0.01, face(0)) == [2]
    assert tracker.tracks[0].number == 2
    assert len(tracker.tracks) == 1


def test_a_face_in_each_of_few_frames_keeps_its_number_though_not_across_the_picture() -> None:
    tracker = Tracker()
    # Thirty pixels a second: after a pause of a minute, that is no place to look for it.
    assert [numbers(tracker, t, face(30 * t)) for t in (0.0, 0.5, 1.0)] == [[1]] * 3
    assert [numbers(tracker, t, face(40)) for t in (2.001, 4.0, 64.0)] == [[1]] * 3
    assert numbers(tracker, 124.0, face(340)) == [2]


def test_another_face_elsewhere_is_another_track() -> None:
    tracker = Tracker()
    assert numbers(tracker, 0.0, face(0)) == [1]
    assert numbers(tracker, 0.03, face(400)) == [2]


def test_a_face_of_another_size_in_the_same_place_is_another_track() -> None:
    tracker = Tracker()
    assert numbers(tracker, 0.0, face(100, 100, 60)) == [1]
    assert numbers(tracker, 0.03, face(50, 50, 180)) == [2]


def test_a_fast_face_is_followed_at_a_low_rate() -> None:
    tracker = Tracker()
    # A face width in each frame, so that the boxes do not overlap.
    assert [numbers(tracker, frame / 5, face(60 * frame)) for frame in range(3)] == [[1]] * 3
    assert [numbers(tracker, frame / 5, face(120 + 110 * (frame - 2))) for frame in range(3, 8)] == [[1]] * 5


def test_two_faces_that_pass_each_other_keep_their_numbers() -> None:
    tracker = Tracker()
    for frame in range(40):
        t = frame / 20
        left, right = face(20 + 200 * t, 100), face(420 - 200 * t, 130)
        # While one covers the other, only the nearer one is found.
        shown = [left] if left.box.overlap(right.box) > 0.3 else [left, right]
        assert numbers(tracker, t, *shown) == [1, 2][: len(shown)]


def test_no_track_outlives_its_faces() -> None:
    tracker = Tracker()
    for frame in range(1000):
        numbers(tracker, 3.0 * frame, *(face(200 * number) for number in range(5)))
        numbers(tracker, 3.0 * frame + 1)
    assert len(tracker.tracks) == 5
    assert tracker.tracks[0].number == 4996
