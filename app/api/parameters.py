"""What a route takes by name. A name that it does not know is refused, since ignoring it would hide a mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, model_validator

from app.errors import InvalidRequest

_LONGEST: Final = 40
"""Most characters of a name that a message repeats."""


class Parameters(BaseModel):
    """The query of a route. Its fields are all the parameters that the route takes."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in values:
            if name not in cls.model_fields:
                raise unknown("query parameter", name, [*cls.model_fields])
        return values


def unknown(kind: str, name: str, names: Sequence[str]) -> InvalidRequest:
    """The error of a name that is none of ``names``. It says which one was probably meant, and which there are."""
    close = get_close_matches(name.lower(), names, n=1)
    meant = f" Did you mean '{close[0]}'?" if close else ""
    return InvalidRequest(f"There is no {kind} '{_shown(name)}'.{meant} {_listed(kind, names)}")


def refuse_parameter_in_body(name: str) -> None:
    """Raises an error where a field of a body is a query parameter of some route."""
    if any(name in query.model_fields for query in Parameters.__subclasses__()):
        raise InvalidRequest(f"'{name}' goes into the address, as in ?{name}=…, not into the body.")


def _shown(name: str) -> str:
    text = "".join(c if c.isprintable() else "�" for c in name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _listed(kind: str, names: Sequence[str]) -> str:
    return f"The only {kind} is '{names[0]}'." if len(names) == 1 else f"There are: {', '.join(names)}."
