"""The listening socket: who gets in at once, who in turn, and who is told at the door that there is no room."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app.api.turnstile import TURNSTILE
from app.config import Settings
from app.server.server import Server, config_of
from tests.unit.server.test_protocol import GET, PATIENCE, Peer, connected, listening

CHEAP = b"POST /cheap HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
COSTLY = b"POST /costly HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"


class Turnstile:
    """Room for as many requests as a test says; only one route needs any."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.clients: list[str] = []

    def scope_of(self, head: bytes, client: tuple[str, int]) -> Scope | None:
        assert head.endswith(b"\r\n\r\n")
        self.clients.append(client[0])
        return {"head": head} if head.startswith(b"POST /costly ") else None

    def refusal(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> bytes:
        assert {name for name, _ in headers} == {b"date"}
        return b"HTTP/1.1 503 Full\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfull"


class Application:
    """Answers whatever gets in, and counts it."""

    def __init__(self, turnstile: Turnstile) -> None:
        self.turnstile = turnstile
        self.let_in = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"][TURNSTILE] = self.turnstile
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.let_in += 1
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"in"})


@asynccontextmanager
async def serving(app: Application, host: str = "127.0.0.1") -> AsyncIterator[int]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    application = cast("FastAPI", app)
    config = config_of(application, Settings(drain_seconds=0, queue_timeout_seconds=1, request_timeout_seconds=1))
    server = Server(config, cast("FastAPI", SimpleNamespace(state=SimpleNamespace())), 0)
    async with listening(server, listener) as port:
        yield port


@pytest.fixture
def full() -> Application:
    return Application(Turnstile(0))


async def test_with_room_a_connection_is_let_in_before_it_says_anything() -> None:
    app = Application(Turnstile(1))
    async with serving(app) as port:
        for _ in range(3):
            async with connected(port) as peer:
                await peer.send(COSTLY % 3 + b"abc")
                assert (await peer.response())[2] == b"in"
        assert app.let_in == 3
        assert not app.turnstile.clients


async def test_without_room_what_needs_some_is_turned_away_and_the_rest_let_in(full: Application) -> None:
    async with serving(full) as port:
        async with connected(port) as costly, connected(port) as cheap, connected(port) as probe:
            await costly.send(COSTLY % 3 + b"abc")
            await cheap.send(CHEAP)
            await probe.send(GET)
            assert (await costly.response())[::2] == (503, b"full")
            assert await costly.closed()
            assert (await cheap.response())[0] == (await probe.response())[0] == 200
        assert full.let_in == 2
        assert set(full.turnstile.clients) == {"127.0.0.1"}


async def test_one_place_is_given_away_once(full: Application) -> None:
    async with serving(full) as port, connected(port) as first, connected(port) as second:
        full.turnstile.room = 0
        for peer in (first, second):
            await peer.send(COSTLY % 0)
        # Both are looked at in one round, before either has taken the place.
        full.turnstile.room = 1
        assert sorted([(await first.response())[0], (await second.response())[0]]) == [200, 503]


async def test_the_door_opens_again_when_the_crowd_has_gone(full: Application) -> None:
    async with serving(full) as port:
        async with connected(port) as peer:
            await peer.send(COSTLY % 0)
            assert (await peer.response())[0] == 503
        full.turnstile.room = 5
        for _ in range(2):
            await asyncio.sleep(0.2)
            async with connected(port) as peer:
                await peer.send(COSTLY % 0)
                assert (await peer.response())[0] == 200


async def test_headers_in_pieces_are_waited_for_and_slow_ones_let_in(full: Application) -> None:
    async with serving(full) as port, connected(port) as quick, connected(port) as slow:
        request = COSTLY % 0
        for peer, pause in ((quick, 0.01), (slow, 0.5)):
            await peer.send(request[:20])
            await asyncio.sleep(pause)
            await peer.send(request[20:])
            assert (await peer.response())[0] == (503 if peer is quick else 200)


@pytest.mark.parametrize("flood", [b"x" * 10_000, b"\x16\x03\x01 hello\r\n\r\n"])
async def test_what_is_no_request_is_let_in_and_refused_there(full: Application, flood: bytes) -> None:
    async with serving(full) as port, connected(port) as peer:
        await peer.send(flood)
        assert await peer.status() in {400, 431}
    assert not full.let_in


async def test_clients_that_leave_at_the_door_harm_nobody(full: Application) -> None:
    async with serving(full) as port:
        for _ in range(20):
            async with connected(port) as peer:
                await peer.send(b"POST /cos")
        async with connected(port) as peer:
            await peer.send(COSTLY % 0)
            assert (await peer.response())[0] == 503


async def test_of_a_crowd_that_is_still_sending_each_has_its_answer(full: Application) -> None:
    size = 2 * 1024 * 1024

    async def client(port: int) -> int:
        async with connected(port) as peer:
            peer.writer.write(COSTLY % size + b"x" * size)
            return (await peer.response())[0]

    async with serving(full) as port:
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.gather(*(client(port) for _ in range(50))) == [503] * 50
    assert not full.let_in


async def test_a_client_that_sends_everything_first_finds_its_answer(full: Application) -> None:
    size = 4 * 1024 * 1024
    async with serving(full) as port, connected(port) as peer:
        await peer.send(COSTLY % size)
        for _ in range(size // 65536):
            await peer.send(b"x" * 65536)
        assert (await peer.response())[2] == b"full"
        assert await peer.closed()


async def test_ipv6_clients_are_known_by_their_address(full: Application) -> None:
    async with serving(full, "::1") as port:
        reader, writer = await asyncio.open_connection("::1", port)
        peer = Peer(reader, writer)
        await peer.send(COSTLY % 0)
        assert (await peer.response())[0] == 503
        writer.close()
    assert full.turnstile.clients == ["::1"]


async def test_without_files_to_be_had_connections_wait(full: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    full.turnstile.room = 5
    refused: list[Any] = []
    accept = socket.socket.accept

    def short_of_files(self: socket.socket) -> Any:
        if len(refused) < 3:
            refused.append(self)
            raise OSError(24, "Too many open files")
        return accept(self)

    async with serving(full) as port:
        monkeypatch.setattr(socket.socket, "accept", short_of_files)
        async with connected(port) as peer:
            await peer.send(GET)
            assert (await peer.response())[0] == 200
    assert len(refused) == 3


async def test_who_stands_at_the_door_at_the_end_is_told(full: Application) -> None:
    async with serving(full) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.05)
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
    writer.close()
