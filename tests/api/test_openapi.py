"""The API document: whole, true, and with examples that work when they are sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from fastapi.testclient import TestClient

from app.errors import CATALOGUE, ErrorCode
from app.vision.quality import THRESHOLDS, WarningCode
from tests.api.conftest import PICTURE, Start, upload
from tests.api.contract import DOCUMENT, validator
from tests.api.fakes import Script


class Operation(NamedTuple):
    method: str
    path: str
    said: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"


OPERATIONS = [
    Operation(method.upper(), path, said)
    for path, methods in DOCUMENT["paths"].items()
    for method, said in methods.items()
]
EVERY = pytest.mark.parametrize("operation", OPERATIONS, ids=repr)
# A probe says in its own words why it is not well.
BUT_PROBES = pytest.mark.parametrize("operation", [o for o in OPERATIONS if not o.path.startswith("/health")], ids=repr)
FORMS = pytest.mark.parametrize("operation", [o for o in OPERATIONS if "multipart/form-data" in str(o.said)], ids=repr)


def test_every_route_of_the_contract_is_there() -> None:
    assert {(operation.method, operation.path) for operation in OPERATIONS} >= {
        ("POST", "/predict"),
        ("POST", "/predict/batch"),
        ("POST", "/predict/compare"),
        ("POST", "/analyze/facial"),
        ("POST", "/analyze/session"),
        ("POST", "/analyze/multimodal"),
        ("GET", "/models"),
        ("GET", "/info"),
        ("GET", "/stats"),
        ("GET", "/metrics"),
        ("GET", "/health"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
    }


@EVERY
def test_an_operation_says_what_it_does(operation: Operation) -> None:
    assert operation.said["operationId"].isidentifier()
    assert operation.said["summary"]
    assert operation.said["description"]
    assert all(parameter["description"] for parameter in operation.said.get("parameters", ()))
    (content, *_) = operation.said["responses"]["200"]["content"].values()
    assert "$ref" in content["schema"] or content["schema"] == {"type": "string"}


def test_operation_ids_are_distinct() -> None:
    ids = [operation.said["operationId"] for operation in OPERATIONS]
    assert len(ids) == len(set(ids))


@BUT_PROBES
def test_every_declared_error_has_the_one_shape_and_an_example(operation: Operation) -> None:
    by_code = {error.code: error for error in CATALOGUE}
    for status, response in operation.said["responses"].items():
        if status == "200":
            continue
        (content,) = response["content"].values()
        assert content["schema"] == {"$ref": "#/components/schemas/Error"}
        assert content["examples"]
        for example in content["examples"].values():
            validator("Error").validate(example["value"])
            assert by_code[example["value"]["error"]].status == int(status)


@EVERY
def test_what_takes_a_key_says_so(operation: Operation) -> None:
    open_to_all = operation.path == "/metrics" or operation.path.startswith("/health")
    assert ("security" in operation.said) is not open_to_all


def examples_of(content: dict[str, Any]) -> list[Any]:
    named = content.get("examples")
    return [content["example"]] if named is None else [each["value"] for each in named.values()]


@EVERY
def test_the_example_of_every_result_is_such_a_result(operation: Operation) -> None:
    for content in operation.said["responses"]["200"]["content"].values():
        if "$ref" in content["schema"]:
            name = content["schema"]["$ref"].rpartition("/")[2]
            for example in examples_of({**DOCUMENT["components"]["schemas"][name], **content}):
                validator(name).validate(example)
        else:
            assert content["example"]


def test_the_detailed_example_shows_every_detail_that_it_names() -> None:
    content = DOCUMENT["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]
    plain, detailed = (content["examples"][name]["value"] for name in ("plain", "detailed"))
    assert detailed.keys() - plain.keys() == {"action_units", "head_pose", "emotion_vector", "description"}
    active = {code for code, unit in detailed["action_units"].items() if unit["active"]}
    assert active == {"AU6", "AU12"}
    assert "raised lip corners" in detailed["description"]


def test_examples_name_the_models_that_are_served() -> None:
    served = {path.parent.name: json.loads(path.read_text()) for path in Path("models").glob("*/manifest.json")}
    named = [value for value in objects(DOCUMENT) if {"name", "version"} <= value.keys() and value["name"] in [*served]]
    assert {value["name"] for value in named} == {"default", "accurate"}
    for value in named:
        manifest = served[value["name"]]
        for field in value.keys() & {"version", "architecture", "trained_on", "license", "labels", "sha256"}:
            assert value[field] == manifest[field]
        for field in ("input", "metrics"):
            assert value.get(field, {}).items() <= manifest[field].items()


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON document."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from objects(part)


def test_codes_are_closed_lists() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["ErrorCode"]["enum"] == [*get_args(ErrorCode.__value__)]
    assert {*schemas["ErrorCode"]["enum"]} == {error.code for error in CATALOGUE}
    assert schemas["WarningCode"]["enum"] == [*get_args(WarningCode.__value__)] == [*THRESHOLDS]


EXPLAINED = {"method": "cam", "label": "happy", "corners": []}


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/predict", {"mood": "happy"}),
        ("/predict", {"message": None}),
        ("/predict", {"faces": None}),
        ("/predict", {"image": {"width": 640, "height": 480, "format": "gif"}}),
        ("/predict", {"warnings": [{"code": "ugly", "message": "…"}]}),
        ("/predict", {"explanation": EXPLAINED}),
        ("/predict", {"explanation": {**EXPLAINED, "overlay": "…", "grid": []}}),
        ("/analyze/facial", {"face_box": [1, 2, 3]}),
        ("/predict/batch", {"results": [{"index": 0, "filename": None, "success": True}]}),
        ("/predict/batch", {"results": [{"index": 0, "filename": "a", "success": True, "error": "x", "message": "…"}]}),
        (
            "/predict/batch",
            {"results": [{"index": 0, "filename": "a", "success": False, "error": "x", "message": "…"}]},
        ),
    ],
)
def test_the_types_of_results_are_exact(path: str, change: dict[str, Any]) -> None:
    content = DOCUMENT["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]
    schema = validator(content["schema"]["$ref"].rpartition("/")[2])
    example = examples_of(content)[0]
    assert schema.is_valid(example)
    assert not schema.is_valid({**example, **change})


@pytest.mark.parametrize("path", ["/analyze/facial", "/analyze/multimodal"])
def test_the_example_of_a_picture_inside_json_works_when_it_is_sent(
    client: TestClient, script: Script, path: str
) -> None:
    body = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
    response = client.post(path, json=body)
    assert response.status_code == 200
    assert script.seen == [base64.b64decode(body["image"].partition(",")[2])[:64]]


def test_the_examples_of_a_form_s_fields_work_when_they_are_sent(client: TestClient) -> None:
    content = DOCUMENT["paths"]["/analyze/multimodal"]["post"]["requestBody"]["content"]
    fields = content["multipart/form-data"]["schema"]["properties"]
    form = {name: (None, json.dumps(fields[name]["examples"][0])) for name in ("voice", "text")}
    response = client.post("/analyze/multimodal", files={"image": PICTURE, **form})
    assert response.status_code == 200
    assert response.json()["voice"]["emotions"] == content["application/json"]["example"]["voice"]["emotions"]


def test_the_example_of_a_series_gets_the_example_of_its_summary(client: TestClient) -> None:
    said = DOCUMENT["paths"]["/analyze/session"]["post"]
    response = client.post("/analyze/session", json=said["requestBody"]["content"]["application/json"]["example"])
    assert response.json() == said["responses"]["200"]["content"]["application/json"]["example"]


@FORMS
def test_forms_show_a_file_picker(operation: Operation) -> None:
    form = operation.said["requestBody"]["content"]["multipart/form-data"]
    fields = form["schema"]["properties"].values()
    assert "binary" in [field.get("items", field).get("format") for field in fields]


def test_the_document_of_a_running_service_is_this_one(client: TestClient) -> None:
    assert client.get("/openapi.json").json() == DOCUMENT


@EVERY
def test_every_operation_responds_as_it_declares(operation: Operation, start: Start) -> None:
    key = "0123456789abcdef0123"
    client = start(api_keys=f"tester:{key}:admin")
    bodies: dict[str, dict[str, Any]] = {
        "/predict": upload(),
        "/predict/compare": upload(),
        "/predict/batch": {"files": {"files": upload()["files"]["file"]}},
        "/analyze/facial": {"json": {"image": "AAAA"}},
        "/analyze/session": {"json": {"frames": []}},
        "/analyze/multimodal": {"json": {"text": {"quality_score": 80}}},
    }
    response = client.request(
        operation.method, operation.path, headers={"X-API-Key": key}, **bodies.get(operation.path, {})
    )
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] in operation.said["responses"]["200"]["content"]


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if "parameters" in o.said], ids=repr)
def test_an_operation_takes_no_parameters_but_those_that_it_declares(operation: Operation, client: TestClient) -> None:
    response = client.request(operation.method, f"{operation.path}?canary=1")
    assert (response.status_code, response.json()["error"]) == (422, "invalid_request")
    names = ", ".join(parameter["name"] for parameter in operation.said["parameters"])
    assert response.json()["message"] == f"There is no query parameter 'canary'. There are: {names}."


@pytest.mark.parametrize("path", ["/info", "/labels", "/models", "/stats"])
def test_nor_does_one_without_any(path: str, client: TestClient) -> None:
    response = client.get(f"{path}?model=default")
    assert (response.status_code, response.json()["error"]) == (422, "invalid_request")


def test_the_headers_of_responses_are_declared(start: Start) -> None:
    client = start(rate_limit="1/hour", cors_origins=("https://page.example",))
    responses = [
        ("get", "/info", client.get("/info")),
        ("post", "/predict", client.post("/predict", **upload())),
        ("post", "/predict", client.post("/predict", headers={"Origin": "https://page.example"}, **upload())),
    ]
    assert [response.status_code for *_, response in responses] == [200, 200, 429]
    for method, path, response in responses:
        headers = DOCUMENT["paths"][path][method]["responses"][str(response.status_code)]["headers"]
        assert set(headers) == {name for name in DOCUMENT["components"]["headers"] if name in response.headers}
    exposed = responses[-1][-1].headers["access-control-expose-headers"].split(", ")
    assert sorted(exposed) == sorted(DOCUMENT["components"]["headers"])
