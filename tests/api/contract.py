"""Checks responses against the committed OpenAPI document."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, Final

import httpx
import jsonschema_rs

DOCUMENT: Final[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text("utf-8"))


@functools.cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """A validator of a schema of the document, by name."""
    return jsonschema_rs.Draft202012Validator({**DOCUMENT, "$ref": f"#/components/schemas/{name}"})


def check(response: httpx.Response) -> None:
    """Fails where a response is not as its operation declares it. A hook for clients."""
    path = response.request.url.path
    operation = DOCUMENT["paths"].get(path, {}).get(response.request.method.lower())
    if operation is None:
        return
    response.read()
    kind = response.headers.get("content-type", "").partition(";")[0]
    declared = operation["responses"].get(str(response.status_code))
    assert declared is not None, f"{path} does not declare {response.status_code}: {response.text}"
    assert kind in declared["content"], f"{path} does not declare {kind} for {response.status_code}"
    if "$ref" in (schema := declared["content"][kind]["schema"]):
        validator(schema["$ref"].rpartition("/")[2]).validate(response.json())
