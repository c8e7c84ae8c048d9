"""The tables of manifest fields in ``docs/models.md``, from the schema that the service uses."""

from __future__ import annotations

from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.inference.manifest import (
    ByBox,
    ByEyes,
    ExplainSpec,
    InputSpec,
    Manifest,
    MultilabelSpec,
    OutputSpec,
    RegressionSpec,
)

SECTIONS: dict[str, tuple[type[BaseModel], ...]] = {
    "manifest": (Manifest,),
    "input": (InputSpec,),
    "face by eyes": (ByEyes,),
    "face by box": (ByBox,),
    "output": (OutputSpec,),
    "outputs": (RegressionSpec, MultilabelSpec),
    "explain": (ExplainSpec,),
}


def tables() -> dict[str, str]:
    """The table of each section."""
    return {name: _table(models) for name, models in SECTIONS.items()}


def _table(models: Sequence[type[BaseModel]]) -> str:
    """The fields of the models, without those that have a section of their own; once those that they share."""
    rows = dict.fromkeys(
        f"| `{name}` | {_type(field)}{_default(field)} | {field.description} |"
        for model in models
        for name, field in model.model_fields.items()
        if name not in SECTIONS and name != "face"
    )
    return "\n".join(["| field | type | what it says |", "| --- | --- | --- |", *rows])


def _default(field: FieldInfo) -> str:
    return "" if field.is_required() else f", default `{field.default}`".replace("'", '"')


def _type(field: FieldInfo) -> str:
    bounds = {type(bound).__name__.lower(): bound for bound in field.metadata}
    low = [f"{word} {getattr(bounds[key], key)}" for key, word in (("ge", "from"), ("gt", "over")) if key in bounds]
    high = [f"{word} {getattr(bounds[key], key)}" for key, word in (("le", "to"), ("lt", "under")) if key in bounds]
    return " ".join([_name(field.annotation), *low, *high])


def _name(annotation: Any) -> str:
    """The name of a type in JSON."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _name(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_name(argument) for argument in arguments)
    if origin is tuple:
        return f"list of {_name(arguments[0])}s"
    if origin is dict:
        return "object"
    return {str: "text", int: "integer", float: "number"}[annotation]
