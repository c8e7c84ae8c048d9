"""The examples of the documentation show what the service answers, with the shipped models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import httpx
import pytest

from app.api import examples
from app.expression.details import Detail
from tests.api.contract import DOCUMENT
from tests.e2e.test_documented_commands import ROOT, output
from tests.process import ServerProcess

pytestmark = pytest.mark.e2e

SAMPLES = ROOT / "sample_images"
FREE = {
    "version",
    "request_id",
    "sha256",
    "metrics",
    "card",
    "architecture",
    "trained_on",
    "license",
    "failures",
    "rate_limit",
}
"""Fields that differ with each model, build or request."""


@pytest.fixture
def client(shared_server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_server.url, trust_env=False) as client:
        # The first prediction takes longer than those after it.
        client.post("/predict", files={"file": picture("happy_sample.jpg")[1]})
        yield client


def picture(name: str) -> tuple[str, bytes]:
    return name, (SAMPLES / name).read_bytes()


def example(path: str, method: str = "post", name: str | None = None) -> dict[str, Any]:
    """The example of a route, or the one of this name where it has several."""
    content = DOCUMENT["paths"][path][method]["responses"]["200"]["content"]["application/json"]
    shown: dict[str, Any] = content["examples"][name]["value"] if name else content["example"]
    return shown


def differences(shown: Any, real: Any, where: str = "") -> list[str]:
    """Where an example differs from a real result by more than a new version of a model may."""
    if where.rpartition(".")[2] in FREE:
        return []
    if isinstance(shown, dict) and isinstance(real, dict):
        real = present(real)
        found = [f"{where}.{name} is in one of them" for name in shown.keys() ^ real.keys()]
        return found + [
            d for name in shown.keys() & real.keys() for d in differences(shown[name], real[name], f"{where}.{name}")
        ]
    if isinstance(shown, list) and isinstance(real, list):
        if len(shown) != len(real):
            return [f"{where} has {len(shown)} entries, not {len(real)}"]
        return [
            d
            for number, pair in enumerate(zip(shown, real, strict=True))
            for d in differences(*pair, f"{where}[{number}]")
        ]
    if isinstance(shown, int | float) and isinstance(real, int | float) and not isinstance(shown, bool):
        return [] if close(where, shown, real) else [f"{where} is {real}, not {shown}"]
    return [] if shown == real else [f"{where} is {real!r}, not {shown!r}"]


def present(real: dict[str, Any]) -> dict[str, Any]:
    """The fields that are not null. FastAPI leaves nulls out of examples."""
    return {name: value for name, value in real.items() if value is not None}


def close(where: str, shown: float, real: float) -> bool:
    """Times depend on the machine; boxes and probabilities move a little with a model."""
    if "_ms" in where:
        return real >= 0
    return abs(shown - real) <= (0.1 if isinstance(shown, float) else 6)


def test_the_example_of_a_prediction(client: httpx.Client) -> None:
    real = client.post("/predict", files={"file": picture("happy_sample.jpg")}).json()
    assert differences(example("/predict", name="plain"), real) == []


def test_the_example_of_a_prediction_with_details(client: httpx.Client) -> None:
    shown = example("/predict", name="detailed")
    details = ",".join(name for name in get_args(Detail.__value__) if name in shown)
    real = client.post("/predict", params={"details": details}, files={"file": picture("happy_sample.jpg")}).json()
    assert differences(shown, real) == []


def test_the_example_of_a_batch(client: httpx.Client) -> None:
    files = [("files", picture("happy_sample.jpg")), ("files", picture("no_face.jpg"))]
    assert differences(example("/predict/batch"), client.post("/predict/batch", files=files).json()) == []
    table = client.post("/predict/batch", files=files, headers={"Accept": "text/csv"}).text
    assert [line.split(",")[:3] for line in table.splitlines()] == [
        line.split(",")[:3] for line in examples.BATCH_TABLE.splitlines()
    ]
    assert table.splitlines()[0] == examples.BATCH_TABLE.splitlines()[0]
    assert table.splitlines()[2] == examples.BATCH_TABLE.splitlines()[2]


def test_the_example_of_a_comparison(client: httpx.Client) -> None:
    real = client.post("/predict/compare", files={"file": picture("happy_sample.jpg")}).json()
    assert differences(example("/predict/compare"), real) == []


def test_the_example_of_a_picture_inside_json_is_the_result_of_its_request(client: httpx.Client) -> None:
    body = DOCUMENT["paths"]["/analyze/facial"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert differences(example("/analyze/facial"), client.post("/analyze/facial", json=body).json()) == []


@pytest.mark.parametrize("path", ["/labels", "/health/live", "/health/ready"])
def test_the_example_of_a_fact(client: httpx.Client, path: str) -> None:
    assert differences(example(path, "get"), client.get(path).json()) == []


@pytest.mark.parametrize("path", ["/info", "/models", "/health", "/stats"])
def test_the_example_of_what_differs_with_the_service_has_its_fields(client: httpx.Client, path: str) -> None:
    shown, real = example(path, "get"), present(client.get(path).json())
    assert shown.keys() == real.keys()
    for name, value in shown.items():
        assert type(value) is type(real[name]), name
    for model, real_model in zip(*(_models(each) for each in (shown, real)), strict=False):
        assert model.keys() == real_model.keys()


def _models(result: dict[str, Any]) -> list[dict[str, Any]]:
    models = result.get("models", [])
    return [*models.values()] if isinstance(models, dict) else models


PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")
SHOWN = re.findall(r"^```sh\n((?:(?!```).*\n)*)```\n+```json\n((?:(?!```).*\n)*)```", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("command", "shown"), SHOWN)
def test_the_documentation_shows_the_result_of_its_command(
    command: str, shown: str, shared_server: ServerProcess
) -> None:
    assert differences(json.loads(shown), json.loads(output(command, shared_server))) == []


def test_results_are_shown() -> None:
    assert SHOWN
