"""A small HTTP client for drills. Requests are prepared bytes, so that the client takes little CPU."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, cast

HOST = "127.0.0.1"
TIMEOUT = 60.0
LOST = 0
"""The status of a request without a response."""


@dataclass(frozen=True)
class Response:
    """The response to a request, or that there was none. ``refused``: not even the connection was made."""

    status: int
    seconds: float
    body: bytes = b""
    headers: bytes = b""
    refused: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"]) if self.status >= 400 and self.body else ""


def get(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def post(path: str, body: bytes, content_type: str, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}", f"Content-Type: {content_type}"]
    lines += [f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def upload(path: str, *pictures: bytes, field: str = "file", name: str = "a.jpg", headers: Sequence[str] = ()) -> bytes:
    """A request that uploads pictures as a form."""
    parts = b"".join(
        b'--drill\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n%b\r\n" % (field.encode(), name.encode(), picture)
        for picture in pictures
    )
    return post(path, parts + b"--drill--\r\n", "multipart/form-data; boundary=drill", *headers)


Send = Callable[[int, bytes, float | None], Coroutine[Any, Any, Response]]
"""Sends a request to a port when it is due."""


async def send(port: int, request: bytes, due: float | None = None) -> Response:
    """Sends one request on a new connection. The time counts from ``due``, if given."""
    started = time.perf_counter() if due is None else due
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError):
        return Response(LOST, time.perf_counter() - started, refused=True)
    try:
        async with asyncio.timeout(TIMEOUT):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
        return Response(int(head[9:12]), time.perf_counter() - started, body, head)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return Response(LOST, time.perf_counter() - started)
    finally:
        writer.close()


class _Connection(asyncio.Protocol):
    """A connection that carries one request after another."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._response: asyncio.Future[tuple[bytes, bytes]] | None = None
        self._received = bytearray()

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The transports of uvloop are not subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    async def send(self, request: bytes) -> tuple[bytes, bytes]:
        """The head and the body of the response; both are empty if the connection was lost."""
        assert self._transport is not None
        self._response = asyncio.get_running_loop().create_future()
        self._received.clear()
        self._transport.write(request)
        return await self._response

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = bytes(self._received).partition(b"\r\n\r\n")
        if end and len(body) >= _length(head):
            self._settle(head, body)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self._settle(b"", b"")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _settle(self, head: bytes, body: bytes) -> None:
        if self._response is not None and not self._response.done():
            self._response.set_result((head, body))


class KeptConnections:
    """Clients that keep their connections. A request takes a free connection or opens one."""

    def __init__(self) -> None:
        self._free: list[_Connection] = []
        self.opened = 0

    async def send(self, port: int, request: bytes, due: float | None = None) -> Response:
        """Sends one request. The time counts from ``due``, if given."""
        started = time.perf_counter() if due is None else due
        try:
            async with asyncio.timeout(TIMEOUT):
                connection = self._free.pop() if self._free else await self._open(port)
                head, body = await connection.send(request)
        except (OSError, TimeoutError):
            return Response(LOST, time.perf_counter() - started)
        if connection.open and b"connection: close" not in head.lower():
            self._free.append(connection)
        return Response(int(head[9:12] or LOST), time.perf_counter() - started, body, head)

    def close(self) -> None:
        for connection in self._free:
            connection.close()

    async def _open(self, port: int) -> _Connection:
        self.opened += 1
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, HOST, port)
        return connection


async def closed_loop(port: int, request: bytes, clients: int, seconds: float, send: Send = send) -> list[Response]:
    """Clients that each send again as soon as they have their response."""
    until = time.perf_counter() + seconds

    async def client() -> list[Response]:
        responses = []
        while time.perf_counter() < until:
            responses.append(await send(port, request, None))
        return responses

    return list(itertools.chain.from_iterable(await asyncio.gather(*(client() for _ in range(clients)))))


async def open_loop(port: int, request: bytes, rate: float, seconds: float, send: Send = send) -> list[Response]:
    """Sends requests at a steady rate, without waiting for responses.

    Each counts from when it was due, so that neither a server nor a client that stalls can hide it.
    """
    started = time.perf_counter()
    tasks: list[asyncio.Task[Response]] = []
    while (elapsed := time.perf_counter() - started) < seconds:
        due = range(len(tasks), int(elapsed * rate) + 1)
        tasks += [asyncio.create_task(send(port, request, started + number / rate)) for number in due]
        await asyncio.sleep(min(1 / rate, 0.005))
    return list(await asyncio.gather(*tasks))


async def while_probing(
    port: int, work: Awaitable[Any], request: bytes, every: float = 0.1
) -> tuple[Any, list[Response]]:
    """Awaits ``work`` and sends one request, such as a probe, at intervals meanwhile."""
    responses: list[Response] = []

    async def probe() -> None:
        while True:
            responses.append(await send(port, request))
            await asyncio.sleep(every)

    task = asyncio.create_task(probe())
    try:
        return await work, responses
    finally:
        task.cancel()


async def until(condition: Callable[[], Awaitable[bool]]) -> float:
    """Waits until a condition holds. Returns the seconds that it took."""
    started = time.perf_counter()
    async with asyncio.timeout(TIMEOUT):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return time.perf_counter() - started


def statuses(responses: Sequence[Response]) -> str:
    """How often each status came."""
    counts = Counter(str(response.status or "lost") for response in responses)
    return ", ".join(f"{status}: {count}" for status, count in sorted(counts.items())) or "none"


def _length(head: bytes) -> int:
    """The length of a body that the headers declare."""
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)


def quantile(responses: Sequence[Response], share: float) -> float:
    """Milliseconds that this share of the responses took at most."""
    times = sorted(response.seconds for response in responses)
    return times[min(int(share * len(times)), len(times) - 1)] * 1000 if times else 0.0
