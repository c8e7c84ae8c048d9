"""``POST /analyze/multimodal``: a picture with the results of a voice and a text service."""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response

from app.api import jobs
from app.api.base64_image import Base64Decoder, longest_base64, read_parts
from app.api.dependencies import Fusing, MultimodalQuery, result_headers, service_of
from app.api.examples import MULTIMODAL, PICTURE
from app.api.json_values import MOST_LABELS, check_number, check_probabilities, is_json
from app.api.openapi import ONE_PICTURE, PICTURES, documented, request_body
from app.api.parameters import QueryRoute, refuse_parameter_in_body, unknown
from app.api.results import MultimodalResult, analysis_result, json_response
from app.api.uploads import Upload, fields
from app.errors import FileTooLarge, InvalidRequest, RetryableError, VisageError
from app.pipeline import DetectOptions
from app.sessions.fusion import Facial, Text, Voice, fuse
from app.sessions.profile import InterviewPractice
from app.telemetry.records import request_record

router = APIRouter(tags=["Sessions"], route_class=QueryRoute)

_PARTS: Final = ("image", "voice", "text")
_LONGEST_PART: Final = 16 * 1024
_EMOTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": MOST_LABELS,
    "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
    "description": "Numbers by label, not all of them 0.",
}
_VOICE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["emotions"],
    "additionalProperties": False,
    "properties": {"emotions": _EMOTIONS, "confidence": {"type": ["number", "null"], "minimum": 0, "maximum": 1}},
    "description": "The result of a voice service.",
}
_TEXT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["quality_score"],
    "additionalProperties": False,
    "properties": {
        "quality_score": {"type": "number", "minimum": 0, "maximum": 100},
        "feedback": {"description": "Any JSON. It comes back with the result."},
    },
    "description": "The result of a text service.",
}


def _body() -> dict[str, Any]:
    image = {"type": "string", "description": "A JPEG, PNG, WebP or BMP picture as base64 or as a data URL."}
    file = {**image, "format": "binary", "description": "The picture as a file, or as base64 or a data URL."}
    voice = {"emotions": {"happy": 0.6, "neutral": 0.3, "sad": 0.1}, "confidence": 0.8}
    text = {"quality_score": 80, "feedback": "Clear and short."}
    form = {"image": file, "voice": {**_VOICE, "examples": [voice]}, "text": {**_TEXT, "examples": [text]}}
    return request_body(
        {
            "application/json": {
                "schema": _object({"image": image, "voice": _VOICE, "text": _TEXT}),
                "example": {"image": PICTURE, "voice": voice, "text": text},
            },
            "multipart/form-data": {"schema": _object(form)},
        }
    )


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": properties}


@router.post(
    "/analyze/multimodal",
    operation_id="analyze_multimodal",
    summary="Fuse a picture with the results of a voice and a text service",
    response_model=MultimodalResult,
    responses=documented(MULTIMODAL, *PICTURES, *ONE_PICTURE),
    openapi_extra=_body(),
)
async def analyze_multimodal(request: Request, query: Fusing) -> Response:
    """Takes a picture, and what other services say of a voice and of a text; at least one of them. Emotions of face and
    voice are fused by halves. A picture that fails has its error in its place, and the others still count; alone, it is
    the error of the request.

    ```sh
    curl -F image=@sample_images/happy_sample.jpg -F 'voice={"emotions": {"happy": 0.6, "neutral": 0.4}}' \\
      -F 'text={"quality_score": 80}' http://localhost:8000/analyze/multimodal
    ```

    The scores are those of the profile `interview_practice` and are there only where the operator allows it. They
    describe an appearance, for a person's own practice.
    """
    settings = service_of(request.scope).settings
    picture, voice, text = await _read(request)
    facial: Facial | VisageError | None = None
    if picture is not None:
        facial = await _facial(request, query, picture)
    if isinstance(facial, VisageError):
        if voice is None and text is None:
            raise facial
        service_of(request.scope).metrics.error(facial.code)
    result: MultimodalResult = {
        "success": True,
        **fuse(facial, voice, text, scored=InterviewPractice.name in settings.session_profiles),
        "request_id": request_record(request.scope).request_id,
    }
    return json_response(result, headers=result_headers(request.scope))


async def _facial(request: Request, query: MultimodalQuery, picture: bytes | VisageError) -> Facial | VisageError:
    """The prediction for the picture, or the error that stands in its place."""
    if isinstance(picture, VisageError):
        return picture
    model = service_of(request.scope).registry.get(query.model)
    request_record(request.scope).model = model.manifest.name
    try:
        finished = await jobs.read_picture(request, picture, DetectOptions(query.faces), [model], analysis_result)
    except RetryableError:
        raise
    except VisageError as error:
        return error
    jobs.count(request, finished)
    return Facial(finished.result["emotions"], finished.result["is_uncertain"])


async def _read(request: Request) -> tuple[bytes | VisageError | None, Voice | None, Text | None]:
    """The parts of the body that are there. Raises InvalidRequest where there is none."""
    max_bytes = service_of(request.scope).settings.max_file_bytes
    picture: bytes | VisageError | None
    if is_json(request):
        others, picture = await read_parts(request, max_bytes=max_bytes)
        for name in others:
            refuse_parameter_in_body(name)
            if name not in _PARTS:
                raise unknown("field", name, _PARTS)
    else:
        # Base64 may have the header of a data URL before it.
        longest = longest_base64(max_bytes) + _LONGEST_PART
        limits = {"image": longest, "voice": _LONGEST_PART, "text": _LONGEST_PART}
        # A browser also sends the fields that were left empty.
        form = {name: part for name, part in (await fields(request, limits)).items() if part.size or part.name}
        others = {name: _loaded(upload) for name, upload in form.items() if name != "image"}
        picture = _picture(form["image"], max_bytes) if "image" in form else None
    voice, text = _voice(others.get("voice")), _text(others.get("text"))
    if picture is None and voice is None and text is None:
        raise InvalidRequest(f"Send at least one of {', '.join(_PARTS)}.")
    return picture, voice, text


def _picture(upload: Upload, max_bytes: int) -> bytes | VisageError:
    """The picture of a form: a file, or base64 as text."""
    try:
        data = upload.content()
        if upload.is_file:
            return data if upload.size <= max_bytes else FileTooLarge()
        decoder = Base64Decoder(max_bytes)
        decoder.feed(data.decode("latin-1"))
        return decoder.finish()
    except VisageError as error:
        return error


def _loaded(upload: Upload) -> Any:
    if upload.data is None:
        raise InvalidRequest(f"{upload.field}: is longer than {_LONGEST_PART // 1024} KB.")
    try:
        return orjson.loads(upload.data)
    except orjson.JSONDecodeError:
        raise InvalidRequest(f"{upload.field}: is not valid JSON.") from None


def _voice(given: Any) -> Voice | None:
    if given is None:
        return None
    _check_object("voice", given, ("emotions", "confidence"))
    check_probabilities("voice.emotions", given.get("emotions"))
    if not any(given["emotions"].values()):
        raise InvalidRequest("voice.emotions: all of them are 0.")
    confidence = given.get("confidence")
    if confidence is not None:
        check_number("voice.confidence", confidence, 1)
    return Voice(given["emotions"], confidence)


def _text(given: Any) -> Text | None:
    if given is None:
        return None
    _check_object("text", given, ("quality_score", "feedback"))
    check_number("text.quality_score", given.get("quality_score"), 100)
    text = Text(given["quality_score"], given.get("feedback"))
    try:
        # As deep as in the result.
        orjson.dumps({"text": {"feedback": text.feedback}})
    except TypeError:
        raise InvalidRequest("text.feedback: has too many lists and objects inside one another.") from None
    return text


def _check_object(field: str, given: Any, names: tuple[str, ...]) -> None:
    if not isinstance(given, dict):
        raise InvalidRequest(f"{field}: is no JSON object.")
    for name in given:
        if name not in names:
            raise unknown(f"field of {field}", name, names)
