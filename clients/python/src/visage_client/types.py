"""The results of the service. Made by scripts/generate_docs.py from the service's documents."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict

JsonValue = Any


BoxNumbers = list[int]


CaveatCode = Literal[
    "few_frames",
    "no_faces",
    "face_missing",
    "often_uncertain",
    "picture_quality",
    "frames_skipped",
    "frames_failed",
    "gaps",
    "several_faces",
    "tracks_left_out",
    "changes_left_out",
]


ErrorCode = Literal[
    "invalid_request",
    "malformed_request",
    "headers_too_large",
    "empty_file",
    "unsupported_media_type",
    "file_too_large",
    "image_too_large",
    "too_many_files",
    "invalid_image",
    "image_too_small",
    "no_face_detected",
    "multiple_faces",
    "unauthorized",
    "forbidden",
    "rate_limited",
    "overloaded",
    "timeout",
    "not_ready",
    "model_not_found",
    "model_rejected",
    "details_unavailable",
    "not_found",
    "method_not_allowed",
    "internal_error",
]


ImprovementCode = Literal[
    "low_confidence",
    "sudden_drops",
    "declining",
    "uneven",
    "weak_beginning",
    "weak_end",
    "tense",
]


PracticeLevel = Literal["excellent", "confident", "moderate", "nervous", "anxious", "very anxious"]


RecommendationCode = Literal[
    "send_another_picture",
    "face_uncertain",
    "voice_uncertain",
    "face_and_voice_differ",
    "low_confidence",
    "low_clarity",
    "low_engagement",
]


WarningCode = Literal[
    "face_too_small",
    "blurred",
    "too_dark",
    "too_bright",
    "turned_away",
    "at_edge",
    "multiple_faces",
    "face_assumed",
    "mesh_unsure",
]


class ActionUnitEntry(TypedDict):
    """One action unit of the Facial Action Coding System."""

    name: str
    """Its usual name."""
    intensity: float
    """From 0 to 1: how far the movement goes."""
    active: bool
    """Whether it goes further than on 95 % of neutral faces."""
    left: NotRequired[float]
    """On the person's left side, where the unit has sides."""
    right: NotRequired[float]


class AnalysisResult(TypedDict):
    """The prediction for one face, in the form that clients of other expression services know."""

    action_units: NotRequired[dict[str, ActionUnitEntry] | None]
    """Action units by number; only with `details`."""
    blendshapes: NotRequired[dict[str, float] | None]
    """52 blendshapes, 0 to 1; only with `details`."""
    head_pose: NotRequired[HeadPoseEntry | None]
    """Only with `details`."""
    mesh: NotRequired[list[list[float]] | None]
    """478 points as [x, y, z] in pixels of the picture; only with `details`."""
    emotion_vector: NotRequired[EmotionVector]
    """Six of the model's probabilities, not renormalised; only with `details`."""
    description: NotRequired[str]
    """The apparent expression in words, never a feeling; only with `details`."""
    outputs: NotRequired[dict[str, OutputValue]]
    """What the model gives beside its labels, by name; only of models whose manifest has some."""
    success: Literal[True]
    emotions: dict[str, float]
    """Calibrated probabilities, in the model's order."""
    dominant_emotion: str
    """The most probable label: what the face shows, not what a person feels."""
    confidence: float
    """The calibrated probability of that label."""
    is_uncertain: bool
    """Whether the confidence is below `CONFIDENCE_THRESHOLD`."""
    face_detected: bool
    """False only with `on_no_face=center`, where no face was found."""
    face_box: BoxNumbers
    message: NotRequired[str]
    """Names the two most probable labels when the prediction is uncertain."""
    warnings: list[WarningEntry]
    faces: list[PredictedFace]
    """The face above, or with `faces=all` all, largest first."""
    faces_detected: int
    """Faces found in the picture, with a prediction or without."""
    model: ModelVersion
    image: PictureInfo
    request_id: str
    """Finds the request in the service's log."""


class BatchError(TypedDict):
    """An item of a batch with the error that it would have had alone."""

    index: int
    """The item's place in the request, from 0."""
    filename: str | None
    """The file's name, without folders, control characters and excess length."""
    success: Literal[False]
    error: ErrorCode
    message: str
    """A sentence for the person who sent the request."""


class BatchPrediction(TypedDict):
    """An item of a batch with its prediction."""

    index: int
    """The item's place in the request, from 0."""
    filename: str | None
    """The file's name, without folders, control characters and excess length."""
    outputs: NotRequired[dict[str, OutputValue]]
    """What the model gives beside its labels, by name; only of models whose manifest has some."""
    emotion: str
    """The most probable label: what the face shows, not what a person feels."""
    confidence: float
    """The calibrated probability of that label."""
    is_uncertain: bool
    """Whether the confidence is below `CONFIDENCE_THRESHOLD`."""
    probabilities: dict[str, float]
    """Calibrated probabilities, in the model's order."""
    message: NotRequired[str]
    """Names the two most probable labels when the prediction is uncertain."""
    explanation: NotRequired[OverlayExplanation | GridExplanation]
    """Only with `explain`."""
    action_units: NotRequired[dict[str, ActionUnitEntry] | None]
    """Action units by number; only with `details`."""
    blendshapes: NotRequired[dict[str, float] | None]
    """52 blendshapes, 0 to 1; only with `details`."""
    head_pose: NotRequired[HeadPoseEntry | None]
    """Only with `details`."""
    mesh: NotRequired[list[list[float]] | None]
    """478 points as [x, y, z] in pixels of the picture; only with `details`."""
    emotion_vector: NotRequired[EmotionVector]
    """Six of the model's probabilities, not renormalised; only with `details`."""
    description: NotRequired[str]
    """The apparent expression in words, never a feeling; only with `details`."""
    face: FaceLocation
    warnings: list[WarningEntry]
    faces: NotRequired[list[PredictedFace]]
    """All faces, largest first. Only with `faces=all`."""
    faces_detected: int
    """Faces found in the picture, with a prediction or without."""
    image: PictureInfo
    inference_time_ms: float
    timings_ms: dict[str, float]
    """Milliseconds by stage: `queue` is the wait for a worker, `total` the sum."""
    success: Literal[True]


class BatchResult(TypedDict):
    """The results of a batch: one item a file, in the order of the request."""

    success: Literal[True]
    """The batch was read; each item has its own `success`."""
    results: list[BatchPrediction | BatchError]
    summary: BatchSummary
    model: ModelVersion
    total_time_ms: float
    request_id: str
    """Finds the request in the service's log."""


class BatchSummary(TypedDict):
    """Counts of the items of a batch."""

    total: int
    succeeded: int
    failed: int
    uncertain: int
    """Succeeded items whose (largest) face has an uncertain prediction."""
    by_emotion: dict[str, int]
    """Succeeded items by the emotion of their (largest) face."""
    by_error: dict[str, int]
    """Failed items by the code of their error."""


class Caveat(TypedDict):
    """A reason to doubt a summary."""

    code: CaveatCode
    message: str


Change = TypedDict(
    "Change",
    {
        "t": "float",
        "track": "int",
        "from": "str",
        "to": "str",
    },
)


class ClientLimits(TypedDict):
    """What a client checks before it sends pictures."""

    max_file_size_mb: float
    max_image_pixels: int
    max_batch_files: int
    max_batch_size_mb: float
    rate_limit: str


class ClientThresholds(TypedDict):
    """The thresholds that decide about a prediction."""

    confidence: float
    """Confidence below which a prediction is uncertain."""
    detection: float
    """Least score of a detected face."""


class ComparedModel(TypedDict):
    """The prediction of one of several models."""

    outputs: NotRequired[dict[str, OutputValue]]
    """What the model gives beside its labels, by name; only of models whose manifest has some."""
    emotion: str
    """The most probable label: what the face shows, not what a person feels."""
    confidence: float
    """The calibrated probability of that label."""
    is_uncertain: bool
    """Whether the confidence is below `CONFIDENCE_THRESHOLD`."""
    probabilities: dict[str, float]
    """Calibrated probabilities, in the model's order."""
    message: NotRequired[str]
    """Names the two most probable labels when the prediction is uncertain."""
    emotion_vector: NotRequired[EmotionVector]
    """Six of the model's probabilities, not renormalised; only with `details`."""
    description: NotRequired[str]
    """The apparent expression in words, never a feeling; only with `details`."""
    model: ModelVersion
    inference_time_ms: float


class ComparisonResult(TypedDict):
    """The predictions of several models for one face."""

    action_units: NotRequired[dict[str, ActionUnitEntry] | None]
    """Action units by number; only with `details`."""
    blendshapes: NotRequired[dict[str, float] | None]
    """52 blendshapes, 0 to 1; only with `details`."""
    head_pose: NotRequired[HeadPoseEntry | None]
    """Only with `details`."""
    mesh: NotRequired[list[list[float]] | None]
    """478 points as [x, y, z] in pixels of the picture; only with `details`."""
    success: Literal[True]
    agree: bool
    """Whether all models give the same emotion."""
    models: list[ComparedModel]
    """In the order in which they were asked for."""
    by_emotion: dict[str, list[str]]
    """The names of the models that give each emotion."""
    largest_difference: dict[str, float]
    """Between the models' probabilities of each label."""
    face: FaceLocation
    faces_detected: int
    warnings: list[WarningEntry]
    image: PictureInfo
    timings_ms: dict[str, float]
    """Milliseconds by stage: `queue` is the wait for a worker, `total` the sum."""
    request_id: str
    """Finds the request in the service's log."""


class DetailsInfo(TypedDict):
    """The details of a face."""

    names: list[str]
    """What `details` may name."""
    state: Literal["off", "not_loaded", "loaded", "unavailable"]
    method: str
    action_units: dict[str, UnitInfo]


class EmotionVector(TypedDict):
    """Probabilities of a model. Null for an emotion that the model has no label for."""

    happiness: float | None
    sadness: float | None
    anger: float | None
    fear: float | None
    surprise: float | None
    disgust: float | None


class Error(TypedDict):
    """The form of every error, whatever its cause."""

    success: Literal[False]
    error: ErrorCode
    """A code that stays the same."""
    message: str
    """A sentence for the person who sent the request."""
    request_id: str
    """Finds the request in the service's log."""


class FaceBox(TypedDict):
    """A rectangle in pixels of the upright picture; it may reach beyond the picture's edge."""

    x: int
    y: int
    width: int
    height: int


class FaceLocation(TypedDict):
    """Where a face is."""

    box: FaceBox
    score: float
    """The detector's confidence; 0 without detection (`on_no_face=center`)."""
    landmarks: dict[str, list[int]]
    """Points as [x, y] by name; left and right are the person's own. Empty without detection."""


class FacialPart(TypedDict):
    """The prediction for the picture's face."""

    emotions: dict[str, float]
    score: NotRequired[float]
    """From 0 to 100: how confident it looks, by the profile's formula."""
    is_uncertain: bool


class FailedPart(TypedDict):
    """The error of a picture, which does not count."""

    error: ErrorCode
    message: str


class Finish(TypedDict):
    """Asks for the summary, after the frames that wait. Then the stream is closed."""

    type: Literal["end"]


class FrameCounts(TypedDict):
    """The frames of a session: ``received`` = ``read`` + ``failed`` + all ``skipped``."""

    received: int
    read: int
    failed: int
    """Frames that had an `error`."""
    skipped: dict[str, int]
    """Frames that were passed over, by reason."""
    without_face: int
    """Frames that were read and show no face."""


class FramePrediction(TypedDict):
    """The predictions for one frame."""

    type: Literal["prediction"]
    frame: int
    """The frame's number, from 0 by arrival."""
    t: float
    """The frame's time in seconds."""
    faces: list[TrackedFace]
    """The faces, largest first; empty without a face."""
    faces_detected: int
    image: PictureInfo
    skipped: int
    """Frames passed over since the last one with a prediction or an error."""
    practice: NotRequired[PracticePoint]
    """The largest face by the profile. Only with a profile and a face."""
    timings_ms: dict[str, float]
    """Milliseconds by stage: `queue` is the wait for a worker, `total` the sum."""


class FurtherOutputInfo(TypedDict):
    """What a model gives beside its labels."""

    kind: Literal["regression", "multilabel"]
    names: list[str]
    range: NotRequired[list[float]]
    """Least and greatest value of a regression."""
    thresholds: NotRequired[list[float]]
    """The probability from which each name of a multilabel is active."""


class GridExplanation(TypedDict):
    """Which parts of the face support a label, as numbers (`explain=grid`)."""

    method: Literal["contrast", "cam", "occlusion"]
    """`cam`: a class-activation map; `contrast`: that map minus those of the other labels; `occlusion`: the effect of
    covering each part."""
    label: str
    """The label that is explained."""
    corners: list[list[float]]
    """Where the map lies in the picture: top left, top right, bottom right, bottom left."""
    grid: list[list[float]]
    """The map as rows of values from 0 to 1."""


class HeadPoseEntry(TypedDict):
    """The turn of the head in degrees."""

    yaw: float
    """Positive: the person looks to their own left."""
    pitch: float
    """Positive: up."""
    roll: float
    """Positive: the head is tilted to the person's own right shoulder."""


class Health(TypedDict):
    """How the service is."""

    status: Literal["ok", "starting", "unavailable"]
    reason: NotRequired[str | None]
    """Why it is not ok."""
    model_loaded: bool
    uptime_seconds: float
    details: Literal["off", "not_loaded", "loaded", "unavailable"]
    """Whether details can be had; without them, the rest of the service is the same."""
    details_reason: NotRequired[str | None]
    """Why details cannot be had."""
    is_cold_start: bool
    """True in the first minute, while caches are cold."""
    rate_limit_storage: Literal["off", "memory", "redis", "memory while redis is away"]
    """Where rate limits are counted at this moment."""


class Histogram(TypedDict):
    """Counts by bins: each value counts in the first bin whose bound it does not exceed, or in the last."""

    mean: float | None
    bounds: list[float]
    counts: list[int]
    """One more than there are bounds: the last bin is open."""


class Improvement(TypedDict):
    """What a person may practise."""

    code: ImprovementCode
    message: str


class Info(TypedDict):
    """What this service is and how it is set up."""

    success: Literal[True]
    service: str
    version: str
    notice: Notice
    default_model: str
    models: list[ModelInfo]
    failures: dict[str, str]
    """What is wrong with each model that is not served, in one sentence."""
    providers: list[str]
    """Execution providers that the default model uses."""
    workers: Workers
    limits: RequestLimits
    session_profiles: list[str]
    """The profiles that sessions may ask for."""
    labels: list[Label]
    """Every label of the models that are served."""
    levels: list[Level]
    """From the least confidence to the most."""
    details: DetailsInfo
    quality_thresholds: dict[str, WarningThreshold]
    """When each warning is given."""


class Label(TypedDict):
    """A label, and how it is shown."""

    name: str
    emoji: str
    color: str


class Labels(TypedDict):
    """The few facts that a client needs."""

    success: Literal[True]
    labels: list[str]
    """Every label of the models that are served."""
    levels: dict[str, float]
    """The least confidence of each level."""
    thresholds: ClientThresholds
    limits: ClientLimits


class Law(TypedDict):
    """A legal duty of whoever uses the service."""

    name: str
    article: str
    date: str
    """The day from which it applies, as YYYY-MM-DD."""
    says: str


Level = TypedDict(
    "Level",
    {
        "name": 'Literal["uncertain", "fair", "sure"]',
        "from": "float",
        "color": "str",
        "emoji": "str",
    },
)


LevelEvent = TypedDict(
    "LevelEvent",
    {
        "type": 'Literal["event"]',
        "event": 'Literal["level_changed"]',
        "t": "float",
        "track": "int",
        "from": "PracticeLevel | None",
        "to": "PracticeLevel",
        "smoothed_confidence": "float",
        "message": "str",
    },
)


class ModelInfo(TypedDict):
    """What the manifest of a model says, and how the model runs here."""

    name: str
    version: str
    default: bool
    """Whether requests that name no model get this one."""
    loaded: bool
    """Whether it is in memory: true for every model that is served."""
    architecture: str
    trained_on: str
    license: str
    labels: list[str]
    outputs: list[FurtherOutputInfo]
    """Beside the labels; most models have none."""
    metrics: dict[str, JsonValue]
    sha256: str
    input: ModelInput
    providers: list[str]
    """Execution providers in use."""
    explains_by: Literal["contrast", "cam", "occlusion"]
    """The method of its explanations where none is asked for."""
    explain_methods: list[Literal["contrast", "cam", "occlusion"]]
    """Every method that `explain_method` can name."""


class ModelInput(TypedDict):
    """The crop that a model takes."""

    width: int
    height: int
    channels: Literal["gray", "rgb", "bgr"]


class ModelStats(TypedDict):
    """The predictions of one model."""

    pictures: int
    faces: int
    labels: dict[str, int]
    """Faces by their likeliest label."""
    uncertain: int
    uncertain_share: float | None
    confidence: Histogram
    latency_ms: Histogram
    """Milliseconds a picture, the wait for a worker included."""


class ModelVersion(TypedDict):
    """The model that made the prediction."""

    name: str
    version: str


class ModelWithCard(TypedDict):
    """A model with its card."""

    name: str
    version: str
    default: bool
    """Whether requests that name no model get this one."""
    loaded: bool
    """Whether it is in memory: true for every model that is served."""
    architecture: str
    trained_on: str
    license: str
    labels: list[str]
    outputs: list[FurtherOutputInfo]
    """Beside the labels; most models have none."""
    metrics: dict[str, JsonValue]
    sha256: str
    input: ModelInput
    providers: list[str]
    """Execution providers in use."""
    explains_by: Literal["contrast", "cam", "occlusion"]
    """The method of its explanations where none is asked for."""
    explain_methods: list[Literal["contrast", "cam", "occlusion"]]
    """Every method that `explain_method` can name."""
    card: str | None
    """The model card, in Markdown."""


class Models(TypedDict):
    """The models of the service."""

    success: Literal[True]
    default: str
    models: list[ModelWithCard]
    """The default first, then the others by name."""
    failures: dict[str, str]
    """What is wrong with each model that is not served, in one sentence."""


class MultimodalResult(TypedDict):
    """A picture, a voice and a text together."""

    confidence_score: NotRequired[float]
    """Weighted mean of the scores that are there, from 0 to 100."""
    clarity_score: NotRequired[float | None]
    """The text's score, or null."""
    engagement_score: NotRequired[float | None]
    """100 × (1 − neutral), or null without emotions."""
    notice: NotRequired[str]
    """What the scores are, and what they must not be used for."""
    fused_emotions: dict[str, float]
    """Face and voice by halves; empty without both."""
    dominant_emotion: str | None
    weights: dict[str, float]
    """The weights of the parts that count; they sum to 1."""
    facial: FacialPart | FailedPart | None
    voice: VoicePart | None
    text: TextPart | None
    recommendations: list[Recommendation]
    success: Literal[True]
    request_id: str
    """Finds the request in the service's log."""


class Notice(TypedDict):
    """What every user of the service has to know, and has to tell."""

    purpose: str
    ruled_out: list[str]
    """Uses that are ruled out."""
    laws: list[Law]
    texts: dict[str, str]
    """For the people whose faces are read, by language."""


class OutputValue(TypedDict):
    """One further number of a model."""

    value: float
    active: NotRequired[bool]
    """Whether a probability reaches its threshold."""


class OverlayExplanation(TypedDict):
    """Which parts of the face support a label, as a picture (`explain=true`)."""

    method: Literal["contrast", "cam", "occlusion"]
    """`cam`: a class-activation map; `contrast`: that map minus those of the other labels; `occlusion`: the effect of
    covering each part."""
    label: str
    """The label that is explained."""
    corners: list[list[float]]
    """Where the map lies in the picture: top left, top right, bottom right, bottom left."""
    overlay: str
    """The map over the face's crop, as the data URL of a PNG."""


class PictureInfo(TypedDict):
    """The decoded picture."""

    width: int
    """Pixels across, after EXIF orientation."""
    height: int
    format: Literal["jpeg", "png", "webp", "bmp"]


class PracticePoint(TypedDict):
    """A frame, or the mean of the frames in a span of time."""

    t: float
    confidence: float
    """How confident the face looks, from 0 to 1."""
    smoothed_confidence: float
    """Mean of the last 15 frames with a face."""
    level: PracticeLevel
    """The level of the smoothed confidence."""


class PredictedFace(TypedDict):
    """One face with its prediction."""

    outputs: NotRequired[dict[str, OutputValue]]
    """What the model gives beside its labels, by name; only of models whose manifest has some."""
    emotion: str
    """The most probable label: what the face shows, not what a person feels."""
    confidence: float
    """The calibrated probability of that label."""
    is_uncertain: bool
    """Whether the confidence is below `CONFIDENCE_THRESHOLD`."""
    probabilities: dict[str, float]
    """Calibrated probabilities, in the model's order."""
    message: NotRequired[str]
    """Names the two most probable labels when the prediction is uncertain."""
    explanation: NotRequired[OverlayExplanation | GridExplanation]
    """Only with `explain`."""
    action_units: NotRequired[dict[str, ActionUnitEntry] | None]
    """Action units by number; only with `details`."""
    blendshapes: NotRequired[dict[str, float] | None]
    """52 blendshapes, 0 to 1; only with `details`."""
    head_pose: NotRequired[HeadPoseEntry | None]
    """Only with `details`."""
    mesh: NotRequired[list[list[float]] | None]
    """478 points as [x, y, z] in pixels of the picture; only with `details`."""
    emotion_vector: NotRequired[EmotionVector]
    """Six of the model's probabilities, not renormalised; only with `details`."""
    description: NotRequired[str]
    """The apparent expression in words, never a feeling; only with `details`."""
    face: FaceLocation
    warnings: list[WarningEntry]


class PredictionResult(TypedDict):
    """The prediction for a picture. The top level is the largest face that was asked for."""

    outputs: NotRequired[dict[str, OutputValue]]
    """What the model gives beside its labels, by name; only of models whose manifest has some."""
    emotion: str
    """The most probable label: what the face shows, not what a person feels."""
    confidence: float
    """The calibrated probability of that label."""
    is_uncertain: bool
    """Whether the confidence is below `CONFIDENCE_THRESHOLD`."""
    probabilities: dict[str, float]
    """Calibrated probabilities, in the model's order."""
    message: NotRequired[str]
    """Names the two most probable labels when the prediction is uncertain."""
    explanation: NotRequired[OverlayExplanation | GridExplanation]
    """Only with `explain`."""
    action_units: NotRequired[dict[str, ActionUnitEntry] | None]
    """Action units by number; only with `details`."""
    blendshapes: NotRequired[dict[str, float] | None]
    """52 blendshapes, 0 to 1; only with `details`."""
    head_pose: NotRequired[HeadPoseEntry | None]
    """Only with `details`."""
    mesh: NotRequired[list[list[float]] | None]
    """478 points as [x, y, z] in pixels of the picture; only with `details`."""
    emotion_vector: NotRequired[EmotionVector]
    """Six of the model's probabilities, not renormalised; only with `details`."""
    description: NotRequired[str]
    """The apparent expression in words, never a feeling; only with `details`."""
    face: FaceLocation
    warnings: list[WarningEntry]
    faces: NotRequired[list[PredictedFace]]
    """All faces, largest first. Only with `faces=all`."""
    faces_detected: int
    """Faces found in the picture, with a prediction or without."""
    image: PictureInfo
    inference_time_ms: float
    timings_ms: dict[str, float]
    """Milliseconds by stage: `queue` is the wait for a worker, `total` the sum."""
    success: Literal[True]
    model: ModelVersion
    request_id: str
    """Finds the request in the service's log."""


class Probe(TypedDict):
    """The result of a probe."""

    status: Literal["ok", "unavailable"]
    reason: NotRequired[str | None]
    """Why it is not ok."""


class ProfileResult(TypedDict):
    """What the profile says of a session. It describes an appearance and is not for judging anybody."""

    name: Literal["interview_practice"]
    mean_confidence: float | None
    """Null without a frame with a face."""
    frames: list[PracticePoint]
    """At most 600 points: the frames with a face, or means by equal spans of time."""
    spikes: list[Spike]
    """The first 1,000."""
    segments: Segments
    stability: Stability | None
    """Null without a frame with a face."""
    improvement_areas: list[Improvement]
    notice: str
    """What this result is, and what it must not be used for."""


class Recommendation(TypedDict):
    """What could be done better."""

    code: RecommendationCode
    message: str


class ReloadedModels(TypedDict):
    """The models after a reload."""

    success: Literal[True]
    models: list[str]
    failures: dict[str, str]
    """What is wrong with each model that is not served, in one sentence."""


class RequestLimits(TypedDict):
    """What a request may hold."""

    formats: list[Literal["jpeg", "png", "webp", "bmp"]]
    max_file_size_mb: float
    max_image_pixels: int
    max_faces: int
    max_batch_files: int
    max_batch_size_mb: float
    rate_limit: str
    """Requests a client, or `off`."""
    request_timeout_seconds: float
    confidence_threshold: float
    """Confidence below which a prediction is uncertain."""


class Segment(TypedDict):
    """A part of the session, by the count of its frames with a face. Without such frames, the means are null."""

    mean_confidence: float | None
    dominant: str | None
    """The label of the most frames."""
    spikes: int


class Segments(TypedDict):
    """The first 20 %, the middle 60 % and the last 20 % of the frames with a face."""

    beginning: Segment
    middle: Segment
    end: Segment


class SeriesPoint(TypedDict):
    """A frame of a track, or the mean of its frames in a span of time."""

    t: float
    track: int
    probabilities: dict[str, float]


class SessionSummary(TypedDict):
    """What the frames of a session come to."""

    success: Literal[True]
    type: Literal["summary"]
    reason: str
    """Why the session ended: `end`, `idle`, `draining`, …"""
    duration: float
    """Seconds from the first frame that was read to the last."""
    frames: FrameCounts
    tracks: list[TrackSummary]
    """The faces; of more than 200 those with the most frames."""
    changes: list[Change]
    """Changes of the most probable label; the first 1,000."""
    series: list[SeriesPoint]
    """At most 600 points: every frame of every track, or means by equal spans of time."""
    caveats: list[Caveat]
    profile: ProfileResult | None
    """The result of the profile that was asked for."""


class Spike(TypedDict):
    """A sudden drop of the confidence below the mean of the three frames before."""

    t: float
    magnitude: float
    """The difference from that mean."""


class SpikeEvent(TypedDict):
    """A spike, as it happens."""

    type: Literal["event"]
    event: Literal["spike"]
    t: float
    track: int
    magnitude: float
    message: str
    """A sentence for the person in the recording."""


class Stability(TypedDict):
    """The confidence over the last 15 frames with a face."""

    variance: float
    trend: Literal["improving", "declining", "steady"]
    """By the slope of a least-squares line: beyond ±0.005 a frame."""
    consistency: float
    """1 − min(1, 4 × standard deviation)."""


class Started(TypedDict):
    """The stream is open: what it is, and what it accepts."""

    type: Literal["started"]
    session: str
    """The id of this stream, which the service's log has as request id."""
    model: ModelVersion
    labels: list[str]
    """The labels of the probabilities, in their order."""
    faces: Literal["largest", "all"]
    details: list[str]
    """What each face has besides its prediction."""
    smoothing: float
    """Time constant of `smoothed` in seconds; 0 turns it off."""
    profile: str | None
    """The profile of the summary."""
    limits: StreamLimits


class Stats(TypedDict):
    """Totals of this process since its start. Aggregates only, nothing about anyone."""

    success: Literal[True]
    uptime_seconds: float
    requests: dict[str, int]
    """Requests by route."""
    errors: dict[str, int]
    """Errors of requests and of items of a batch, by code."""
    warnings: dict[str, int]
    """Pictures with a warning on their quality, by code."""
    pictures: int
    """Pictures that got a result."""
    faces: int
    """Faces found in them."""
    models: dict[str, ModelStats]


class StreamError(TypedDict):
    """An error. A frame or message with one does not end the stream; ten in a row do."""

    success: Literal[False]
    error: ErrorCode
    """A code that stays the same."""
    message: str
    """A sentence for the person who sent the request."""
    request_id: str
    """Finds the request in the service's log."""
    type: Literal["error"]
    frame: NotRequired[int]
    """The frame that the error belongs to."""
    skipped: NotRequired[int]
    """Frames passed over since the last prediction or error."""
    retry_after: NotRequired[float]
    """Seconds to wait before the next try."""


class StreamLimits(TypedDict):
    """What the stream accepts."""

    frame_bytes: int
    """Most bytes of a frame."""
    pixels: int
    """Most pixels of a frame."""
    frames_per_second: int
    """Frames of this client that are read each second."""
    idle_seconds: float
    """Seconds without a message after which the stream ends."""
    bad_messages: int
    """Errors in a row after which the stream ends."""


class TextPart(TypedDict):
    """What was sent of the text."""

    quality_score: float
    feedback: NotRequired[Any]
    """As it was sent."""


class Time(TypedDict):
    """Sets the time of the next frame. Without it, that is the time of its arrival since the start."""

    type: Literal["time"]
    t: float
    """Seconds; not less than the time of the frame before."""


class Token(TypedDict):
    """A token with which a browser opens a stream."""

    success: Literal[True]
    token: str
    """Offer it as the subprotocol `visage.key.TOKEN`, beside `visage.v1`."""
    expires_in: int
    """Seconds within which the stream must be opened."""
    request_id: str
    """Finds the request in the service's log."""


TrackSummary = TypedDict(
    "TrackSummary",
    {
        "track": "int",
        "from": "float",
        "to": "float",
        "seconds": "float",
        "frames": "int",
        "share": "dict[str, float]",
        "mean_probabilities": "dict[str, float]",
        "uncertain_share": "float",
        "warnings": "dict[str, int]",
        "largest_gap": "float",
        "action_units": "NotRequired[dict[str, UnitSummary]]",
    },
)


class TrackedFace(TypedDict):
    """A face of a frame, with its prediction."""

    outputs: NotRequired[dict[str, OutputValue]]
    """What the model gives beside its labels, by name; only of models whose manifest has some."""
    emotion: str
    """The most probable label: what the face shows, not what a person feels."""
    confidence: float
    """The calibrated probability of that label."""
    is_uncertain: bool
    """Whether the confidence is below `CONFIDENCE_THRESHOLD`."""
    probabilities: dict[str, float]
    """Calibrated probabilities, in the model's order."""
    message: NotRequired[str]
    """Names the two most probable labels when the prediction is uncertain."""
    explanation: NotRequired[OverlayExplanation | GridExplanation]
    """Only with `explain`."""
    action_units: NotRequired[dict[str, ActionUnitEntry] | None]
    """Action units by number; only with `details`."""
    blendshapes: NotRequired[dict[str, float] | None]
    """52 blendshapes, 0 to 1; only with `details`."""
    head_pose: NotRequired[HeadPoseEntry | None]
    """Only with `details`."""
    mesh: NotRequired[list[list[float]] | None]
    """478 points as [x, y, z] in pixels of the picture; only with `details`."""
    emotion_vector: NotRequired[EmotionVector]
    """Six of the model's probabilities, not renormalised; only with `details`."""
    description: NotRequired[str]
    """The apparent expression in words, never a feeling; only with `details`."""
    face: FaceLocation
    warnings: list[WarningEntry]
    track: int
    """The number of this face, which it keeps while it is in view, from 1."""
    smoothed: dict[str, float] | None
    """Probabilities averaged over the last moments; null where `smoothing` is 0."""


class UnitInfo(TypedDict):
    """One action unit that `details=action_units` returns."""

    name: str
    threshold: float
    """The intensity from which it is active."""
    experimental: bool
    """Whether its figures in docs/details.md are weak or missing."""


class UnitSummary(TypedDict):
    """One action unit of a track, over the frames in which it was measured."""

    name: str
    mean_intensity: float
    """From 0 to 1."""
    active_share: float
    """Share of these frames in which it is active."""


class VoicePart(TypedDict):
    """What was sent of the voice."""

    emotions: dict[str, float]
    score: NotRequired[float]
    """From 0 to 100: how confident it looks, by the profile's formula."""
    confidence: NotRequired[float]


class WarningEntry(TypedDict):
    """A property of the picture that makes the prediction less reliable."""

    code: WarningCode
    message: str
    """A sentence for the person who took the picture."""


class WarningThreshold(TypedDict):
    """The limit of a warning, and what it measures."""

    value: float
    meaning: str


class Workers(TypedDict):
    """The worker threads."""

    count: int
    alive: int
    face_detector: Literal["blazeface+yunet"]


StreamEvent = SpikeEvent | LevelEvent


StreamMessage = FramePrediction | SpikeEvent | LevelEvent | StreamError | SessionSummary
