"""What a picture, a voice and a text come to together. Voice and text are the results of other services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypeAliasType, TypedDict

from app.errors import ErrorCode, VisageError
from app.expression.labels import usual_name
from app.sessions.profile import NOTICE, confidence_of

RecommendationCode = TypeAliasType(
    "RecommendationCode",
    Literal[
        "send_another_picture",
        "face_uncertain",
        "voice_uncertain",
        "face_and_voice_differ",
        "low_confidence",
        "low_clarity",
        "low_engagement",
    ],
)

WEIGHTS: Final[Mapping[str, float]] = {"facial": 0.5, "voice": 0.4, "text": 0.1}

_DIGITS, _LOW_CONFIDENCE, _LOW_CLARITY, _LOW_ENGAGEMENT, _UNSURE = 4, 50, 60, 30, 0.5
_MESSAGES: Final[Mapping[RecommendationCode, str]] = {
    "face_uncertain": "The picture is hard to tell. Send one with the whole face, well lit, that looks at the camera.",
    "voice_uncertain": "The voice service was not sure. Record again in a quiet place, close to the microphone.",
    "face_and_voice_differ": "Face and voice point to different expressions. Look at both before you trust the sum.",
    "low_confidence": "The overall impression is not confident yet. Breathe out, slow down, and look at the camera.",
    "low_clarity": "The text scored low. Say the main point in the first sentence, and leave out the rest.",
    "low_engagement": "The expression was mostly neutral. Vary your face and your voice where it matters to you.",
}


@dataclass(frozen=True, slots=True)
class Facial:
    """The prediction for the face of a picture."""

    emotions: Mapping[str, float]
    uncertain: bool


@dataclass(frozen=True, slots=True)
class Voice:
    """The result of a voice service."""

    emotions: Mapping[str, float]
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Text:
    """The result of a text service; ``feedback`` is whatever that service says."""

    quality_score: float
    feedback: Any


Score = Annotated[float, Field(description="From 0 to 100: how confident it looks, by the profile's formula.")]


class FacialPart(TypedDict):
    """The prediction for the picture's face."""

    emotions: dict[str, float]
    score: NotRequired[Score]
    is_uncertain: bool


class FailedPart(TypedDict):
    """The error of a picture, which does not count."""

    error: ErrorCode
    message: str


class VoicePart(TypedDict):
    """What was sent of the voice."""

    emotions: dict[str, float]
    score: NotRequired[Score]
    confidence: NotRequired[float]


class TextPart(TypedDict):
    """What was sent of the text."""

    quality_score: float
    feedback: NotRequired[Annotated[Any, Field(description="As it was sent.")]]


class Recommendation(TypedDict):
    """What could be done better."""

    code: RecommendationCode
    message: str


class Scores(TypedDict, total=False):
    """Only where `SESSION_PROFILES` lists `interview_practice`."""

    confidence_score: Annotated[float, Field(description="Weighted mean of the scores that are there, from 0 to 100.")]
    clarity_score: Annotated[float | None, Field(description="The text's score, or null.")]
    engagement_score: Annotated[float | None, Field(description="100 × (1 − neutral), or null without emotions.")]
    notice: Annotated[str, Field(description="What the scores are, and what they must not be used for.")]


class Fusion(Scores):
    """A picture, a voice and a text together. Parts that were not sent are null."""

    fused_emotions: Annotated[dict[str, float], Field(description="Face and voice by halves; empty without both.")]
    dominant_emotion: str | None
    weights: Annotated[dict[str, float], Field(description="The weights of the parts that count; they sum to 1.")]
    facial: FacialPart | FailedPart | None
    voice: VoicePart | None
    text: TextPart | None
    recommendations: list[Recommendation]


def fuse(facial: Facial | VisageError | None, voice: Voice | None, text: Text | None, *, scored: bool) -> Fusion:
    """The parts together; at least one has to count. With ``scored`` they also get the scores of the profile."""
    face = facial if isinstance(facial, Facial) else None
    fused = _fused(face, voice)
    used = [name for name, part in (("facial", face), ("voice", voice), ("text", text)) if part is not None]
    weights = {name: WEIGHTS[name] / sum(WEIGHTS[each] for each in used) for name in used}
    scores = _scores(face, voice, text, weights, fused) if scored else Scores()
    return {
        **scores,
        "fused_emotions": {label: round(value, _DIGITS) for label, value in fused.items()},
        "dominant_emotion": _dominant(fused),
        "weights": {name: round(weight, _DIGITS) for name, weight in weights.items()},
        "facial": _facial_part(facial, scored=scored),
        "voice": _voice_part(voice, scored=scored),
        "text": _text_part(text),
        "recommendations": [*_recommendations(facial, voice, scores)],
    }


def _fused(face: Facial | None, voice: Voice | None) -> dict[str, float]:
    """The emotions of face and voice by halves, divided by their sum; those of one alone as they are. Where the voice
    has another name for a label, the face's stands for both."""
    if face is None or voice is None:
        alone = face or voice
        return dict(alone.emotions) if alone else {}
    names = {usual_name(label): label for label in face.emotions}
    halves = {label: value / 2 for label, value in face.emotions.items()}
    for label, value in voice.emotions.items():
        name = names.get(usual_name(label), label)
        halves[name] = halves.get(name, 0.0) + value / 2
    total = sum(halves.values())
    return {label: value / total for label, value in halves.items()}


def _scores(
    face: Facial | None,
    voice: Voice | None,
    text: Text | None,
    weights: Mapping[str, float],
    fused: Mapping[str, float],
) -> Scores:
    confidence = 0.0
    if face is not None:
        confidence += weights["facial"] * _score(face.emotions)
    if voice is not None:
        confidence += weights["voice"] * _score(voice.emotions)
    if text is not None:
        confidence += weights["text"] * text.quality_score
    return {
        "confidence_score": round(confidence, 1),
        "clarity_score": round(text.quality_score, 1) if text is not None else None,
        "engagement_score": round(100 * (1 - _neutral(fused)), 1) if fused else None,
        "notice": NOTICE,
    }


def _score(emotions: Mapping[str, float]) -> float:
    return 100 * confidence_of(emotions)


def _neutral(emotions: Mapping[str, float]) -> float:
    """The share of neutral; the emotions of a voice alone need not sum to 1."""
    neutral = sum(value for label, value in emotions.items() if usual_name(label) == "neutral")
    return neutral / sum(emotions.values())


def _differ(face: Facial, voice: Voice) -> bool:
    labels = [_dominant(part.emotions) for part in (face, voice)]
    return len({label and usual_name(label) for label in labels}) > 1


def _dominant(emotions: Mapping[str, float]) -> str | None:
    return max(emotions, key=emotions.__getitem__) if emotions else None


def _facial_part(facial: Facial | VisageError | None, *, scored: bool) -> FacialPart | FailedPart | None:
    if facial is None:
        return None
    if isinstance(facial, VisageError):
        return {"error": facial.code, "message": facial.message}
    part: FacialPart = {"emotions": dict(facial.emotions), "is_uncertain": facial.uncertain}
    if scored:
        part["score"] = round(_score(facial.emotions), 1)
    return part


def _voice_part(voice: Voice | None, *, scored: bool) -> VoicePart | None:
    if voice is None:
        return None
    part: VoicePart = {"emotions": dict(voice.emotions)}
    if scored:
        part["score"] = round(_score(voice.emotions), 1)
    if voice.confidence is not None:
        part["confidence"] = voice.confidence
    return part


def _text_part(text: Text | None) -> TextPart | None:
    if text is None:
        return None
    part: TextPart = {"quality_score": text.quality_score}
    if text.feedback is not None:
        part["feedback"] = text.feedback
    return part


def _recommendations(
    facial: Facial | VisageError | None, voice: Voice | None, scores: Scores
) -> Iterator[Recommendation]:
    if isinstance(facial, VisageError):
        yield {"code": "send_another_picture", "message": facial.message}
    for code in _codes(facial if isinstance(facial, Facial) else None, voice, scores):
        yield {"code": code, "message": _MESSAGES[code]}


def _codes(face: Facial | None, voice: Voice | None, scores: Scores) -> Iterator[RecommendationCode]:
    if face is not None and face.uncertain:
        yield "face_uncertain"
    if voice is not None and voice.confidence is not None and voice.confidence < _UNSURE:
        yield "voice_uncertain"
    if face is not None and voice is not None and _differ(face, voice):
        yield "face_and_voice_differ"
    if scores.get("confidence_score", 100.0) < _LOW_CONFIDENCE:
        yield "low_confidence"
    clarity, engagement = scores.get("clarity_score"), scores.get("engagement_score")
    if clarity is not None and clarity < _LOW_CLARITY:
        yield "low_clarity"
    if engagement is not None and engagement < _LOW_ENGAGEMENT:
        yield "low_engagement"
