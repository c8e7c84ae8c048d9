"""The AsyncAPI document of ``WS /stream``, made from the types of its messages."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from app import __version__
from app.api import notice
from app.api.stream_messages import KEY_PREFIX, SUBPROTOCOL, Finish, FramePrediction, Started, StreamError, Time
from app.api.streaming import StreamQuery
from app.sessions.profile import LevelEvent, SpikeEvent
from app.sessions.summary import SessionSummary

_REF: Final = "#/components/schemas/{model}"

_RECEIVED: Final[Mapping[str, tuple[type, str, dict[str, Any]]]] = {
    "time": (Time, "Sets the time of the next frame", {"type": "time", "t": 12.34}),
    "end": (Finish, "Asks for the summary", {"type": "end"}),
}
"""The JSON messages that the service receives: their types, what they do, and an example."""

_SENT: Final[Mapping[str, tuple[Any, str]]] = {
    "started": (Started, "The stream is open"),
    "prediction": (FramePrediction, "The predictions for a frame"),
    "event": (SpikeEvent | LevelEvent, "What the profile has noticed"),
    "error": (StreamError, "An error, as everywhere in the service"),
    "summary": (SessionSummary, "What the frames come to; the last message"),
}

_DESCRIPTION: Final = f"""Frames in, predictions and a summary out.

Send each frame as a binary message: one JPEG, PNG, WebP or BMP picture. The newest frame wins: while one is read, only
the latest that arrived waits, and those that were passed over are counted in `skipped`.

The query gives the options. Send your API key as a header; a browser offers the subprotocols `{SUBPROTOCOL}` and
`{KEY_PREFIX}TOKEN` with a token of `POST /stream/token`.

Codes of the close: 1000 after the summary, 1001 when no message came for 30 s, 1002 and 1007 for messages that are not
valid, 1008 when the stream is refused or after ten errors in a row, 1009 when a frame is too large, 1011 for an
internal error, 1012 when the service stops, 1013 when there is no room. An `error` comes before the close, or the
`summary` of what was read."""


@functools.cache
def document() -> dict[str, Any]:
    """The document. Nothing in it depends on settings."""
    schemas = _schemas()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Visage streams",
            "version": __version__,
            "description": notice.SUMMARY,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "visage": {
                "host": "localhost:8000",
                "protocol": "ws",
                "description": "A service on this machine.",
                "security": [{"$ref": "#/components/securitySchemes/key"}],
            }
        },
        "channels": {"stream": _channel()},
        "operations": {
            "readFrames": _operation("receive", "Takes frames", ["frame", *_RECEIVED]),
            "sendPredictions": _operation("send", "Sends what it reads", [*_SENT]),
        },
        "components": {"messages": _messages(), "schemas": schemas, "securitySchemes": _SECURITY},
    }


_SECURITY: Final = {
    "key": {
        "type": "httpApiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "Only where the service has keys. `Authorization: Bearer KEY` does the same.",
    }
}


def _channel() -> dict[str, Any]:
    query = StreamQuery.model_json_schema(ref_template=_REF)
    for parameter in query["properties"].values():
        if parameter["default"] is None:
            del parameter["default"]
    return {
        "address": "/stream",
        "title": "Stream",
        "description": _DESCRIPTION,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in ("frame", *_RECEIVED, *_SENT)},
        "bindings": {"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}},
    }


def _operation(action: str, summary: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/stream"},
        "messages": [{"$ref": f"#/channels/stream/messages/{name}"} for name in names],
    }


def _messages() -> dict[str, Any]:
    messages: dict[str, Any] = {
        "frame": {
            "name": "frame",
            "summary": "A frame",
            "contentType": "image/*",
            "payload": {"type": "string", "format": "binary", "description": "One encoded picture."},
        }
    }
    for name, (_, summary, example) in _RECEIVED.items():
        messages[name] = {**_message(name, summary), "examples": [{"payload": example}]}
    for name, (_, summary) in _SENT.items():
        messages[name] = _message(name, summary)
    return messages


def _message(name: str, summary: str) -> dict[str, Any]:
    return {"name": name, "summary": summary, "payload": {"$ref": f"#/components/schemas/{name}"}}


def _schemas() -> dict[str, Any]:
    types: dict[str, Any] = {name: kind for name, (kind, *_) in [*_RECEIVED.items(), *_SENT.items()]}
    inputs: list[tuple[Any, Any, TypeAdapter[Any]]] = [
        (name, "serialization", TypeAdapter(kind)) for name, kind in types.items()
    ]
    named, shared = TypeAdapter.json_schemas(inputs, ref_template=_REF)
    schemas: dict[str, Any] = dict(shared.get("$defs", {}))
    for schema in schemas.values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    schemas |= {name: named[name, "serialization"] for name in types}
    return dict(sorted(schemas.items()))
