"""``POST /analyze/facial``: pictures inside JSON."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import PICTURE, Start, upload
from tests.api.fakes import LABELS, FakeModel, FakeRegistry, Script, manifest
from tests.api.raw import RawRequest, ask

ENCODED = base64.b64encode(PICTURE).decode()


def analyze(client: TestClient, image: str = ENCODED, query: str = "") -> dict[str, Any]:
    response = client.post(f"/analyze/facial{query}", json={"image": image})
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def test_a_result_has_the_shape_of_the_contract(client: TestClient, script: Script) -> None:
    result = analyze(client)
    assert len(result.pop("request_id")) == 32
    assert result == {
        "success": True,
        "emotions": dict(zip(LABELS, (0.01, 0.0, 0.01, 0.92, 0.02, 0.02, 0.02), strict=True)),
        "dominant_emotion": "happy",
        "confidence": 0.92,
        "is_uncertain": False,
        "face_detected": True,
        "face_box": [10, 20, 96, 96],
        "warnings": [],
        "faces": client.post("/predict?faces=all", **upload()).json()["faces"],
        "faces_detected": 1,
        "model": {"name": "default", "version": "1.2.3"},
        "image": {"width": 640, "height": 480, "format": "jpeg"},
    }
    assert script.seen == [PICTURE[:64]] * 2


def test_a_result_says_how_far_it_can_be_relied_on(start: Start, script: Script) -> None:
    client = start(confidence_threshold=0.95)
    script.faces = 0
    result = analyze(client, query="?on_no_face=center")
    assert result["message"].startswith("The prediction is uncertain; the likeliest are happy (0.92) and")
    assert [warning["code"] for warning in result["warnings"]] == ["face_assumed"]


def test_all_faces_are_listed_with_faces_all(client: TestClient, script: Script) -> None:
    script.faces = 3
    result = analyze(client, query="?faces=all")
    assert [face["face"]["box"]["x"] for face in result["faces"]] == [10, 110, 210]
    assert (result["face_box"], result["faces_detected"]) == ([10, 20, 96, 96], 3)


@pytest.mark.parametrize(
    "image", [f"data:image/jpeg;base64,{ENCODED}", ENCODED.rstrip("="), f" {ENCODED[:9]}\n{ENCODED[9:]}"]
)
def test_a_picture_may_be_written_in_several_ways(client: TestClient, script: Script, image: str) -> None:
    analyze(client, image)
    assert script.seen == [PICTURE[:64]]


def test_a_picture_without_a_face_is_an_error(client: TestClient, script: Script) -> None:
    script.faces = 0
    response = client.post("/analyze/facial", json={"image": ENCODED})
    assert (response.status_code, response.json()["error"]) == (422, "no_face_detected")


def test_the_centre_is_read_with_on_no_face_center(client: TestClient, script: Script) -> None:
    script.faces = 0
    result = analyze(client, query="?on_no_face=center")
    assert result["face_detected"] is False
    assert result["face_box"] == [0, 0, 48, 48]


def test_the_largest_of_several_faces(client: TestClient, script: Script) -> None:
    script.faces = 2
    assert analyze(client, query="?faces=largest")["face_box"][0] == 10


def test_a_model_is_chosen_by_name(start: Start) -> None:
    other = FakeModel(manifest("other"), probabilities=(0.7, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0))
    client = start(registry=FakeRegistry(FakeModel(), other))
    assert analyze(client, query="?model=other")["dominant_emotion"] == "angry"


@pytest.mark.parametrize(
    ("kwargs", "status", "error"),
    [
        ({"json": {"image": "not base64!"}}, 422, "invalid_request"),
        ({"json": {"image": "data:image/gif;base64,AAAA"}}, 415, "unsupported_media_type"),
        ({"json": {"image": ""}}, 400, "empty_file"),
        ({"json": {"picture": ENCODED}}, 422, "invalid_request"),
        ({"json": [ENCODED]}, 422, "invalid_request"),
        ({"json": {"image": ENCODED, "faces": "largest"}}, 422, "invalid_request"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "invalid_request"),
        ({"content": b"", "headers": {"Content-Type": "application/json"}}, 422, "invalid_request"),
        ({"files": {"image": ("a.jpg", PICTURE)}}, 415, "unsupported_media_type"),
    ],
)
def test_a_wrong_body_is_one_error(client: TestClient, kwargs: dict[str, Any], status: int, error: str) -> None:
    response = client.post("/analyze/facial", **kwargs)
    assert (response.status_code, response.json()["error"]) == (status, error)
    analyze(client)


def test_a_picture_that_is_too_large_is_refused(start: Start, script: Script) -> None:
    client = start(max_file_size_mb=0.01)
    response = client.post("/analyze/facial", json={"image": base64.b64encode(b"x" * 10_486).decode()})
    assert (response.status_code, response.json()["error"]) == (413, "file_too_large")
    assert script.started == 0


@pytest.mark.parametrize("escaped", [("/", r"\/"), ("/", r"\u002F"), ("w", r"w\n")])
def test_a_picture_of_the_largest_size_may_be_escaped_and_wrapped(start: Start, escaped: tuple[str, str]) -> None:
    client = start(max_file_size_mb=1)
    text = base64.b64encode(PICTURE + bytes(1024 * 1024 - len(PICTURE))).decode().replace(*escaped)
    wrapped = r"\n".join(text[start : start + 76] for start in range(0, len(text), 76)) if escaped[0] == "w" else text
    body = b'{"image": "%b"}' % wrapped.encode()
    response = client.post("/analyze/facial", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text


def test_a_body_of_nested_json_is_refused_after_its_first_piece(client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    response = ask(client, RawRequest("/analyze/facial", headers=headers, pieces=[b"[" * 65_536] * 100))
    assert (response.status, response.error, response.pieces_read) == (422, "invalid_request", 1)
