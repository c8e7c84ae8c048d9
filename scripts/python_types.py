"""The types of the Python client, from the OpenAPI and the AsyncAPI document."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

_HEAD: Final = '''"""The results of the service. Made by scripts/generate_docs.py from the service's documents."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict
'''
_WIDTH: Final = 120
_PLAIN: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def render(openapi: Mapping[str, Any], asyncapi: Mapping[str, Any]) -> str:
    """The module ``visage_client.types``."""
    schemas = {**openapi["components"]["schemas"], **asyncapi["components"]["schemas"]}
    names = [name for name in sorted(schemas) if name[0].isupper() and name != "JsonValue"]
    # Aliases are evaluated, so that they come before what uses them.
    parts = [f"{_HEAD}\nJsonValue = Any"]
    parts += [_alias(name, schemas[name]) for name in names if "properties" not in schemas[name]]
    parts += [_class(name, schemas[name]) for name in names if "properties" in schemas[name]]
    parts.append("StreamEvent = SpikeEvent | LevelEvent")
    parts.append("StreamMessage = FramePrediction | SpikeEvent | LevelEvent | StreamError | SessionSummary")
    return "\n\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _alias(name: str, schema: Mapping[str, Any]) -> str:
    line = f"{name} = {_type(schema)}"
    if len(line) <= _WIDTH:
        return line
    return line.replace("[", "[\n    ").replace(", ", ",\n    ").replace("]", ",\n]")


def _class(name: str, schema: Mapping[str, Any]) -> str:
    if all(field.isidentifier() and field != "from" for field in schema["properties"]):
        return "\n".join([f"class {name}(TypedDict):", *_body(schema)])
    fields = [f'        "{field}": {_quoted(said)},' for field, said, _ in _fields(schema)]
    return "\n".join([f"{name} = TypedDict(", f'    "{name}",', "    {", *fields, "    },", ")", *_doc(schema, "")])


def _body(schema: Mapping[str, Any]) -> Iterator[str]:
    yield from _doc(schema, "    ")
    if "description" in schema:
        yield ""
    for field, said, described in _fields(schema):
        yield f"    {field}: {said}"
        yield from _doc(described, "    ")


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    required = schema.get("required", ())
    for field, described in schema["properties"].items():
        said = _type(described)
        yield field, said if field in required else f"NotRequired[{said}]", described


def _doc(schema: Mapping[str, Any], indent: str) -> list[str]:
    """The description as a docstring, which editors show."""
    if "description" not in schema:
        return []
    text = schema["description"].replace("\\", "\\\\")
    return textwrap.wrap(f'"""{text}"""', _WIDTH, initial_indent=indent, subsequent_indent=indent)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema or "enum" in schema:
        return _literal(schema.get("enum") or [schema["const"]])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if schema.get("type") == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})]
        return f"list[{' | '.join(dict.fromkeys(_type(each) for each in items))}]"
    if schema.get("type") == "object":
        return f"dict[str, {_type(schema.get('additionalProperties') or {})}]"
    return _PLAIN.get(schema.get("type", ""), "Any")


def _quoted(said: str) -> str:
    return f"'{said}'" if '"' in said else f'"{said}"'


def _literal(values: list[Any]) -> str:
    return f"Literal[{', '.join(json.dumps(value) if isinstance(value, str) else repr(value) for value in values)}]"
