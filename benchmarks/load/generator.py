"""A load generator for an open loop: requests are sent when they are due, whether or not responses arrive.

A latency counts from when the request was due, so a server that stalls cannot hide it. wrk itself waits for responses,
and Debian has no wrk2. The CPU time of this program is printed with its result.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import selectors
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.form import CONTENT_TYPE

_MOST_CONNECTIONS = 900
_TIMEOUT = 30.0


class Connection(asyncio.Protocol):
    """One connection, which carries one request at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._due = 0.0
        self._response = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, due: float) -> None:
        assert self._transport is not None
        self._due = due
        self._response.clear()
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._response += data
        head, found, body = self._response.partition(b"\r\n\r\n")
        if found and len(body) >= _content_length(bytes(head)):
            self._load.received(self, self._due, bytes(head), bytes(body))

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self._load.lost(self)


class Load:
    """Requests that become due one after another, and their latencies."""

    def __init__(self, request: bytes, port: int, expected: tuple[bytes, bytes]) -> None:
        self.request = request
        self.latencies: list[float] = []
        self.wrong = 0
        self._port = port
        self._status, self._text = expected
        self._free: list[Connection] = []
        self._connections = 0
        self._pending = 0
        self._sent = False
        self._all_received = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, moments: Iterator[float]) -> None:
        """Sends one request at each of ``moments``, in seconds from the start, and waits for the last response."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for moment in moments:
            due = start + moment
            if (delay := due - loop.time()) > 0:
                await asyncio.sleep(delay)
            self._pending += 1
            if self._free:
                self._free.pop().send(due)
            else:
                task = loop.create_task(self._connect(due))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        self._sent = True
        if self._pending:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_received.wait(), _TIMEOUT)
        self.wrong += self._pending

    def received(self, connection: Connection, due: float, head: bytes, body: bytes) -> None:
        self.latencies.append(asyncio.get_running_loop().time() - due)
        self.wrong += head.split(b" ", 2)[1] != self._status or self._text not in body
        self._pending -= 1
        if self._sent and not self._pending:
            self._all_received.set()
        self._free.append(connection)

    def lost(self, connection: Connection) -> None:
        """Forgets a closed connection. Its pending request, if any, counts as wrong at the end."""
        self._connections -= 1
        if connection in self._free:
            self._free.remove(connection)

    async def _connect(self, due: float) -> None:
        if self._connections >= _MOST_CONNECTIONS:
            return
        self._connections += 1
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        connection.send(due)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def moments(rate: float, seconds: float, arrivals: str, seed: int) -> Iterator[float]:
    """When requests are due: evenly, or at random and independent of each other."""
    generator = random.Random(seed)
    moment = 0.0
    while moment < seconds:
        yield moment
        moment += 1 / rate if arrivals == "even" else generator.expovariate(rate)


def _request(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: {CONTENT_TYPE}\r\n\r\n"
    )
    return head.encode() + body


def _punctual_loop() -> asyncio.AbstractEventLoop:
    """A loop that waits to the microsecond. uvloop and epoll wait whole milliseconds only."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--status", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--arrivals", choices=("even", "random"), required=True)
    parser.add_argument("--seed", type=int, required=True)
    asked = parser.parse_args()
    request = _request(asked.path, asked.body.read_bytes())
    load = Load(request, asked.port, (asked.status.encode(), asked.text.encode()))
    before = time.process_time()
    with asyncio.Runner(loop_factory=_punctual_loop) as runner:
        runner.run(load.run(moments(asked.rate, asked.seconds, asked.arrivals, asked.seed)))
    used = time.process_time() - before
    milliseconds = [latency * 1000 for latency in load.latencies]
    print(json.dumps({"latencies": milliseconds, "wrong": load.wrong, "cpu": used}))


if __name__ == "__main__":
    main()
