"""Responses that are written from plain dicts, without a model in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.background import BackgroundTask
from starlette.responses import Response


def json_response(
    fields: Mapping[str, Any], background: BackgroundTask | None = None, *, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(orjson.dumps(fields), headers=headers, media_type="application/json", background=background)
