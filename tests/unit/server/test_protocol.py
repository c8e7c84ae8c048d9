"""One connection: deadlines, bounded headers, and an end that loses nothing. Real sockets, a small application."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from app.memory_budget import process_memory
from app.server.limits import ProtocolLimits
from app.server.protocol import protocol_classes
from app.server.server import _listen

PATIENCE = 10.0


async def reads(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and tells its length."""
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            break
    await answer(send, 200, str(size).encode())


async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without reading the body."""
    await answer(send, 413, b"too large", (b"connection", b"close"))


async def refuses_and_keeps(scope: Scope, receive: Receive, send: Send) -> None:
    """Responds without reading the body, and leaves the connection open."""
    await answer(send, 503, b"busy")


async def answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(app: Any, **limits: Any) -> AsyncIterator[int]:
    """The port of a server with this protocol."""
    values = {"header_timeout": PATIENCE, "write_timeout": PATIENCE, "connections": 100, **limits}
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=protocol_classes(ProtocolLimits(**values))[0],
        ws="none",
        lifespan="auto",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    async with listening(uvicorn.Server(config), listener) as port:
        yield port


@asynccontextmanager
async def listening(server: uvicorn.Server, listener: socket.socket) -> AsyncIterator[int]:
    """The port of a server while it runs."""
    task = asyncio.create_task(server._serve([listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


class Peer:
    """The other end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def status(self) -> int:
        async with asyncio.timeout(PATIENCE):
            return int((await self.reader.readline()).split()[1])

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def response(self) -> tuple[int, dict[str, str], bytes]:
        status = await self.status()
        headers: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            while (line := await self.reader.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = await self.reader.readexactly(int(headers["content-length"]))
        return status, headers, body

    async def closed(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:
                return True


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def test_a_connection_serves_one_request_after_another() -> None:
    async with serving(reads) as port, connected(port) as peer:
        for _ in range(3):
            await peer.send(GET)
            assert (await peer.response())[0] == 200


@pytest.mark.parametrize(
    ("version", "hosts", "status"),
    [
        (b"1.1", b"", 400),
        (b"1.1", b"host: a\r\nhost: a\r\n", 400),
        (b"1.1", b"Host: a\r\nx: y\r\nHOST: b\r\n", 400),
        (b"1.1", b"host:\r\n", 200),
        (b"1.0", b"", 200),
        (b"1.0", b"host: a\r\n", 200),
        (b"1.0", b"host: a\r\nhost: b\r\n", 400),
    ],
)
async def test_a_request_has_one_host(version: bytes, hosts: bytes, status: int) -> None:
    async with serving(reads) as port, connected(port) as peer:
        await peer.send(b"GET / HTTP/%b\r\n%b\r\n" % (version, hosts))
        found, _, body = await peer.response()
        assert found == status
        assert (b'"malformed_request","message":"A request has one Host header."' in body) == (status == 400)


async def test_a_silent_connection_is_closed() -> None:
    async with serving(reads, header_timeout=0.1) as port, connected(port) as peer:
        assert await peer.closed()


async def test_half_headers_are_closed_however_they_trickle() -> None:
    async with serving(reads, header_timeout=0.3) as port, connected(port) as peer:
        closing = asyncio.create_task(peer.closed())
        for piece in (b"GET / HTTP/1.1\r\n", *(b"a: b\r\n" for _ in range(1000))):
            if closing.done():
                break
            peer.writer.write(piece)
            await asyncio.sleep(0.02)
        assert await closing


async def test_half_a_second_request_is_closed_too() -> None:
    async with serving(reads, header_timeout=0.2) as port, connected(port) as peer:
        await peer.send(GET)
        await peer.response()
        await peer.send(b"GET / HT")
        assert await peer.closed()


async def test_a_blank_line_does_not_stop_the_clock() -> None:
    async with serving(reads, header_timeout=0.2) as port, connected(port) as peer:
        await peer.send(GET)
        await peer.response()
        await peer.send(b"\r\n")
        assert await peer.closed()


async def test_headers_are_bounded_whether_one_is_long_or_they_are_many() -> None:
    async with serving(reads) as port:
        for flood in (b"a: " + b"x" * 200_000, b"".join(b"a%d: b\r\n" % n for n in range(20_000)), b"x" * 100_000):
            async with connected(port) as peer:
                await peer.send(b"GET / HTTP/1.1\r\n" + flood + b"\r\n\r\n")
                status, headers, body = await peer.response()
                assert status in {400, 431}
                assert headers["connection"] == "close"
                assert json.loads(body)["request_id"] == headers["x-request-id"]
                assert await peer.closed()


async def test_one_endless_header_is_refused_as_too_large() -> None:
    async with serving(reads) as port, connected(port) as peer:
        await peer.send(b"GET / HTTP/1.1\r\na: ")
        sending = asyncio.create_task(_pour(peer, b"x" * 4096, 1000))
        status, _, body = await peer.response()
        assert status == 431
        assert json.loads(body)["error"] == "headers_too_large"
        await sending


async def test_half_a_header_in_one_piece_is_bounded_at_once() -> None:
    async with serving(reads) as port, connected(port) as peer:
        await peer.send(b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"a" * 20_000)
        assert (await peer.response())[0] == 431
        assert await peer.closed()


@pytest.mark.parametrize("count", [8, 17])
async def test_pipelined_requests_get_their_responses_in_order(count: int) -> None:
    async with serving(reads) as port, connected(port) as peer:
        for _ in range(3):
            await peer.send(
                b"".join(
                    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (n, b"x" * n) for n in range(count)
                )
            )
            assert [(await peer.response())[2] for _ in range(count)] == [str(n).encode() for n in range(count)]


async def test_pipelined_uploads_get_their_responses() -> None:
    async with serving(reads) as port, connected(port) as peer:
        await peer.send((b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n" + b"x" * 300_000) * 5)
        assert [(await peer.response())[2] for _ in range(5)] == [b"300000"] * 5


@pytest.mark.parametrize(("header", "served"), [(b"", 17), (b"a: " + b"a" * 15_000 + b"\r\n", 5)])
async def test_requests_that_wait_on_a_connection_are_bounded(header: bytes, served: int) -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        waiting.set()
        await go_on.wait()
        await reads(scope, receive, send)

    async with serving(waits) as port, connected(port) as peer:
        sending = asyncio.create_task(peer.send((b"GET / HTTP/1.1\r\nhost: x\r\n" + header + b"\r\n") * 100))
        await waiting.wait()
        async with connected(port):
            await sending
        go_on.set()
        statuses = [(await peer.response())[0] for _ in range(served)]
        assert statuses == [200] * served
        assert await peer.closed()


@pytest.mark.parametrize("deep", [1, 3])
async def test_a_client_that_closes_its_side_gets_what_it_waits_for(deep: int) -> None:
    async with serving(reads) as port, connected(port) as peer:
        await peer.send(GET * deep)
        peer.writer.write_eof()
        assert [(await peer.response())[0] for _ in range(deep)] == [200] * deep
        assert await peer.closed()


async def test_work_for_a_client_that_left_ends_soon() -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        begun.set()
        assert (await receive())["type"] == "http.disconnect"
        left.set()

    async with serving(waits) as port:
        async with connected(port) as peer:
            await peer.send(GET)
            await begun.wait()
        async with asyncio.timeout(PATIENCE):
            await left.wait()


async def test_what_is_no_request_gets_the_one_error_shape() -> None:
    async with serving(reads) as port, connected(port) as peer:
        await peer.send(b"\x16\x03\x01 hello\r\n\r\n")
        status, _, body = await peer.response()
        assert status == 400
        assert json.loads(body).keys() == {"success", "error", "message", "request_id"}
        assert await peer.closed()


async def test_a_negative_length_is_no_request() -> None:
    async with serving(reads) as port, connected(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n")
        assert await peer.status() == 400


async def test_a_large_body_split_from_its_headers_is_no_large_header() -> None:
    async with serving(reads) as port, connected(port) as peer:
        body = b"x" * 300_000
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        assert (await peer.response())[2] == b"300000"


async def test_an_answer_before_the_body_reaches_a_client_that_is_still_sending() -> None:
    async with serving(refuses) as port, connected(port) as peer:
        size = 4 * 1024 * 1024
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
        # All of it is sent before the answer is looked at, as simple clients do.
        await _pour(peer, b"x" * 65536, size // 65536)
        status, headers, _ = await peer.response()
        assert status == 413
        assert headers["connection"] == "close"
        assert await peer.closed()


async def test_a_refusal_keeps_the_connection_once_the_body_has_arrived() -> None:
    async with serving(refuses_and_keeps) as port, connected(port) as peer:
        size = 4 * 1024 * 1024
        for _ in range(6):
            await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
            await _pour(peer, b"x" * 65536, size // 65536)
            assert (await peer.response())[0] == 503


async def test_a_refusal_waits_for_the_end_of_the_request() -> None:
    async with serving(refuses_and_keeps, response_delay=PATIENCE) as port, connected(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nabc")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await peer.reader.read(1)
        await peer.send(b"def")
        assert (await peer.response())[0] == 503


async def test_a_refused_client_that_keeps_its_connection_has_a_deadline_for_the_rest() -> None:
    async with serving(refuses_and_keeps, discard_timeout=0.1) as port, connected(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc")
        assert (await peer.response())[0] == 503
        assert await peer.closed()


async def test_a_kept_connection_outlives_the_deadline_for_a_body() -> None:
    async with serving(refuses_and_keeps, discard_timeout=0.5, header_timeout=0.5) as port, connected(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nabc")
        assert (await peer.response())[0] == 503
        await peer.send(b"def")
        await asyncio.sleep(0.8)
        await peer.send(GET)
        assert (await peer.response())[0] == 503


async def test_a_refused_body_without_end_is_bounded_on_a_kept_connection_too() -> None:
    async with serving(refuses_and_keeps, discard_bytes=200_000) as port, connected(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert await _pour(peer, b"x" * 65536, 10_000) < 10_000


async def test_a_valid_request_gets_its_response_though_garbage_follows() -> None:
    async with serving(reads) as port, connected(port) as peer:
        await peer.send(GET + GET + b"\x16\x03 garbage\r\n\r\n")
        assert (await peer.response())[0] == 200
        status, headers, _ = await peer.response()
        assert (status, headers["connection"]) == (200, "close")
        assert await peer.closed()


@pytest.mark.parametrize("before", [b"", GET])
async def test_a_body_with_a_bad_chunk_is_no_request(before: bytes) -> None:
    async with serving(reads) as port, connected(port) as peer:
        if before:
            await peer.send(before)
            assert (await peer.response())[0] == 200
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        await peer.send(b"nonsense\r\n")
        status, headers, body = await peer.response()
        assert (status, headers["connection"]) == (400, "close")
        assert json.loads(body)["error"] == "malformed_request"
        assert await peer.rest() == b""


async def test_a_bad_chunk_behind_a_refusal_gets_no_second_response() -> None:
    async with serving(refuses_and_keeps) as port, connected(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert (await peer.response())[0] == 503
        await peer.send(b"nonsense\r\n")
        assert await peer.rest() == b""


async def test_a_client_that_never_stops_sending_is_cut_off() -> None:
    async with serving(refuses, discard_bytes=200_000) as port, connected(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert await _pour(peer, b"x" * 65536, 10_000) < 10_000


async def test_a_refused_client_that_stays_silent_is_cut_off() -> None:
    async with serving(refuses, discard_timeout=0.1) as port, connected(port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        assert (await peer.response())[0] == 413
        assert await peer.closed()


async def test_idle_connections_make_room_for_a_newcomer() -> None:
    async with serving(reads, connections=3) as port:
        idlers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        async with connected(port) as peer:
            await peer.send(GET)
            assert (await peer.response())[0] == 200
        for _, writer in idlers:
            writer.close()


async def test_the_slowest_upload_makes_room_for_a_newcomer() -> None:
    begun = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\na"
    async with serving(reads, connections=3) as port, AsyncExitStack() as stack:
        first, second, third = [await stack.enter_async_context(connected(port)) for _ in range(3)]
        await first.send(GET)
        assert (await first.response())[0] == 200
        for peer in (second, third, first):
            await peer.send(begun)
            await asyncio.sleep(0.02)
        async with connected(port) as newcomer:
            await newcomer.send(GET)
            assert (await newcomer.response())[0] == 200
            assert await second.closed()
        for peer in (first, third):
            await peer.send(b"b")
            assert (await peer.response())[2] == b"2"


async def test_connections_are_bounded() -> None:
    async with serving(reads, connections=20) as port:
        peers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        async with connected(port) as last:
            await last.send(GET)
            assert (await last.response())[0] == 200
        for reader, writer in peers[:-20]:
            assert await Peer(reader, writer).closed()
        assert not peers[-1][0].at_eof()
        for _, writer in peers:
            writer.close()


async def test_where_no_connection_is_idle_a_newcomer_is_refused() -> None:
    waiting, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        waiting.release()
        await go_on.wait()
        await answer(send, 200, b"done")

    async with serving(waits, connections=2) as port, connected(port) as first, connected(port) as second:
        for peer in (first, second):
            await peer.send(GET)
            await waiting.acquire()
        async with connected(port) as newcomer:
            assert (await newcomer.response())[0] == 503
            assert await newcomer.closed()
        go_on.set()
        assert (await first.response())[0] == (await second.response())[0] == 200
        async with connected(port) as later:
            await later.send(GET)
            assert (await later.response())[0] == 200


async def test_a_client_that_does_not_read_its_answer_is_cut_off() -> None:
    cut = asyncio.Event()

    async def floods(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(10_000):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            if (message := await _now(receive)) is not None and message["type"] == "http.disconnect":
                cut.set()
                return

    async with serving(floods, write_timeout=0.2) as port, connected(port) as peer:
        await peer.send(GET)
        async with asyncio.timeout(PATIENCE):
            await cut.wait()


@pytest.mark.parametrize("limits", [{"unread_responses": 2}, {"connections": 2}])
async def test_the_slowest_reader_makes_room(limits: dict[str, int]) -> None:
    async def floods(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for count in range(10_000):
            sent[scope["client"][1]] = count
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            if (message := await _now(receive)) is not None and message["type"] == "http.disconnect":
                cut.put_nowait(scope["client"][1])
                return

    cut: asyncio.Queue[int] = asyncio.Queue()
    sent: dict[int, int] = {}
    async with serving(floods, **limits) as port, AsyncExitStack() as stack:
        peers = []
        for _ in range(4):
            peers.append(await stack.enter_async_context(connected(port)))
            await peers[-1].send(GET)
            before: dict[int, int] | None = None
            while len(sent) < len(peers) or before != sent:
                before = dict(sent)
                await asyncio.sleep(0.1)
        async with asyncio.timeout(PATIENCE):
            gone = [await cut.get(), await cut.get()]
        assert gone == [peer.writer.get_extra_info("sockname")[1] for peer in peers[:2]]
        assert cut.empty()


OFFER = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: %b\r\nhttp2-settings: AA\r\n"


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0"])
async def test_a_body_behind_the_offer_of_another_protocol_is_read_and_is_no_other_request(
    protocol: bytes, chunked: bool, pieces: bool
) -> None:
    """Java's client offers h2c with its first upload. A body that looks like a request stays a body."""
    body = b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nexpires: 0\r\n\r\n" % (len(GET), GET)
    if not chunked:
        body = b"content-length: %d\r\n\r\n%b" % (len(GET), GET)
    data = OFFER % protocol + body + OFFER % protocol + body + GET
    async with serving(reads) as port, connected(port) as peer:
        for start in range(0, len(data), 11 if pieces else len(data)):
            await peer.send(data[start : start + (11 if pieces else len(data))])
            await asyncio.sleep(0)
        for size in (len(GET), len(GET), 0):
            assert (await peer.response())[::2] == (200, str(size).encode())


async def test_an_offer_of_another_protocol_without_a_body_is_ignored() -> None:
    async with serving(reads) as port, connected(port) as peer:
        await peer.send(OFFER % b"h2c" + b"\r\n" + GET)
        assert [(await peer.response())[0], (await peer.response())[0]] == [200, 200]
        await peer.send(OFFER % b"h2c" + b"connection: close\r\ncontent-length: 2\r\n\r\nab" + GET)
        assert (await peer.response())[2] == b"2"
        assert await peer.closed()


@pytest.mark.parametrize("size", [b"2, 3", b"2\r\ncontent-length: 3", b"2\r\ntransfer-encoding: chunked", b"-1"])
async def test_lengths_that_conflict_are_refused_behind_an_offer_too(size: bytes) -> None:
    async with serving(reads) as port, connected(port) as peer:
        await peer.send(OFFER % b"h2c" + b"content-length: %b\r\n\r\n" % size + GET)
        assert (await peer.response())[0] == 400
        assert await peer.closed()


@pytest.mark.parametrize("path", [b"/", b"/metrics"])
async def test_probes_overtake_a_burst_of_other_requests(path: bytes) -> None:
    """Of a hundred requests at once, some are still to start when a later probe has its response."""
    started = 0
    get = GET.replace(b"/", path, 1)

    async def counts(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal started
        started += scope["path"] == path.decode()
        await answer(send, 200, b"%d" % started)

    async with serving(counts, connections=200) as port, AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(connected(port)) for _ in range(101)]
        for peer in peers[:-1]:
            peer.writer.write(get)
        peers[-1].writer.write(GET.replace(b"/", b"/health/live", 1))
        assert int((await peers[-1].response())[2]) < 100
        for peer in peers[:50]:
            peer.writer.close()
        for peer in peers[50:-1]:
            assert (await peer.response())[0] == 200
        await peers[-1].send(get)
        assert int((await peers[-1].response())[2]) <= 101


async def test_offers_that_wait_are_bounded() -> None:
    async with serving(reads, waiting_requests=4) as port, connected(port) as peer:
        await peer.send((OFFER % b"h2c" + b"content-length: 1\r\n\r\nx") * 500)
        assert (await peer.rest()).count(b"HTTP/1.1 200 OK") == 5


CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"


@pytest.mark.parametrize(
    "endless", [b"5;" + b"x" * 2048, b"0\r\nname" + b"x" * 2048, b"0\r\n" + b"name: value\r\n" * 200]
)
async def test_what_frames_a_body_is_bounded(endless: bytes) -> None:
    """The extensions of a chunk and trailers, which the parser collects, or hands over as headers."""
    async with serving(reads, header_bytes=16 * 1024) as port, connected(port) as peer:
        await peer.send(CHUNKED)
        await _pour(peer, endless, 1)
        await _pour(peer, b"name: value\r\n" * 200 if endless.endswith(b"\n") else b"x" * 2048, 2000)
        assert (await peer.response())[0] == 431
        assert await peer.closed()


async def test_short_extensions_and_trailers_are_ignored() -> None:
    async with serving(reads) as port, connected(port) as peer:
        await peer.send(CHUNKED + b"5;name=value\r\nhello\r\n" * 2000 + b"0\r\nname: value\r\n\r\n")
        assert (await peer.response())[2] == b"10005"


async def test_large_responses_that_nobody_reads_share_the_memory_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await answer(send, 200, bytes(20_000_000))

    memory = process_memory()
    monkeypatch.setattr(memory, "held_at_most", 35_000_000)
    async with serving(large) as port, AsyncExitStack() as stack:
        peers = []
        for _ in range(3):
            peers.append(await stack.enter_async_context(connected(port)))
            await peers[-1].send(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert await peers[-1].status() == 200
        assert 10_000_000 < memory.used < 40_000_000
        whole = [await _length(peer) > 20_000_000 for peer in peers]
        assert (whole[0], whole[-1]) == (False, True)
    assert memory.used == 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs what the kernel tells of its buffers")
def test_the_kernel_takes_little_of_a_response_that_nobody_reads() -> None:
    """What it takes is copied, and with megabytes a connection other requests wait for that."""
    with _listen("127.0.0.1", 0) as listener, socket.socket() as client:
        listener.listen()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        with listener.accept()[0] as connection:
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                taken = 0
                while True:
                    taken += connection.send(bytes(1_000_000))
    assert 16_000 < taken < 250_000


async def _length(peer: Peer) -> int:
    """How much comes before the connection ends."""
    try:
        return len(await peer.rest())
    except ConnectionError:
        return 0


async def _now(receive: Receive) -> Any:
    """A message that is there already."""
    try:
        async with asyncio.timeout(0):
            return await receive()
    except TimeoutError:
        return None


async def _pour(peer: Peer, piece: bytes, times: int) -> int:
    """Sends a piece many times, and says how often it could."""
    for count in range(times):
        try:
            await peer.send(piece)
        except ConnectionError:
            return count
    return times
