"""``POST /predict``, as a client sees it."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.memory_budget import NotEnoughMemory
from tests.api.conftest import PICTURE, Start, upload
from tests.api.fakes import LABELS, FakeModel, FakeRegistry, Script, manifest


def predict(client: TestClient, query: str = "") -> dict[str, Any]:
    response = client.post(f"/predict{query}", **upload())
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def code(client: TestClient, query: str = "", **kwargs: Any) -> tuple[int, str]:
    response = client.post(f"/predict{query}", **(kwargs or upload()))
    assert response.json()["success"] is False
    return response.status_code, response.json()["error"]


def test_a_result_has_the_shape_of_the_contract(client: TestClient) -> None:
    result = predict(client)
    timings = result.pop("timings_ms")
    request_id = result.pop("request_id")
    assert result == {
        "success": True,
        "emotion": "happy",
        "confidence": 0.92,
        "is_uncertain": False,
        "probabilities": dict(zip(LABELS, (0.01, 0.0, 0.01, 0.92, 0.02, 0.02, 0.02), strict=True)),
        "face": {
            "box": {"x": 10, "y": 20, "width": 96, "height": 96},
            "score": 0.97,
            "landmarks": {
                "right_eye": [10, 50],
                "left_eye": [20, 50],
                "nose_tip": [30, 50],
                "mouth_center": [40, 50],
                "right_ear": [50, 50],
                "left_ear": [60, 50],
            },
        },
        "warnings": [],
        "faces_detected": 1,
        "image": {"width": 640, "height": 480, "format": "jpeg"},
        "model": {"name": "default", "version": "1.2.3"},
        "inference_time_ms": 1.1,
    }
    assert list(result["probabilities"]) == list(LABELS)
    assert timings["decode"] == 2.0
    assert timings["total"] >= timings["queue"] >= 0
    assert len(request_id) == 32


def test_the_request_id_is_the_one_of_the_header(client: TestClient) -> None:
    response = client.post("/predict", headers={"X-Request-ID": "my-request-0001"}, **upload())
    assert response.json()["request_id"] == response.headers["x-request-id"] == "my-request-0001"


def test_the_bytes_of_the_upload_reach_the_engine(client: TestClient, script: Script) -> None:
    predict(client)
    assert script.seen == [PICTURE[:64]]


def test_an_uncertain_prediction_names_the_two_likeliest(start: Start) -> None:
    client = start(registry=FakeRegistry(FakeModel(probabilities=(0.05, 0.0, 0.05, 0.45, 0.05, 0.05, 0.35))))
    result = predict(client)
    assert result["is_uncertain"] is True
    assert "happy (0.45) and neutral (0.35)" in result["message"]


def test_the_threshold_of_uncertainty_is_a_setting(start: Start) -> None:
    assert predict(start(confidence_threshold=0.95))["is_uncertain"] is True
    assert predict(start(confidence_threshold=0.92))["is_uncertain"] is False


def test_probabilities_are_rounded_and_still_add_up(start: Start) -> None:
    third = (1 / 3, 1 / 3, 1 / 3 - 1e-9, 0.0, 0.0, 0.0, 0.0)
    result = predict(start(registry=FakeRegistry(FakeModel(probabilities=third))))
    assert result["probabilities"]["angry"] == 0.3333
    assert sum(result["probabilities"].values()) == pytest.approx(1, abs=0.001)
    assert result["emotion"] == "angry"


def test_labels_are_the_models_own(start: Start) -> None:
    model = FakeModel(manifest("five", labels=("b", "a")), probabilities=(0.3, 0.7))
    result = predict(start(default_model="five", registry=FakeRegistry(model)))
    assert result["probabilities"] == {"b": 0.3, "a": 0.7}
    assert result["emotion"] == "a"


def test_several_faces_are_refused_by_default(client: TestClient, script: Script) -> None:
    script.faces = 3
    assert code(client) == (422, "multiple_faces")


def test_the_largest_of_several_faces(client: TestClient, script: Script) -> None:
    script.faces = 3
    result = predict(client, "?faces=largest")
    assert result["faces_detected"] == 3
    assert result["face"]["box"]["x"] == 10
    assert "faces" not in result


def test_all_faces_largest_first_and_the_largest_on_top(client: TestClient, script: Script) -> None:
    script.faces = 3
    result = predict(client, "?faces=all")
    assert [face["face"]["box"]["x"] for face in result["faces"]] == [10, 110, 210]
    top = {name: result[name] for name in result["faces"][0]}
    assert result["faces"][0] == top


def test_all_can_be_the_default(start: Start, script: Script) -> None:
    client = start(enable_multiple_faces=True)
    script.faces = 2
    assert len(predict(client)["faces"]) == 2
    assert "faces" not in predict(client, "?faces=largest")


def test_a_picture_without_a_face_is_an_error(client: TestClient, script: Script) -> None:
    script.faces = 0
    assert code(client) == (422, "no_face_detected")


def test_the_centre_is_read_with_on_no_face_center(client: TestClient, script: Script) -> None:
    script.faces = 0
    result = predict(client, "?on_no_face=center")
    assert result["faces_detected"] == 0
    assert result["face"]["landmarks"] == {}
    assert [warning["code"] for warning in result["warnings"]] == ["face_assumed"]


def test_an_explanation_is_a_picture(client: TestClient) -> None:
    explanation = predict(client, "?explain=true")["explanation"]
    assert explanation["overlay"].startswith("data:image/png;base64,iVBOR")
    assert explanation["method"] == "contrast"
    assert "grid" not in explanation
    assert [tuple(corner) for corner in explanation["corners"]] == [(10, 20), (106, 20), (106, 116), (10, 116)]


def test_an_explanation_is_a_grid_with_its_place(client: TestClient) -> None:
    explanation = predict(client, "?explain=grid&explain_label=sad")["explanation"]
    assert explanation["grid"] == [[0.5] * 6] * 6
    assert explanation["label"] == "sad"
    assert "overlay" not in explanation


@pytest.mark.parametrize("method", ["contrast", "cam", "occlusion"])
def test_an_explanation_is_made_by_the_method_that_is_asked_for(client: TestClient, method: str) -> None:
    assert predict(client, f"?explain=grid&explain_method={method}")["explanation"]["method"] == method


def test_a_model_without_features_is_explained_by_occlusion_alone(start: Start, script: Script) -> None:
    client = start(registry=FakeRegistry(FakeModel(manifest().model_copy(update={"explain": None}))))
    assert predict(client, "?explain=grid")["explanation"]["method"] == "occlusion"
    response = client.post("/predict?explain=grid&explain_method=cam", **upload())
    assert response.status_code == 422
    assert response.json()["message"] == "explain_method: this model's methods are occlusion."
    assert script.started == 1


def test_at_most_eight_faces_of_a_picture_are_explained_by_occlusion(client: TestClient, script: Script) -> None:
    script.faces = 9
    assert code(client, "?faces=all&explain=grid&explain_method=occlusion") == (422, "invalid_request")
    assert script.finished == 0
    assert len(predict(client, "?faces=all&explain=grid")["faces"]) == 9
    script.faces = 8
    assert len(predict(client, "?faces=all&explain=grid&explain_method=occlusion")["faces"]) == 8


def test_every_face_has_its_explanation(client: TestClient, script: Script) -> None:
    script.faces = 2
    assert all("grid" in face["explanation"] for face in predict(client, "?faces=all&explain=grid")["faces"])


def test_without_being_asked_nothing_is_explained(client: TestClient) -> None:
    assert "explanation" not in predict(client)


def test_a_model_is_chosen_by_name(start: Start) -> None:
    client = start(registry=FakeRegistry(FakeModel(), FakeModel(manifest("other"))))
    assert predict(client, "?model=other")["model"]["name"] == "other"
    assert predict(client)["model"]["name"] == "default"


NAMES = "There are: model, faces, on_no_face, explain, explain_label, explain_method, details."


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?face=all", f"There is no query parameter 'face'. Did you mean 'faces'? {NAMES}"),
        ("?Explain=true", f"There is no query parameter 'Explain'. Did you mean 'explain'? {NAMES}"),
        ("?canary=1", f"There is no query parameter 'canary'. {NAMES}"),
        ("?faces=some", "faces takes 'one', 'largest' or 'all'."),
        ("?on_no_face=guess", "on_no_face takes 'error' or 'center'."),
        ("?explain=maybe", "explain takes 'false', 'true' or 'grid'."),
        ("?explain_method=lime", "explain_method takes 'contrast', 'cam' or 'occlusion'."),
        ("?model=nobody", "There is no model of this name. There are: default, other."),
    ],
)
def test_what_is_wrong_with_the_query_is_said_in_words(start: Start, query: str, message: str) -> None:
    client = start(registry=FakeRegistry(FakeModel(), FakeModel(manifest("other"))))
    assert client.post(f"/predict{query}", **upload()).json()["message"] == message


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("?model=nowhere", 404, "model_not_found"),
        ("?model=" + "x" * 65, 422, "invalid_request"),
        ("?faces=some", 422, "invalid_request"),
        ("?on_no_face=guess", 422, "invalid_request"),
        ("?explain=maybe", 422, "invalid_request"),
        ("?explain=grid&explain_label=bored", 422, "invalid_request"),
        ("?explain=grid&explain_method=lime", 422, "invalid_request"),
    ],
)
def test_a_wrong_query_is_refused_before_the_upload_is_read(
    client: TestClient, script: Script, query: str, status: int, error: str
) -> None:
    assert code(client, query) == (status, error)
    assert script.started == 0


@pytest.mark.parametrize(
    ("kwargs", "status", "error"),
    [
        ({"files": {"photo": ("a.jpg", PICTURE)}}, 422, "invalid_request"),
        ({"files": {"file": ("a.jpg", b"")}}, 400, "empty_file"),
        ({"files": [("file", ("a.jpg", PICTURE)), ("file", ("b.jpg", PICTURE))]}, 422, "invalid_request"),
        ({"content": PICTURE, "headers": {"Content-Type": "image/jpeg"}}, 415, "unsupported_media_type"),
        ({"json": {"image": ""}}, 415, "unsupported_media_type"),
        ({}, 415, "unsupported_media_type"),
    ],
)
def test_a_wrong_body_is_one_error(client: TestClient, kwargs: dict[str, Any], status: int, error: str) -> None:
    response = client.post("/predict", **kwargs)
    assert (response.status_code, response.json()["error"]) == (status, error)
    predict(client)


@pytest.mark.parametrize(("path", "field"), [("/predict", "file"), ("/predict/batch", "files")])
def test_the_name_of_a_file_in_its_place_is_told(client: TestClient, path: str, field: str) -> None:
    body = client.post(path, files={field: (None, b"photo.jpg")}).json()
    error = body if path == "/predict" else body["results"][0]
    assert error["error"] == "unsupported_media_type"
    assert f"-F {field}=@photo.jpg" in error["message"]
    assert client.post(path, files={field: (None, b"\xff" + PICTURE)}).status_code == 200


def test_a_file_that_is_too_large_is_refused(start: Start, script: Script) -> None:
    client = start(max_file_size_mb=0.01)
    assert code(client, **upload(b"x" * 10_486)) == (413, "file_too_large")
    assert script.started == 0
    assert client.post("/predict", **upload(b"x" * 10_485)).status_code == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("unsupported_media_type", 415),
        ("invalid_image", 400),
        ("image_too_large", 413),
        ("image_too_small", 422),
    ],
)
def test_what_is_wrong_with_a_picture_is_said(client: TestClient, error: str, status: int) -> None:
    assert code(client, **upload(f"error:{error}\n".encode())) == (status, error)


def test_more_than_a_hundred_faces_are_not_explained(client: TestClient, script: Script) -> None:
    script.faces = 101
    assert code(client, "?faces=all&explain=true") == (422, "invalid_request")
    assert len(predict(client, "?faces=all")["faces"]) == 101


def test_a_picture_that_waits_for_memory_is_read_again(client: TestClient, script: Script) -> None:
    script.fails = NotEnoughMemory(1)
    assert client.post("/predict", **upload()).status_code == 200
    assert script.started == 2
