"""The numbers of the fusion. What is expected is worked out by hand, as the comments show."""

from __future__ import annotations

import pytest

from app.errors import NoFaceDetected
from app.sessions.fusion import Facial, Text, Voice, fuse

FACE = Facial({"happy": 0.7, "neutral": 0.2, "sad": 0.1}, uncertain=False)
VOICE = Voice({"happy": 0.5, "neutral": 0.2, "angry": 0.1}, None)
TEXT = Text(80, "Clear.")


def codes(result: object) -> list[str]:
    return [each["code"] for each in result["recommendations"]]  # type: ignore[index]


def test_face_and_voice_are_fused_by_halves_and_divided_by_their_sum() -> None:
    result = fuse(FACE, VOICE, TEXT, scored=True)
    # Halves: happy 0.6, neutral 0.2, sad 0.05, angry 0.05; their sum is 0.9.
    assert result["fused_emotions"] == {"happy": 0.6667, "neutral": 0.2222, "sad": 0.0556, "angry": 0.0556}
    assert result["dominant_emotion"] == "happy"
    assert result["weights"] == {"facial": 0.5, "voice": 0.4, "text": 0.1}
    # Face: 0.595 + 0.15 - 0.06 = 0.685; 1.385 / 1.55 = 0.893548. Voice: 0.425 + 0.15 - 0.05 = 0.525; 1.225 / 1.55
    # = 0.790323. 44.6774 + 31.6129 + 8
    assert result["confidence_score"] == 84.3
    assert (result["clarity_score"], result["engagement_score"]) == (80, 77.8)
    assert result["facial"] == {"emotions": FACE.emotions, "is_uncertain": False, "score": 89.4}
    assert result["voice"] == {"emotions": VOICE.emotions, "score": 79.0}
    assert result["text"] == {"quality_score": 80, "feedback": "Clear."}
    assert "judge anybody" in result["notice"]
    assert codes(result) == []


def test_other_names_of_a_label_are_the_same_label() -> None:
    other = Voice({"Happiness": 0.5, "Neutral": 0.2, "anger": 0.1}, None)
    result = fuse(FACE, other, TEXT, scored=True)
    expected = fuse(FACE, VOICE, TEXT, scored=True)
    fused = result.pop("fused_emotions")
    assert fused == {"happy": 0.6667, "neutral": 0.2222, "sad": 0.0556, "anger": 0.0556}
    assert expected.pop("fused_emotions")
    assert result.pop("voice") == {"emotions": other.emotions, "score": 79.0}
    assert expected.pop("voice")
    assert result == expected
    assert fuse(None, other, None, scored=True)["engagement_score"] == 75.0


def test_a_face_alone_is_taken_as_it_is() -> None:
    result = fuse(FACE, None, None, scored=True)
    assert result["fused_emotions"] == FACE.emotions
    assert (result["weights"], result["confidence_score"]) == ({"facial": 1.0}, 89.4)
    assert (result["clarity_score"], result["engagement_score"]) == (None, 80.0)
    assert result["voice"] is result["text"] is None


def test_a_voice_alone_is_taken_as_it_is() -> None:
    result = fuse(None, VOICE, None, scored=True)
    assert result["fused_emotions"] == VOICE.emotions
    assert (result["weights"], result["confidence_score"]) == ({"voice": 1.0}, 79.0)


def test_a_text_alone_has_no_emotions() -> None:
    result = fuse(None, None, Text(61.25, None), scored=True)
    assert (result["fused_emotions"], result["dominant_emotion"]) == ({}, None)
    assert (result["weights"], result["confidence_score"], result["engagement_score"]) == ({"text": 1.0}, 61.2, None)
    assert result["text"] == {"quality_score": 61.25}


@pytest.mark.parametrize(
    ("parts", "weights", "score"),
    [
        # 0.893548 × 50 + 0.790323 × 40 = 44.6774 + 31.6129, over 90 of 100
        ((FACE, VOICE, None), {"facial": 0.5556, "voice": 0.4444}, 84.8),
        # (44.6774 + 8) / 0.6
        ((FACE, None, TEXT), {"facial": 0.8333, "text": 0.1667}, 87.8),
        # (31.6129 + 8) / 0.5
        ((None, VOICE, TEXT), {"voice": 0.8, "text": 0.2}, 79.2),
    ],
)
def test_weights_follow_the_parts_that_are_there(
    parts: tuple[Facial | None, Voice | None, Text | None], weights: dict[str, float], score: float
) -> None:
    result = fuse(*parts, scored=True)
    assert (result["weights"], result["confidence_score"]) == (weights, score)


def test_a_picture_that_failed_does_not_count_and_says_why() -> None:
    result = fuse(NoFaceDetected(), VOICE, None, scored=True)
    assert result["facial"] == {"error": "no_face_detected", "message": NoFaceDetected.default_message}
    assert result["weights"] == {"voice": 1.0}
    assert result["recommendations"] == [
        {"code": "send_another_picture", "message": NoFaceDetected.default_message},
    ]


def test_without_the_profile_nothing_is_scored() -> None:
    result = fuse(FACE, VOICE, TEXT, scored=False)
    assert not {"confidence_score", "clarity_score", "engagement_score", "notice"} & result.keys()
    assert result["facial"] == {"emotions": FACE.emotions, "is_uncertain": False}
    assert result["voice"] == {"emotions": VOICE.emotions}
    assert result["fused_emotions"] == {"happy": 0.6667, "neutral": 0.2222, "sad": 0.0556, "angry": 0.0556}


def test_recommendations_say_what_could_be_done() -> None:
    face, voice = Facial({"neutral": 0.55, "fear": 0.45}, uncertain=True), Voice({"neutral": 0.4, "fear": 0.6}, 0.3)
    # Neutral: 0.475; engagement 52.5. Face: 0.4125 - 0.315 = 0.0975, 51.5. Voice: 0.3 - 0.42 = -0.12, 37.4.
    result = fuse(face, voice, Text(20, None), scored=True)
    # 25.7258 + 14.9677 + 2
    assert result["confidence_score"] == 42.7
    assert codes(result) == [
        *("face_uncertain", "voice_uncertain", "face_and_voice_differ", "low_confidence", "low_clarity")
    ]
    assert result["voice"] == {"emotions": voice.emotions, "score": 37.4, "confidence": 0.3}
    assert codes(fuse(Facial({"neutral": 1.0}, uncertain=False), None, None, scored=True)) == ["low_engagement"]
