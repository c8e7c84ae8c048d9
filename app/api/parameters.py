"""What a route takes by name. A name that it does not know is refused, since ignoring it would hide a mistake."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, cast

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError, model_validator

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


class QueryRoute(APIRoute):
    """A route of ``async def endpoint(request, query)`` that reads its body itself.

    FastAPI documents the query from its model, and the model validates it. FastAPI's own way to that model looks at the
    kind and the names of each field again for every request, which takes more than the rest of the route.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        (parameter,) = self.dependant.query_params
        model, endpoint = cast(type[Parameters], parameter.field_info.annotation), self.endpoint

        async def handle(request: Request) -> Response:
            try:
                query = model.model_validate(dict(request.query_params))
            except ValidationError as error:
                problems = error.errors(include_url=False)
                raise RequestValidationError([{**each, "loc": ("query", *each["loc"])} for each in problems]) from None
            response: Response = await endpoint(request, query)
            return response

        return handle


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
