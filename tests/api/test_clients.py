"""Clients that are generated from the OpenAPI document read what the service really sends."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.api.conftest import PICTURE, Start, upload
from tests.api.fakes import FakeModel, FakeRegistry, Script, manifest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"
TYPESCRIPT = Path(__file__).with_name("typescript")
UNSURE = (0.05, 0.0, 0.05, 0.45, 0.05, 0.05, 0.35)

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (TYPESCRIPT / "node_modules").is_dir(),
    reason="The TypeScript compiler is not installed (npm ci in tests/api/typescript).",
)

Results = list[tuple[str, Any]]
"""Names of schemas, each with a result that the service sent."""


@pytest.fixture
def results(start: Start, script: Script) -> Results:
    client = start(registry=FakeRegistry(FakeModel(), FakeModel(manifest("unsure"), UNSURE)))
    documented = {"Info": "/info", "Models": "/models", "Health": "/health", "Probe": "/health/ready"}
    found: Results = [(name, client.get(path).json()) for name, path in documented.items()]

    def send(name: str, path: str, **kwargs: Any) -> None:
        found.append((name, client.post(path, **(kwargs or upload())).json()))

    send("PredictionResult", "/predict")
    send("PredictionResult", "/predict?model=unsure&explain=true")
    send("ComparisonResult", "/predict/compare")
    send("AnalysisResult", "/analyze/facial", json={"image": "AAAA"})
    send("BatchResult", "/predict/batch", files=[("files", PICTURE), ("files", b"error:invalid_image\n")])
    send("Error", "/predict?model=nowhere")
    script.faces = 2
    send("PredictionResult", "/predict?faces=all&explain=grid")
    script.faces = 0
    send("PredictionResult", "/predict?on_no_face=center")
    return [*found, ("Stats", client.get("/stats").json())]


@needs_node
def test_results_have_the_types_of_a_typescript_client(results: Results, tmp_path: Path) -> None:
    lines = ['import type { components } from "./schema";']
    for number, (name, result) in enumerate(results):
        lines.append(f'export const result{number}: components["schemas"]["{name}"] = {json.dumps(result)};')
    (tmp_path / "results.ts").write_text("\n".join(lines), "utf-8")
    shutil.copy(TYPESCRIPT / "client.ts", tmp_path)
    node("openapi-typescript/bin/cli.js", str(DOCUMENT), "--output", str(tmp_path / "schema.ts"))
    files = [str(tmp_path / name) for name in ("client.ts", "results.ts")]
    node("typescript/bin/tsc", "--noEmit", "--strict", "--exactOptionalPropertyTypes", *files)


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The models of a Python client."""
    pytest.importorskip("openapi_python_client", reason="openapi-python-client is not installed.")
    config = tmp_path / "config.json"
    config.write_text('{"post_hooks": []}', "utf-8")
    folder = tmp_path / "generated_client"
    command = ["-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta=none", f"--config={config}"]
    run(sys.executable, *command, f"--path={DOCUMENT}", f"--output-path={folder}")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("generated_client.models")
    for name in [name for name in sys.modules if name.partition(".")[0] == "generated_client"]:
        del sys.modules[name]


def test_a_python_client_reads_results(results: Results, generated: ModuleType) -> None:
    for name, result in results:
        assert getattr(generated, name).from_dict(result).to_dict() == result
    batch = generated.BatchResult.from_dict(next(result for name, result in results if name == "BatchResult"))
    prediction, error = batch.results
    assert isinstance(prediction, generated.BatchPrediction)
    assert isinstance(error, generated.BatchError)
    assert error.error is generated.ErrorCode.INVALID_IMAGE
    with pytest.raises(ValueError, match="nonsense"):
        generated.Error.from_dict({"success": False, "error": "nonsense", "message": "", "request_id": ""})


def node(script: str, *arguments: str) -> None:
    run("node", str(TYPESCRIPT / "node_modules" / script), *arguments)


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
