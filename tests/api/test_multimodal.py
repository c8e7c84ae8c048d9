"""``POST /analyze/multimodal``: a picture with the results of other services."""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import PICTURE, Start
from tests.api.fakes import Script

ENCODED = base64.b64encode(PICTURE).decode()
VOICE: dict[str, Any] = {"emotions": {"happy": 0.6, "neutral": 0.4}, "confidence": 0.9}
TEXT: dict[str, Any] = {"quality_score": 80, "feedback": {"tone": ["calm"]}}
FILE = {"image": ("photo.jpg", PICTURE, "image/jpeg")}
PATH = "/analyze/multimodal"


def result_of(client: TestClient, **kwargs: Any) -> dict[str, Any]:
    response = client.post(PATH, **kwargs)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


BODIES: list[dict[str, Any]] = [
    {"json": {"image": ENCODED, "voice": VOICE, "text": TEXT}},
    {"json": {"voice": VOICE, "text": TEXT, "image": f"data:image/jpeg;base64,{ENCODED}"}},
    {"data": {"voice": json.dumps(VOICE), "text": json.dumps(TEXT)}, "files": FILE},
    {"files": {"image": (None, ENCODED), "voice": (None, json.dumps(VOICE)), "text": (None, json.dumps(TEXT))}},
]


@pytest.mark.parametrize("file", [("", b""), (None, "")], ids=["no file", "no text"])
def test_a_field_that_was_left_empty_is_no_part(client: TestClient, script: Script, file: tuple[Any, Any]) -> None:
    result = result_of(client, files={"image": file, "voice": (None, json.dumps(VOICE)), "text": (None, "")})
    assert result["weights"]["voice"] == 1
    assert not script.seen


@pytest.mark.parametrize("body", BODIES, ids=["json", "data URL", "form", "base64 in a form"])
def test_every_part_counts_however_it_is_sent(start: Start, script: Script, body: dict[str, Any]) -> None:
    result = result_of(start(session_profiles="interview_practice"), **body)
    assert script.seen == [PICTURE[:64]]
    assert result["weights"] == {"facial": 0.5, "voice": 0.4, "text": 0.1}
    assert result["dominant_emotion"] == "happy"
    # The halves of 0.92 and 0.6 are 0.76, of 0.02 and 0.4 are 0.21; the sum is 1.
    assert (result["fused_emotions"]["happy"], result["fused_emotions"]["neutral"]) == (0.76, 0.21)
    # Face: 0.92 × 0.85 + 0.02 × (0.75 + 0.5 - 0.6) - 0.01 × (0.5 + 0.7) = 0.783; 1.483 / 1.55 = 0.956774.
    # Voice: 0.51 + 0.3 = 0.81; 1.51 / 1.55 = 0.974194. 47.8387 + 38.9677 + 8
    assert result["confidence_score"] == 94.8
    assert (result["clarity_score"], result["engagement_score"]) == (80, 79.0)
    assert result["facial"]["score"] == 95.7
    assert result["voice"] == {**VOICE, "score": 97.4}
    assert result["text"] == TEXT
    assert len(result["request_id"]) == 32


def test_without_the_profile_the_scores_are_left_out(client: TestClient) -> None:
    result = result_of(client, json={"image": ENCODED, "voice": VOICE})
    assert not {"confidence_score", "clarity_score", "engagement_score"} & result.keys()
    assert result["fused_emotions"]["happy"] == 0.76


def test_no_picture_means_no_work_for_a_worker(client: TestClient, script: Script) -> None:
    result = result_of(client, json={"image": None, "voice": VOICE, "text": None})
    assert (result["facial"], result["text"], script.started) == (None, None, 0)
    assert result["fused_emotions"] == VOICE["emotions"]


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (b"error:no_face_detected", "no_face_detected"),
        (b"error:multiple_faces", "multiple_faces"),
        (b"error:invalid_image", "invalid_image"),
        (b"", "empty_file"),
    ],
)
@pytest.mark.parametrize("as_form", [True, False])
def test_a_picture_that_fails_is_reported_in_its_place(
    client: TestClient, picture: bytes, code: str, as_form: bool
) -> None:
    form = {"data": {"voice": json.dumps(VOICE)}, "files": {"image": ("a.jpg", picture)}}
    body = form if as_form else {"json": {"image": base64.b64encode(picture).decode(), "voice": VOICE}}
    result = result_of(client, **body)
    assert result["facial"]["error"] == code
    assert result["facial"]["message"]
    assert result["weights"] == {"voice": 1.0}
    assert result["recommendations"][0]["code"] == "send_another_picture"
    assert f'visage_errors_total{{code="{code}"}} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize("image", ["@@@@", "data:text/html;base64,AAAA", "A" * 20_000])
def test_what_cannot_be_a_picture_is_reported_in_its_place(start: Start, image: str) -> None:
    client = start(max_file_size_mb=0.01)
    codes = [
        result_of(client, **body)["facial"]["error"]
        for body in (
            {"json": {"image": image, "text": TEXT}},
            {"files": {"image": (None, image), "text": (None, json.dumps(TEXT))}},
        )
    ]
    assert codes[0] == codes[1] in {"invalid_request", "unsupported_media_type", "file_too_large"}


@pytest.mark.parametrize("as_form", [True, False])
def test_a_data_url_of_the_largest_picture_is_accepted(start: Start, as_form: bool) -> None:
    client = start(max_file_size_mb=0.01)
    image = f"data:image/jpeg;base64,{base64.b64encode(PICTURE.ljust(10_485)).decode()}"
    body: dict[str, Any] = {"files": {"image": (None, image)}} if as_form else {"json": {"image": image}}
    assert "emotions" in result_of(client, **body)["facial"]


def test_a_picture_that_fails_alone_is_the_error_of_the_request(client: TestClient, script: Script) -> None:
    script.faces = 0
    response = client.post(PATH, files=FILE)
    assert (response.status_code, response.json()["error"]) == (422, "no_face_detected")


def test_an_unknown_model_is_the_error_of_the_request(client: TestClient) -> None:
    response = client.post(f"{PATH}?model=nobody", json={"image": ENCODED, "voice": VOICE})
    assert (response.status_code, response.json()["error"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({}, "at least one of image, voice, text"),
        ({"image": None, "voice": None}, "at least one of image, voice, text"),
        ([], "JSON object"),
        ({"image": 3}, "image"),
        ({"voice": []}, "voice: is no JSON object"),
        ({"voice": {}}, "voice.emotions"),
        ({"voice": {"emotions": {}}}, "voice.emotions"),
        ({"voice": {"emotions": {"happy": 0}}}, "voice.emotions: all of them are 0"),
        ({"voice": {"emotions": {"happy": 1.2}}}, "voice.emotions.happy"),
        ({"voice": {"emotions": {"happy": "1"}}}, "voice.emotions.happy"),
        ({"voice": {**VOICE, "confidence": -0.1}}, "voice.confidence"),
        ({"voice": {**VOICE, "pitch": 3}}, "'pitch'"),
        ({"text": "good"}, "text: is no JSON object"),
        ({"text": {}}, "text.quality_score"),
        ({"text": {"quality_score": 100.5}}, "text.quality_score: is no number from 0 to 100"),
        ({"text": {"quality_score": True}}, "text.quality_score"),
        ({"text": {"quality_score": 5, "grade": 1}}, "'grade'"),
        (
            {"text": {"quality_score": 5, "feedback": functools.reduce(lambda inner, _: [inner], range(300), 1)}},
            "feedback",
        ),
        ({"audio": {}}, "'audio'"),
        ({"voice": VOICE, "model": "default"}, "?model="),
    ],
)
def test_a_wrong_part_is_one_error_that_names_the_field(client: TestClient, body: Any, part: str) -> None:
    response = client.post(PATH, json=body)
    assert (response.status_code, response.json()["error"]) == (422, "invalid_request")
    assert part in response.json()["message"]


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ([("voice", (None, "{"))], "voice: is not valid JSON"),
        ([("text", (None, "x" * 17_000))], "text: is longer than 16 KB"),
        ([("voice", (None, json.dumps(VOICE))), ("voice", (None, json.dumps(VOICE)))], "voice: the form has this"),
        ([("audio", (None, "{}"))], "'audio'"),
    ],
)
def test_a_wrong_form_is_one_error_that_names_the_field(client: TestClient, fields: Any, part: str) -> None:
    response = client.post(PATH, files=fields)
    assert (response.status_code, response.json()["error"]) == (422, "invalid_request")
    assert part in response.json()["message"]
