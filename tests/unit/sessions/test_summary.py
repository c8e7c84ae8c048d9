"""What a session's frames come to. What is expected is worked out by hand."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from app.expression.blinks import series_units
from app.sessions.profile import InterviewPractice
from app.sessions.series import MOST_POINTS
from app.sessions.summary import MOST_CHANGES, MOST_TRACKS, Session, SessionFace
from app.vision.geometry import Box

LABELS = ("happy", "neutral", "sad")
HAPPY, NEUTRAL, SAD = (0.8, 0.2, 0.0), (0.1, 0.6, 0.3), (0.0, 0.1, 0.9)


def face(
    values: tuple[float, ...] = HAPPY,
    track: int = 1,
    *,
    uncertain: bool = False,
    warnings: Sequence[str] = (),
    box: Box | None = None,
    units: Mapping[str, float] | None = None,
) -> SessionFace:
    return SessionFace(track, dict(zip(LABELS, values, strict=True)), uncertain, warnings, box, units)


def session(*frames: tuple[float, Sequence[SessionFace]]) -> Session:
    made = Session(LABELS, None)
    for t, faces in frames:
        made.add(t, faces)
    return made


def codes(summary: Any) -> set[str]:
    return {caveat["code"] for caveat in summary["caveats"]}


def test_a_summary_has_the_form_of_the_contract() -> None:
    made = session((0.5, [face()]), (1.0, [face(NEUTRAL, uncertain=True, warnings=["too_dark"])]), (1.5, []))
    for _ in range(3):
        made.skipped("busy")
    made.skipped("rate")
    made.failed()
    summary = made.summary("end")
    assert {caveat["code"] for caveat in summary.pop("caveats")} == {  # type: ignore[misc]
        *("few_frames", "face_missing", "frames_skipped", "frames_failed", "often_uncertain", "picture_quality")
    }
    assert summary == {
        "success": True,
        "type": "summary",
        "reason": "end",
        "duration": 1.0,
        "frames": {"received": 8, "read": 3, "failed": 1, "skipped": {"busy": 3, "rate": 1}, "without_face": 1},
        "tracks": [
            {
                "track": 1,
                "from": 0.5,
                "to": 1.0,
                "seconds": 1.0,
                "frames": 2,
                "share": {"happy": 0.5, "neutral": 0.5, "sad": 0.0},
                # (0.8 + 0.1) / 2, (0.2 + 0.6) / 2, 0.3 / 2
                "mean_probabilities": {"happy": 0.45, "neutral": 0.4, "sad": 0.15},
                "uncertain_share": 0.5,
                "warnings": {"too_dark": 1},
                "largest_gap": 0.5,
            }
        ],
        "changes": [{"t": 1.0, "track": 1, "from": "happy", "to": "neutral"}],
        "series": [
            {"t": 0.5, "track": 1, "probabilities": {"happy": 0.8, "neutral": 0.2, "sad": 0.0}},
            {"t": 1.0, "track": 1, "probabilities": {"happy": 0.1, "neutral": 0.6, "sad": 0.3}},
        ],
        "profile": None,
    }


def test_shares_are_of_time_and_not_of_frames() -> None:
    # 0.1 + 0.1 + 0.8 s happy, then 0.5 s neutral and, as long as the frame before it, the last one.
    summary = session(
        (0.0, [face()]), (0.1, [face()]), (0.2, [face()]), (1.0, [face(NEUTRAL)]), (1.5, [face(NEUTRAL)])
    ).summary("end")
    (track,) = summary["tracks"]
    assert track["share"] == {"happy": 0.5, "neutral": 0.5, "sad": 0.0}
    assert track["seconds"] == 2.0
    assert track["largest_gap"] == 0.8


def test_shares_of_even_frames_are_those_of_the_frames() -> None:
    frames = [(number / 25, [face(HAPPY if number < 8 else SAD)]) for number in range(10)]
    assert session(*frames).summary("end")["tracks"][0]["share"] == {"happy": 0.8, "neutral": 0.0, "sad": 0.2}


def test_a_frame_counts_for_a_second_at_most() -> None:
    summary = session((0.0, [face()]), (20.0, [face(SAD)])).summary("end")
    assert summary["tracks"][0]["share"] == {"happy": 0.5, "neutral": 0.0, "sad": 0.5}
    assert (summary["tracks"][0]["seconds"], summary["tracks"][0]["largest_gap"]) == (2.0, 20.0)
    assert "gaps" in codes(summary)


def test_time_without_a_face_is_nobodys() -> None:
    summary = session((0.0, [face()]), (0.2, []), (0.4, []), (0.6, [face(SAD)]), (0.8, [])).summary("end")
    assert summary["tracks"][0]["seconds"] == 0.4
    assert summary["tracks"][0]["share"] == {"happy": 0.5, "neutral": 0.0, "sad": 0.5}


@pytest.mark.parametrize("times", [(2.0,), (2.0, 2.0), (2.0, 1.0)], ids=["one", "equal", "falling"])
def test_frames_without_time_between_them_share_by_count(times: tuple[float, ...]) -> None:
    summary = session(*((t, [face()]) for t in times)).summary("end")
    assert summary["tracks"][0]["share"] == {"happy": 1.0, "neutral": 0.0, "sad": 0.0}
    assert (summary["duration"], summary["tracks"][0]["to"]) == (0.0, 2.0)


def test_faces_are_added_up_by_track() -> None:
    summary = session(
        (0.0, [face(track=2), face(SAD, track=1)]),
        (0.1, [face(NEUTRAL, track=2)]),
        (0.2, [face(SAD, track=1), face(NEUTRAL, track=2)]),
    ).summary("end")
    assert [(track["track"], track["frames"], track["largest_gap"]) for track in summary["tracks"]] == [
        (1, 2, 0.2),
        (2, 3, 0.1),
    ]
    assert summary["changes"] == [{"t": 0.1, "track": 2, "from": "happy", "to": "neutral"}]
    assert [(point["t"], point["track"]) for point in summary["series"]] == [
        *((0.0, 2), (0.0, 1), (0.1, 2), (0.2, 1), (0.2, 2))
    ]


def test_up_to_600_frames_are_the_series_themselves() -> None:
    frames = [(number * 0.1, [face((number / 1000, 0.0, 0.0))]) for number in range(MOST_POINTS)]
    series = session(*frames).summary("end")["series"]
    assert [point["probabilities"]["happy"] for point in series] == [number / 1000 for number in range(600)]
    assert [point["t"] for point in series] == [round(number * 0.1, 3) for number in range(600)]


def test_more_frames_become_means_of_equal_spans() -> None:
    # 0.25 s between frames; 0 to 600 end at 150 s, so that a span of 150 / 300 s has two frames.
    frames = [(number * 0.25, [face((number / 10_000, 0.0, 0.0))]) for number in range(1000)]
    series = session(*frames).summary("end")["series"]
    assert len(series) == 500
    assert series[0] == {"t": 0.125, "track": 1, "probabilities": {"happy": 0.0001, "neutral": 0.0, "sad": 0.0}}
    # Frames 998 and 999.
    assert (series[-1]["t"], series[-1]["probabilities"]["happy"]) == (249.625, 0.0998)


def test_spans_widen_again_and_lose_no_frame() -> None:
    frames = [(number * 0.25, [face((1.0 if number % 4 == 0 else 0.0, 0.5, 0.0))]) for number in range(4800)]
    series = session(*frames).summary("end")["series"]
    # Spans of 0.5, 1, 2 s: eight frames each, of which two are happy.
    assert len(series) == 600
    assert {point["probabilities"]["happy"] for point in series} == {0.25}


def test_many_frames_at_one_time_are_one_point() -> None:
    summary = session(*((3.0, [face()]) for _ in range(5000))).summary("end")
    assert len(summary["series"]) == 1
    assert summary["tracks"][0]["frames"] == 5000


def test_an_hour_at_30_frames_a_second_takes_under_5_mb() -> None:
    """Measured as what the session holds, written out: without a profile it does not grow, with one by a few bytes."""
    plain, practice = Session(LABELS, None), Session(LABELS, InterviewPractice(LABELS))
    faces = [[face(HAPPY, box=Box(0, 0, 9, 9))], [face(SAD)]]
    sizes = []
    for number in range(12_000):
        if number in {6_000, 11_999}:
            sizes.append((len(pickle.dumps(plain)), len(pickle.dumps(practice))))
        plain.add(number / 30, faces[number % 2])
        practice.add(number / 30, faces[number % 2])
    (plain_before, practice_before), (plain_after, practice_after) = sizes
    assert plain_after < 1.1 * plain_before < 500_000
    assert practice_before + (practice_after - practice_before) / 5_999 * 108_000 < 5_000_000


def test_every_frame_counts_however_many_there_are() -> None:
    made = Session(LABELS, None)
    for number in range(6_000):
        made.add(number / 30, [face(HAPPY if number % 2 else SAD)])
    summary = made.summary("end")
    assert summary["frames"]["read"] == summary["tracks"][0]["frames"] == 6_000
    assert summary["tracks"][0]["mean_probabilities"] == {"happy": 0.4, "neutral": 0.15, "sad": 0.45}
    assert len(summary["series"]) <= MOST_POINTS
    assert len(summary["changes"]) == MOST_CHANGES
    assert "changes_left_out" in codes(summary)


def test_the_briefest_of_too_many_tracks_are_left_out() -> None:
    frames = [(0.0, [face(track=1)]), (0.1, [face(SAD, track=1)])]
    frames += [(0.2 + number / 10, [face(track=number)]) for number in range(2, MOST_TRACKS + 2)]
    summary = session(*frames).summary("end")
    numbers = [track["track"] for track in summary["tracks"]]
    assert numbers == [1, *range(3, MOST_TRACKS + 2)]
    assert 2 not in {point["track"] for point in summary["series"]}
    assert "tracks_left_out" in codes(summary)


def test_a_good_session_has_no_caveats_and_an_empty_one_says_so() -> None:
    assert session(*((number / 10, [face()]) for number in range(40))).summary("end")["caveats"] == []
    empty = session().summary("idle")
    assert (empty["reason"], empty["duration"], empty["tracks"], empty["series"]) == ("idle", 0.0, [], [])
    assert codes(empty) == {"few_frames"}
    assert codes(session(*((number / 10, []) for number in range(40))).summary("end")) == {"no_faces"}


def test_a_caveat_names_the_frequent_warnings_of_the_picture() -> None:
    frames = [(number / 10, [face(warnings=["too_dark", "multiple_faces"])]) for number in range(40)]
    (caveat,) = session(*frames).summary("end")["caveats"]
    assert caveat["code"] == "picture_quality"
    assert caveat["message"].endswith("quality: too dark.")


def test_the_profile_follows_the_largest_face() -> None:
    made = Session(LABELS, InterviewPractice(LABELS))
    near, far = Box(0, 0, 90, 90), Box(0, 0, 30, 30)
    events = made.add(0.0, [face(SAD, track=1, box=far), face((1.0, 0.0, 0.0), track=2, box=near)])
    assert [(event["event"], event["track"]) for event in events] == [("level_changed", 2)]
    for number in range(1, 40):
        made.add(number / 10, [face(SAD, track=1, box=far), face((1.0, 0.0, 0.0), track=2, box=near)])
    summary = made.summary("end")
    assert summary["profile"] is not None
    # (0.85 + 0.7) / 1.55
    assert summary["profile"]["mean_confidence"] == 1.0
    assert codes(summary) == {"several_faces"}


def test_a_frame_without_a_face_is_none_of_the_profiles() -> None:
    made = Session(LABELS, InterviewPractice(LABELS))
    assert made.add(0.0, []) == []
    summary = made.summary("end")
    assert summary["profile"] is not None
    assert summary["profile"]["frames"] == []


def test_units_are_summed_up_over_the_frames_that_have_them() -> None:
    threshold = series_units()["AU12"].threshold
    made = session(
        (0.0, [face(units={"AU45": 0.0, "AU12": 0.9, "AU1": 0.0}), face(track=2)]),
        (0.1, [face(units={"AU45": 0.6, "AU12": threshold, "AU1": 0.1}), face(track=2)]),
        (0.2, [face()]),
    )
    measured, other = made.summary("end")["tracks"]
    assert measured["action_units"] == {
        "AU1": {"name": "inner brow raiser", "mean_intensity": 0.05, "active_share": 0.0},
        "AU12": {
            "name": "lip corner puller",
            "mean_intensity": round((0.9 + threshold) / 2, 4),
            "active_share": 0.5,
        },
        "AU45": {"name": "blink", "mean_intensity": 0.3, "active_share": 0.5},
    }
    assert [*measured["action_units"]] == ["AU1", "AU12", "AU45"]
    assert "action_units" not in other
