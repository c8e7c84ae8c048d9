"""The numbers of the profile. What is expected is worked out by hand, as the comments show."""

from __future__ import annotations

from typing import Any

import pytest

from app.sessions.profile import InterviewPractice, confidence_of, level_of

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def face(confidence: float) -> dict[str, float]:
    """Probabilities of a face that looks this confident: score = 1.55 × confidence - 0.7, all of it from one label."""
    score = 1.55 * confidence - 0.7
    probabilities = dict.fromkeys(LABELS, 0.0)
    if score >= 0:
        probabilities["happy"] = score / 0.85
    else:
        probabilities["fear"] = score / -0.7
    return probabilities


def run(confidences: list[float]) -> tuple[Any, list[Any]]:
    """The result and the events of a face that is seen every 0.1 s."""
    practice = InterviewPractice(LABELS)
    events = [event for number, each in enumerate(confidences) for event in practice.add(number / 10, 1, face(each))]
    return practice.result(), events


@pytest.mark.parametrize(
    ("probabilities", "confidence"),
    [
        # (0.85 + 0.7) / 1.55
        ({"happy": 1.0}, 1.0),
        # (0.75 + 0.7) / 1.55 = 1.45 / 1.55
        ({"neutral": 1.0}, 0.935484),
        # (-0.7 + 0.7) / 1.55
        ({"fear": 1.0}, 0.0),
        # (-0.6 + 0.7) / 1.55 = 0.1 / 1.55
        ({"sad": 1.0}, 0.064516),
        # (-0.4 + 0.7) / 1.55 = 0.3 / 1.55
        ({"disgust": 1.0}, 0.193548),
        # Nothing known: 0.7 / 1.55
        ({"contempt": 1.0}, 0.451613),
        # 0.5 × 0.85 + 0.3 × 0.75 + 0.2 × -0.6 = 0.425 + 0.225 - 0.12 = 0.53; 1.23 / 1.55
        ({"happy": 0.5, "neutral": 0.3, "sad": 0.2}, 0.793548),
        # Surprise is at 0.4, not over it: 0.4 × 0.5 + 0.6 × 0.85 = 0.71; 1.41 / 1.55
        ({"surprise": 0.4, "happy": 0.6}, 0.909677),
        # min(0.35, 0.25) moves: surprise 0.25, happy 0.45, sad 0.3: 0.125 + 0.3825 - 0.18 = 0.3275; 1.0275 / 1.55
        ({"surprise": 0.5, "happy": 0.2, "sad": 0.3}, 0.662903),
        # min(0.35, 0.4) moves 0.35: surprise 0.45, happy 0.55: 0.225 + 0.4675 = 0.6925; 1.3925 / 1.55
        ({"surprise": 0.8, "happy": 0.2}, 0.898387),
        # Happy is at 0.15, not over it: 0.425 + 0.1275 = 0.5525; 1.2525 / 1.55
        ({"surprise": 0.85, "happy": 0.15}, 0.808065),
        # c = 0.5, 0.25 moves: angry 0.25, neutral 0.3 + 0.2, happy 0.2 + 0.05:
        # -0.125 + 0.375 + 0.2125 = 0.4625; 1.1625 / 1.55
        ({"angry": 0.5, "happy": 0.2, "neutral": 0.3}, 0.75),
        # c = min(0.6, 0.64) = 0.6, 0.216 moves: angry 0.144, neutral 0.64 + 0.1728, happy 0.0432:
        # -0.072 + 0.6096 + 0.03672 = 0.57432; 1.27432 / 1.55
        ({"angry": 0.36, "neutral": 0.64}, 0.822142),
        # Angry is at 0.7, not below it: -0.35 + 0.225 = -0.125; 0.575 / 1.55
        ({"angry": 0.7, "neutral": 0.3}, 0.370968),
        # Happy and neutral are at 0.15, not over it: -0.25 + 0.1125 - 0.21 = -0.3475; 0.3525 / 1.55
        ({"angry": 0.5, "neutral": 0.15, "sad": 0.35}, 0.227419),
        # Both steps; the second takes happy and neutral as they came (0.16 + 0.02 = 0.18):
        # 0.205 moves to happy: surprise 0.205, happy 0.365. 0.41 × 0.18 = 0.0738 moves: angry 0.3362,
        # neutral 0.02 + 0.05904, happy 0.365 + 0.01476.
        # 0.1025 + 0.379760 × 0.85 - 0.1681 + 0.07904 × 0.75 = 0.1025 + 0.322796 - 0.1681 + 0.05928 = 0.316476
        # 1.016476 / 1.55
        ({"surprise": 0.41, "angry": 0.41, "happy": 0.16, "neutral": 0.02}, 0.655791),
    ],
)
def test_confidence_follows_the_formula(probabilities: dict[str, float], confidence: float) -> None:
    assert confidence_of(probabilities) == pytest.approx(confidence, abs=1e-6)


def test_other_names_of_a_label_are_the_same_label() -> None:
    usual = {"surprise": 0.41, "angry": 0.41, "happy": 0.16, "neutral": 0.02}
    other = {"Surprised": 0.41, "anger": 0.41, "happiness": 0.16, "Neutral": 0.02, "contempt": 0.0}
    assert confidence_of(other) == confidence_of(usual)
    practice = InterviewPractice(("anger", "neutral"))
    practice.add(0.0, 1, {"anger": 0.9, "neutral": 0.1})
    assert "tense" in [area["code"] for area in practice.result()["improvement_areas"]]


def test_confidence_stays_between_0_and_1() -> None:
    assert confidence_of({"happy": 1.0, "neutral": 1.0}) == 1.0
    assert confidence_of({"fear": 1.0, "sad": 1.0}) == 0.0


@pytest.mark.parametrize(
    ("smoothed", "level"),
    [
        (1.0, "excellent"),
        (0.8, "excellent"),
        (0.7999, "confident"),
        (0.65, "confident"),
        (0.6499, "moderate"),
        (0.5, "moderate"),
        (0.4999, "nervous"),
        (0.35, "nervous"),
        (0.3499, "anxious"),
        (0.2, "anxious"),
        (0.1999, "very anxious"),
        (0.0, "very anxious"),
        # What the sum of floats loses does not count.
        (0.7999999999999999, "excellent"),
    ],
)
def test_a_level_begins_at_its_least_confidence(smoothed: float, level: str) -> None:
    assert level_of(smoothed) == level


def test_confidence_is_smoothed_over_the_last_15_frames() -> None:
    result, _ = run([0.2] * 5 + [0.8] * 13)
    smoothed = [point["smoothed_confidence"] for point in result["frames"]]
    assert smoothed[4] == pytest.approx(0.2)
    # (5 × 0.2 + 0.8) / 6 = 1.8 / 6
    assert smoothed[5] == pytest.approx(0.3)
    # Of 18 frames the last 15: (2 × 0.2 + 13 × 0.8) / 15 = 10.8 / 15
    assert smoothed[17] == pytest.approx(0.72)
    # (5 × 0.2 + 13 × 0.8) / 18 = 11.4 / 18
    assert result["mean_confidence"] == pytest.approx(0.633333, abs=1e-6)
    assert [point["level"] for point in result["frames"]][4:] == ["anxious", "anxious", *levels_of(smoothed[6:])]


def levels_of(smoothed: list[float]) -> list[str]:
    names = {0.8: "excellent", 0.65: "confident", 0.5: "moderate", 0.35: "nervous", 0.2: "anxious", -1: "very anxious"}
    return [next(name for least, name in names.items() if value >= least) for value in smoothed]


def test_a_spike_lies_more_than_0_15_below_the_mean_of_the_three_frames_before() -> None:
    # The mean of 0.9, 0.8 and 0.7 is 0.8: 0.59 lies 0.21 below it. The next mean is 0.696667.
    result, events = run([0.9, 0.8, 0.7, 0.59, 0.55])
    assert result["spikes"] == [{"t": 0.3, "magnitude": 0.21}]
    (spike,) = (event for event in events if event["event"] == "spike")
    assert (spike["type"], spike["t"], spike["track"], spike["magnitude"]) == ("event", 0.3, 1, 0.21)
    assert spike["message"]


@pytest.mark.parametrize("confidences", [[0.9, 0.2], [0.9, 0.9, 0.2], [0.8, 0.8, 0.8, 0.65], [0.2, 0.2, 0.2, 0.9]])
def test_what_is_no_spike(confidences: list[float]) -> None:
    """Fewer than three frames before, exactly 0.15, and a rise."""
    assert run(confidences)[0]["spikes"] == []


def test_an_event_tells_the_first_level_and_each_other() -> None:
    # The means are 0.7, 0.6 and 0.5; then (1.5 + 0.6) / 4 = 0.525, which is the same level.
    _, events = run([0.7, 0.5, 0.3, 0.6])
    assert [
        (e["t"], e["from"], e["to"], e["smoothed_confidence"]) for e in events if e["event"] == "level_changed"
    ] == [
        (0.0, None, "confident", 0.7),
        (0.1, "confident", "moderate", 0.6),
    ]
    assert all(event["message"] for event in events)


def test_stability_is_that_of_the_last_15_frames() -> None:
    # 0.1 is out of the window: 0.50, 0.52, … 0.78 are 15 values. Variance: 0.02² × (15² - 1) / 12 = 0.0004 × 18.666667.
    result, _ = run([0.1, *(0.5 + 0.02 * step for step in range(15))])
    # 1 - 4 × √0.00746667 = 1 - 4 × 0.08640988
    assert result["stability"] == {"variance": 0.007467, "trend": "improving", "consistency": 0.65436}


@pytest.mark.parametrize(
    ("step", "trend"), [(0.006, "improving"), (0.005, "steady"), (-0.005, "steady"), (-0.006, "declining")]
)
def test_a_trend_is_a_slope_beyond_0_005_a_frame(step: float, trend: str) -> None:
    assert run([0.5 + step * number for number in range(15)])[0]["stability"]["trend"] == trend


def test_two_frames_far_apart_are_not_consistent() -> None:
    # Mean 0.5, deviation 0.5, variance 0.25: 1 - min(1, 2)
    result, _ = run([0.0, 1.0])
    assert result["stability"] == {"variance": 0.25, "trend": "improving", "consistency": 0.0}


def test_segments_are_parts_of_the_frames_with_a_face() -> None:
    # 10 frames: 2, 6 and 2. A spike is in the first (none before it has three frames), one is in the middle:
    # 0.5 against 0.8. In the end 0.3 against the mean 0.8 of frames 5 to 7, then 0.3 against (0.8 + 0.8 + 0.3) / 3.
    result, _ = run([0.6, 0.7, 0.8, 0.8, 0.5, 0.8, 0.8, 0.8, 0.3, 0.3])
    # Middle: (0.8 × 5 + 0.5) / 6 = 0.75. Confidence 0.3 is fear: 1.55 × 0.3 - 0.7 = -0.235.
    assert result["segments"] == {
        "beginning": {"mean_confidence": 0.65, "dominant": "happy", "spikes": 0},
        "middle": {"mean_confidence": 0.75, "dominant": "happy", "spikes": 1},
        "end": {"mean_confidence": 0.3, "dominant": "fear", "spikes": 2},
    }
    areas = [area["code"] for area in result["improvement_areas"]]
    assert areas == ["sudden_drops", "declining", "uneven", "weak_end", "tense"]


def test_one_frame_is_the_end() -> None:
    segments = run([0.5])[0]["segments"]
    assert segments["beginning"] == segments["middle"] == {"mean_confidence": None, "dominant": None, "spikes": 0}
    assert segments["end"] == {"mean_confidence": 0.5, "dominant": "happy", "spikes": 0}


def test_without_a_face_there_are_no_figures() -> None:
    result, events = run([])
    assert (result["mean_confidence"], result["stability"], result["frames"], result["spikes"]) == (None, None, [], [])
    assert result["improvement_areas"] == events == []
    assert "Do not use it to judge anybody" in result["notice"]


def test_a_calm_practice_has_nothing_to_improve() -> None:
    assert run([0.9] * 40)[0]["improvement_areas"] == []


def test_segments_of_a_day_count_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """More frames than there are blocks: blocks of two, then of four."""
    monkeypatch.setattr("app.sessions.profile._MOST_BLOCKS", 100)
    result, _ = run([0.6] * 80 + [0.8] * 239 + [0.1] + [0.5] * 80)
    assert result["segments"] == {
        "beginning": {"mean_confidence": 0.6, "dominant": "happy", "spikes": 0},
        # (239 × 0.8 + 0.1) / 240 = 191.3 / 240
        "middle": {"mean_confidence": 0.797083, "dominant": "happy", "spikes": 1},
        "end": {"mean_confidence": 0.5, "dominant": "happy", "spikes": 0},
    }
