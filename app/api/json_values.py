"""Checks the values of JSON bodies. Each error names the field."""

from __future__ import annotations

import math
from typing import Any, Final

from starlette.requests import Request

from app.errors import InvalidRequest

MOST_LABELS: Final = 64
LONGEST_LABEL: Final = 40


def is_json(request: Request) -> bool:
    """Whether a body says that it is JSON, or says nothing."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_number(field: str, value: Any, most: float) -> None:
    """Raises InvalidRequest for anything but a number from 0 to ``most``."""
    if not is_number(value) or not 0 <= value <= most:
        raise InvalidRequest(f"{field}: is no number from 0 to {most:,g}.")


def check_probabilities(field: str, given: Any) -> None:
    """Raises InvalidRequest for anything but numbers from 0 to 1 by label."""
    if not isinstance(given, dict) or not 0 < len(given) <= MOST_LABELS:
        raise InvalidRequest(f"{field}: is no object of 1 to {MOST_LABELS} numbers by label.")
    for label, value in given.items():
        if not 0 < len(label) <= LONGEST_LABEL or not label.isprintable():
            raise InvalidRequest(f"{field}: has a label that is not 1 to {LONGEST_LABEL} printable characters.")
        check_number(f"{field}.{label}", value, 1)
