"""A client of streams for tests: every message that it receives is checked against the AsyncAPI document."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import jsonschema_rs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.api.fakes import PATIENCE

DOCUMENT: Final[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "docs" / "asyncapi.json").read_text("utf-8"))


@functools.cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**DOCUMENT, "$ref": f"#/components/schemas/{name}"})


class StreamClient:
    """One stream."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket

    async def send(self, message: bytes | str | dict[str, Any]) -> None:
        await self.websocket.send(json.dumps(message) if isinstance(message, dict) else message)

    async def receive(self, kind: str | None = None) -> dict[str, Any]:
        """The next message; it has to be of this type, if one is given."""
        async with asyncio.timeout(PATIENCE):
            message: dict[str, Any] = json.loads(await self.websocket.recv())
        validator(message["type"]).validate(message)
        assert kind in {None, message["type"]}, message
        return message

    async def read(self, frame: bytes) -> dict[str, Any]:
        """Sends a frame and waits for its prediction."""
        await self.send(frame)
        return await self.receive("prediction")

    async def rest(self) -> tuple[list[dict[str, Any]], int]:
        """All further messages, and the code of the close."""
        messages = []
        try:
            while True:
                messages.append(await self.receive())
        except ConnectionClosed:
            assert self.websocket.close_code is not None
            return messages, self.websocket.close_code

    async def end(self) -> dict[str, Any]:
        """Asks for the summary, which has to be the last message."""
        await self.send({"type": "end"})
        messages, code = await self.rest()
        assert code == 1000
        assert messages[-1]["type"] == "summary"
        return messages[-1]


@asynccontextmanager
async def stream(
    port: int, *, subprotocols: Sequence[str] = (), headers: dict[str, str] | None = None, **query: object
) -> AsyncIterator[StreamClient]:
    """A connection. What comes first on it is the test's to receive."""
    address = f"ws://127.0.0.1:{port}/stream" + (f"?{urlencode(query)}" if query else "")
    async with connect(
        address,
        subprotocols=list(subprotocols) or None,  # type: ignore[arg-type]
        additional_headers=headers,
        max_size=None,
        close_timeout=1,
        proxy=None,
    ) as websocket:
        yield StreamClient(websocket)


@asynccontextmanager
async def started(port: int, **options: Any) -> AsyncIterator[StreamClient]:
    """A stream that has started."""
    async with stream(port, **options) as client:
        await client.receive("started")
        yield client


async def refusal(port: int, **options: Any) -> tuple[str, int]:
    """The error and the code of the close of a stream that is refused."""
    async with stream(port, **options) as client:
        messages, code = await client.rest()
        (error,) = messages
        return error["error"], code
