"""``docs/models.md`` says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.inference.classifier import load_classifier
from app.inference.manifest import Manifest
from app.inference.session import SessionSpec
from tests.models import Contract, network, write_model

EXAMPLES = dict(
    re.findall(r"<!-- example: (\S+) -->\n```json\n(.*?)```", Path("docs/models.md").read_text("utf-8"), re.DOTALL)
)


def test_the_example_is_there() -> None:
    assert list(EXAMPLES) == ["efficientnet-b0"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_serves_a_network_of_its_contract(tmp_path: Path, name: str) -> None:
    written = json.loads(EXAMPLES[name].replace("…", "0" * 64))
    manifest = Manifest.model_validate_json(json.dumps(written))
    spec = manifest.input
    contract = Contract(
        labels=manifest.labels,
        side=spec.width,
        channels=spec.channels,
        scale=spec.scale,
        std=spec.std,
    )
    # The made-up network has its own names; everything else is the example's.
    renamed = {"file": "model.onnx", "output__tensor": "scores"}
    if manifest.explain is not None:
        renamed |= {"explain__features": "features", "explain__weights": "class_weights"}

    model = load_classifier(write_model(tmp_path / name, network(contract), written, **renamed), SessionSpec(("cpu",)))

    assert model.manifest.labels == manifest.labels
    assert (model.class_weights is not None) == (manifest.explain is not None)
