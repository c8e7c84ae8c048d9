"""Refuses request bodies over a limit, before they are kept."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reviews.errors import BodyTooLarge

PICTURE = 10 * 2**20
JSON = 2**20


class BodyLimit:
    """Counts the bytes of a body, whatever its Content-Length says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with a counting `receive`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = PICTURE if scope["path"] == "/predict_emotion" else JSON
        error = BodyTooLarge(f"The body is larger than {limit // 2**20} MiB.")
        refusal = JSONResponse(error.body(), error.status, {"Connection": "close"})
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > limit:
            await refusal(scope, receive, send)
            return
        counted = 0

        async def counting() -> Message:
            nonlocal counted
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > limit:
                # FastAPI turns every other exception into a 400.
                raise HTTPException(error.status, error.message.removesuffix("."))
            return message

        await self._app(scope, counting, send)
