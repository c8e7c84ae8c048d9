"""What is told of a model, in ``/models`` and in ``/info``."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ConfigDict, Field, JsonValue

from app.api.schemas import Answer
from app.inference.classifier import Classifier
from app.inference.registry import Registry

MODEL_EXAMPLE: Final[dict[str, Any]] = {
    "name": "default",
    "version": "1.0.0",
    "default": True,
    "loaded": True,
    "architecture": "a small convolutional network at 64×64",
    "trained_on": "FER-2013 with FER+ labels",
    "license": "MIT",
    "labels": ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"],
    "metrics": {"accuracy": 0.83},
    "sha256": "5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592",
    "input": {"width": 64, "height": 64, "channels": "gray"},
    "providers": ["cpu"],
    "explains_by": "cam",
}


class InputSize(Answer):
    width: int
    height: int
    channels: str


class ModelFacts(Answer):
    """What a model says of itself, and how it runs here."""

    model_config = ConfigDict(json_schema_extra={"example": MODEL_EXAMPLE})

    name: str
    version: str
    default: bool = Field(description="Whether it answers when a request names none.")
    loaded: bool = Field(description="Whether it is in memory; one that is not is loaded when it is asked for.")
    architecture: str
    trained_on: str
    license: str
    labels: list[str]
    metrics: dict[str, JsonValue]
    sha256: str
    input: InputSize
    providers: list[str] = Field(description="Execution providers really in use.")
    explains_by: str = Field(description="The method of its explanations: `cam` or `occlusion`.")


def facts_of(registry: Registry) -> list[dict[str, Any]]:
    """What is told of each model, in the registry's order."""
    loaded = registry.loaded
    return [_facts(registry.get(name), name == registry.default_name, name in loaded) for name in registry.names]


def _facts(model: Classifier, default: bool, loaded: bool) -> dict[str, Any]:
    manifest = model.manifest
    spec = manifest.input
    return {
        "name": manifest.name,
        "version": manifest.version,
        "default": default,
        "loaded": loaded,
        "architecture": manifest.architecture,
        "trained_on": manifest.trained_on,
        "license": manifest.license,
        "labels": manifest.labels,
        "metrics": manifest.metrics,
        "sha256": manifest.sha256,
        "input": {"width": spec.width, "height": spec.height, "channels": spec.channels},
        "providers": model.providers,
        "explains_by": "occlusion" if manifest.explain is None else "cam",
    }
