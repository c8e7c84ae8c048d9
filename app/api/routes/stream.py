"""``WS /stream``: frames in, predictions and a summary out. ``POST /stream/token``: how a browser may open one."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response, WebSocket

from app.api.asyncapi import document
from app.api.dependencies import KEY_NAME, service_of
from app.api.examples import REQUEST_ID
from app.api.identity import TOKEN_SECONDS, StreamTokens
from app.api.openapi import ADMISSION, documented
from app.api.results import json_response
from app.api.stream_messages import STREAM_PATH, Token
from app.api.streaming import Stream, options_of
from app.errors import InvalidRequest
from app.telemetry.records import request_record

router = APIRouter(tags=["Streams"])

_EXAMPLE: Final[Token] = {
    "success": True,
    "token": "AGkm0ol3ZWJzaXRlZ3Y2b8Wm0xXo3b1cJq2uYw",
    "expires_in": TOKEN_SECONDS,
    "request_id": REQUEST_ID,
}


@router.websocket(STREAM_PATH)
async def stream(websocket: WebSocket) -> None:
    """Described in ``/asyncapi.json``."""
    service = service_of(websocket.scope)
    await Stream(websocket, service, await options_of(websocket.scope, websocket.query_params)).run()


@router.get(STREAM_PATH, include_in_schema=False)
async def no_websocket() -> None:
    raise InvalidRequest(
        "This route takes a WebSocket. If yours came through a proxy, that must pass on the headers Upgrade and "
        "Connection."
    )


@router.get("/asyncapi.json", include_in_schema=False)
async def asyncapi() -> Response:
    return json_response(document())


@router.post(
    "/stream/token",
    operation_id="stream_token",
    summary="Get a token with which a browser opens a stream",
    response_model=Token,
    responses=documented(_EXAMPLE, *ADMISSION),
)
async def token(request: Request) -> Response:
    """A browser cannot send an API key with a WebSocket. Let your server call this route with its key, and give the
    token to the page, which offers it as a subprotocol:

    ```js
    new WebSocket("wss://HOST/stream", ["visage.v1", `visage.key.${token}`]);
    ```

    The token must be used within a minute. The stream counts as the key's own.
    """
    state = request.scope["state"]
    tokens = StreamTokens(service_of(request.scope).settings.stream_secret)
    result: Token = {
        "success": True,
        "token": tokens.issue(state.get(KEY_NAME, "")),
        "expires_in": TOKEN_SECONDS,
        "request_id": request_record(request.scope).request_id,
    }
    return json_response(result)
