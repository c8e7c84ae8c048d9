"""200 slow clients: each is disconnected by its deadline, and other requests are served normally. Then 600 at once that
read nothing of a large file."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
import time
from collections.abc import Callable, Coroutine
from multiprocessing.synchronize import Barrier
from typing import Any

from drills.client import HOST, Response, closed_loop, get, quantile, statuses, upload, while_probing
from drills.process_stats import process_stats, reset_peak
from drills.report import Report, run
from tests.pictures import portrait
from tests.process import ServerProcess

HEAD = (
    b"POST /predict HTTP/1.1\r\nHost: drill\r\nContent-Length: 100000\r\n"
    b"Content-Type: multipart/form-data; boundary=drill\r\n\r\n"
)
BEGINNING = b'--drill\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
LARGE = get("/docs/swagger-ui-bundle.js")
READERS = 600
Slow = Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def _silent(writer: asyncio.StreamWriter) -> None:
    del writer


async def _half_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"POST /predict HTTP/1.1\r\nHost: dr")


async def _trickled_headers(writer: asyncio.StreamWriter) -> None:
    for byte in HEAD * 10:
        writer.write(bytes([byte]))
        await asyncio.sleep(1)


async def _trickled_body(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + BEGINNING)
    while True:
        writer.write(b"x")
        await asyncio.sleep(1)


def drill(report: Report) -> None:
    header, body = (10.0, 20.0) if report.long else (3.0, 5.0)
    settings = {"HEADER_TIMEOUT_SECONDS": header, "BODY_TIMEOUT_SECONDS": body, "LOG_LEVEL": "warning"}
    with ServerProcess(settings) as server:
        server.wait_ready()
        asyncio.run(_run(report, server.port, header, body))
        reset_peak(server.pid)
        before = process_stats(server.pid).resident
        probes = asyncio.run(_unread(server.port))
        report.check(f"every probe beside {READERS} unread files gets 200", {a.status for a in probes} == {200})
        report.figure("the slowest of them", quantile(probes, 1), "ms", at_most=200)
        report.figure("memory for unread files", process_stats(server.pid).peak - before, "MB", at_most=40)


async def _run(report: Report, port: int, header: float, body: float) -> None:
    kinds: list[tuple[str, Slow, float]] = [
        ("silent", _silent, header),
        ("half headers", _half_headers, header),
        ("headers a byte a second", _trickled_headers, header),
        ("body a byte a second", _trickled_body, body),
    ]
    clients = [(name, slow, deadline) for name, slow, deadline in kinds for _ in range(50)]
    request = upload("/predict", portrait())
    before = await closed_loop(port, request, 1, 2)
    slow_clients = asyncio.gather(*(_seconds_open(port, slow) for _, slow, _ in clients))
    normal = asyncio.create_task(closed_loop(port, request, 1, header))
    lasted, probes = await while_probing(port, slow_clients, get("/health/ready"))
    for name, _, deadline in kinds:
        longest = max(seconds for (kind, _, _), seconds in zip(clients, lasted, strict=True) if kind == name)
        report.figure(f"{name}: the last of 50 closed after", longest, "s", at_most=deadline + 1)
    served = await normal
    report.check("every probe gets 200", {a.status for a in probes} == {200}, statuses(probes))
    report.figure("probes, p99", quantile(probes, 0.99), "ms", at_most=200)
    report.check("every normal request gets 200", {a.status for a in served} == {200}, statuses(served))
    alone = quantile(before, 0.5)
    report.figure("a normal request before, median", alone, "ms")
    report.figure("a normal request during the drill, median", quantile(served, 0.5), "ms", at_most=2 * alone + 20)


async def _unread(port: int) -> list[Response]:
    """Probes beside clients that ask at once. These are another process, so that only the server delays the probes."""
    context = multiprocessing.get_context("spawn")
    connected = context.Barrier(2)
    clients = context.Process(target=_ask, args=(port, connected))
    clients.start()
    try:
        await asyncio.to_thread(connected.wait)
        _, probes = await while_probing(port, asyncio.sleep(3), get("/health/live"), every=0.01)
    finally:
        clients.kill()
        clients.join()
    return probes


def _ask(port: int, connected: Barrier) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection((HOST, port))) for _ in range(READERS)]
        connected.wait()
        time.sleep(0.5)
        for client in clients:
            client.send(LARGE)
        time.sleep(60)


async def _seconds_open(port: int, slow: Slow) -> float:
    """Seconds until the server closes the connection of a slow client."""
    reader, writer = await asyncio.open_connection(HOST, port)
    started = time.perf_counter()
    sending = asyncio.create_task(slow(writer))
    try:
        while await reader.read(65536):
            pass
    except ConnectionResetError:
        pass
    finally:
        sending.cancel()
        writer.close()
    return time.perf_counter() - started


if __name__ == "__main__":
    run("slow_clients", drill)
