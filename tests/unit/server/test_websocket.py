"""One WebSocket: what it holds of its client. Real sockets, a small application."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.frames import Frame

from app.memory_budget import process_memory
from app.server.limits import ProtocolLimits
from app.server.protocol import protocol_classes
from app.server.websocket import WebSocketProtocol
from tests.unit.server.test_protocol import PATIENCE, Peer, connected, listening

HANDSHAKE = (
    b"GET /stream HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
BEGUN = bytes([0x82, 0xFF]) + (5_000_000).to_bytes(8, "big") + bytes(4)
"""The head of a frame of 5 MB, with a mask of zeros."""


async def accepts(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


@asynccontextmanager
async def opened(app: Any = accepts) -> AsyncIterator[tuple[Peer, WebSocketProtocol]]:
    """A client and the server's side of its WebSocket. Outside, the connection is closed."""
    http, websocket = protocol_classes(ProtocolLimits(header_timeout=PATIENCE, write_timeout=PATIENCE, connections=10))
    config = uvicorn.Config(app, http=http, ws=websocket, lifespan="off", log_config=None)
    listener = socket.create_server(("127.0.0.1", 0))
    async with listening(uvicorn.Server(config), listener) as port, asyncio.timeout(PATIENCE):
        async with connected(port) as peer:
            await peer.send(HANDSHAKE)
            assert await peer.status() == 101
            (stream,) = websocket.open
            yield peer, stream
        await until(lambda: not websocket.open)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_the_bytes_of_a_message_that_is_cut_off_are_freed_with_its_connection() -> None:
    before = process_memory().used
    async with opened() as (peer, stream):
        await peer.send(BEGUN + bytes(200_000))
        await until(lambda: process_memory().used >= before + 200_000)
        assert len(stream.conn.reader.buffer) > 100_000
    # The garbage collector may come minutes later.
    assert not stream.conn.reader.buffer
    assert process_memory().used == before


async def test_a_handshake_that_waits_is_turned_away_when_the_server_ends() -> None:
    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(0.5)
        with contextlib.suppress(OSError):
            await send({"type": "websocket.accept"})

    http, websocket = protocol_classes(ProtocolLimits(header_timeout=PATIENCE, write_timeout=PATIENCE, connections=10))
    config = uvicorn.Config(waits, http=http, ws=websocket, lifespan="off", log_config=None)
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(PATIENCE):
        async with listening(uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))) as port:
            peer = await stack.enter_async_context(connected(port))
            await peer.send(HANDSHAKE)
            await until(lambda: bool(websocket.open))
            await asyncio.sleep(0.1)
        status, _, body = await peer.response()
    assert (status, json.loads(body)["error"]) == (503, "not_ready")


@pytest.mark.parametrize("fragments", [1, 2])
async def test_a_message_is_held_by_the_application_alone(fragments: int) -> None:
    """Else each stream would hold one more message than is counted."""
    taken = asyncio.Event()

    async def takes(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            if message["type"] == "websocket.receive":
                assert len(message["bytes"]) == fragments * 100_000
                taken.set()

    async with opened(takes) as (peer, _):
        for number in range(fragments):
            head = bytes([(0x80 if number == fragments - 1 else 0) | (0 if number else 2), 0xFF])
            await peer.send(head + (100_000).to_bytes(8, "big") + bytes(4) + bytes(100_000))
        await taken.wait()
        assert not [each for each in gc.get_objects() if isinstance(each, Frame) and len(each.data) > 50_000]
