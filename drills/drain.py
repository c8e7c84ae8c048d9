"""SIGTERM under load: no admitted request is lost. SIGKILL under load: the restarted process is ready soon."""

from __future__ import annotations

import asyncio
import signal
import time

from drills.client import Response, closed_loop, send, upload
from drills.report import Report, run
from tests.pictures import portrait
from tests.process import ServerProcess, free_port

CLIENTS = 8
REQUEST = upload("/predict", portrait())


def drill(report: Report) -> None:
    rounds = 50 if report.long else 5
    served = refused = lost = tracebacks = 0
    slowest = 0.0
    codes: set[int] = set()
    for _ in range(rounds):
        with ServerProcess({"DRAIN_SECONDS": 1, "LOG_LEVEL": "warning"}) as server:
            server.wait_ready()
            responses, ended = asyncio.run(_terminate(server))
            codes.add(server.wait())
            slowest = max(slowest, time.monotonic() - ended)
            served += sum(response.status == 200 for response in responses)
            refused += sum(_refused(response) for response in responses)
            lost += sum(response.status != 200 and not _refused(response) for response in responses)
            tracebacks += "Traceback" in server.log
    report.figure("rounds of SIGTERM under load", rounds)
    report.figure("requests served", served, at_least=rounds)
    report.figure("refused with 503 and Connection: close", refused, at_least=rounds * CLIENTS)
    report.figure("requests lost, or with another response", lost, at_most=0)
    report.figure("logs with a traceback", tracebacks, at_most=0)
    report.figure("slowest exit after SIGTERM", slowest, "s", at_most=10)
    report.check("every exit status is 0", codes == {0}, str(codes))
    _restart(report, 10 if report.long else 1)


def _restart(report: Report, times: int) -> None:
    """Kills the server under load and starts it again on the same port, as a container runtime does."""
    port = free_port()
    slowest = 0.0
    for _ in range(times):
        with ServerProcess({"LOG_LEVEL": "warning"}, port=port) as server:
            server.wait_ready()
            asyncio.run(_kill(server))
        with ServerProcess({"LOG_LEVEL": "warning"}, port=port) as server:
            slowest = max(slowest, server.wait_ready())
    report.figure("restarts after SIGKILL under load", times)
    report.figure("slowest ready after", slowest, "s", at_most=5)


def _refused(response: Response) -> bool:
    closes = b"connection: close" in response.headers.lower()
    return response.status == 503 and response.error == "not_ready" and closes


async def _terminate(server: ServerProcess) -> tuple[list[Response], float]:
    """Clients that send requests until one is refused, as a load balancer does."""

    async def client() -> list[Response]:
        responses: list[Response] = []
        while not responses or responses[-1].status == 200:
            responses.append(await send(server.port, REQUEST))
        return responses

    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    await asyncio.sleep(1)
    server.signal(signal.SIGTERM)
    ended = time.monotonic()
    return [response for responses in await asyncio.gather(*clients) for response in responses], ended


async def _kill(server: ServerProcess) -> None:
    load = asyncio.create_task(closed_loop(server.port, REQUEST, CLIENTS, 2))
    await asyncio.sleep(1)
    server.signal(signal.SIGKILL)
    await load


if __name__ == "__main__":
    run("drain", drill)
