"""Clients that disconnect while they wait: none of their work runs, and their places in the queue are free again.

The server and the sockets are real. The models are fake ones that record the pictures that they get.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable

from app.config import Settings
from app.main import create_app
from app.server.server import Server, config_of
from app.service import Service
from drills.client import HOST, get, send, statuses, until, upload
from drills.report import Report, run
from tests.api.fakes import Script, fake_factories

CLIENTS = 100


def drill(report: Report) -> None:
    for _ in range(10 if report.long else 2):
        asyncio.run(_disconnect(report))


async def _disconnect(report: Report) -> None:
    script = Script(gate=threading.Event())
    settings = Settings(workers=1, queue_size=CLIENTS, rate_limit="off", drain_seconds=0, log_level="warning")
    app = create_app(settings, fake_factories(script))
    listener = socket.create_server((HOST, 0))
    port: int = listener.getsockname()[1]
    server = Server(config_of(app, settings), app, settings.drain_seconds)
    serving = asyncio.create_task(server._serve([listener]))

    async def ready() -> bool:
        return (await send(port, get("/health/ready"))).status == 200

    await until(ready)
    service: Service = app.state.service
    first = asyncio.create_task(send(port, upload("/predict", b"first")))
    await until(_is(lambda: script.started == 1))
    peers = [await asyncio.open_connection(HOST, port) for _ in range(CLIENTS)]
    for _, writer in peers:
        writer.write(upload("/predict", b"disconnects"))
    await until(_is(lambda: service.pool.waiting == CLIENTS))
    refused = await send(port, upload("/predict", b"too many"))
    for _, writer in peers:
        writer.transport.abort()
    freed = await until(_is(lambda: service.pool.waiting == 0))
    assert script.gate is not None
    script.gate.set()
    responses = [await first, *await asyncio.gather(*(send(port, upload("/predict", b"later")) for _ in range(10)))]
    report.check(f"with {CLIENTS} waiting, the next is refused", refused.status == 503, str(refused.status))
    report.figure("places free again after", freed, "s", at_most=1)
    report.figure(
        "disconnected clients whose picture was processed", sum(s == b"disconnects" for s in script.seen), at_most=0
    )
    report.check("the other clients get a result", {a.status for a in responses} == {200}, statuses(responses))
    server.should_exit = True
    await serving


def _is(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return condition()

    return holds


if __name__ == "__main__":
    run("cancel", drill)
