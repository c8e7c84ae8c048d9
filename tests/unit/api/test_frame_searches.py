"""How the frames of a stream are searched for faces."""

from __future__ import annotations

from app.api.streaming import FrameSearches
from app.pipeline import FrameOptions
from app.sessions.tracks import Tracker
from app.vision.geometry import Box, Face

FACE = Face(Box(100, 100, 50, 50), 0.9, ())


def test_the_whole_frame_is_searched_every_half_second() -> None:
    searches, tracker = FrameSearches(FrameOptions(every_face=True)), Tracker()
    full = []
    for t in (0.0, 0.1, 0.4, 0.5, 0.6, 1.0, 5.0):
        options = searches.options(t, tracker)
        full.append(options.whole_frame)
        tracker.update(t, [FACE])
        searches.took(t, [FACE], 1, full=options.whole_frame)
    assert full == [True, False, False, True, False, True, True]


def test_it_is_searched_while_a_track_is_lost() -> None:
    searches, tracker = FrameSearches(FrameOptions(every_face=True)), Tracker()
    tracker.update(0.0, [FACE])
    searches.took(0.0, [FACE], 1, full=True)
    assert searches.options(0.1, tracker).known == (FACE.box,)
    tracker.update(0.1, [])
    searches.took(0.1, [], 0, full=True)
    assert searches.options(0.2, tracker).whole_frame
    tracker.update(1.2, [])
    searches.took(1.2, [], 0, full=True)
    assert not searches.options(1.3, tracker).whole_frame
