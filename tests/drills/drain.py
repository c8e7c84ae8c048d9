"""SIGTERM under load: no admitted request is lost. SIGKILL under load: the next process is ready soon."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.drills.client import Answer, ask, closed_loop, upload
from tests.drills.report import Report, run
from tests.pictures import portrait
from tests.process import ServerProcess

CLIENTS = 8
REQUEST = upload("/predict", portrait())


def drill(report: Report) -> None:
    rounds = 50 if report.long else 5
    served = lost = 0
    slowest = 0.0
    codes: set[int] = set()
    for _ in range(rounds):
        with ServerProcess({"DRAIN_SECONDS": 1, "LOG_LEVEL": "warning"}) as server:
            server.wait_ready()
            answers, ended = asyncio.run(_terminate(server))
            codes.add(server.wait())
            slowest = max(slowest, time.monotonic() - ended)
            served += sum(answer.status == 200 for answer in answers)
            lost += sum(answer.status not in {200, 503} for answer in answers)
    report.figure("rounds of SIGTERM under load", rounds)
    report.figure("requests served", served, at_least=rounds)
    report.figure("requests lost", lost, at_most=0)
    report.figure("slowest exit after SIGTERM", slowest, "s", at_most=10)
    report.check("every exit status is 0", codes == {0}, str(codes))
    with ServerProcess({"LOG_LEVEL": "warning"}) as server:
        server.wait_ready()
        asyncio.run(_kill(server))
    with ServerProcess({"LOG_LEVEL": "warning"}) as server:
        report.figure("ready again after SIGKILL", server.wait_ready(), "s", at_most=5)


async def _terminate(server: ServerProcess) -> tuple[list[Answer], float]:
    """Clients that ask until they are told to go elsewhere, as behind a load balancer."""

    async def client() -> list[Answer]:
        answers = []
        while not answers or answers[-1].status == 200:
            answers.append(await ask(server.port, REQUEST))
        return answers

    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    await asyncio.sleep(1)
    server.signal(signal.SIGTERM)
    ended = time.monotonic()
    return [answer for answers in await asyncio.gather(*clients) for answer in answers], ended


async def _kill(server: ServerProcess) -> None:
    load = asyncio.create_task(closed_loop(server.port, REQUEST, CLIENTS, 2))
    await asyncio.sleep(1)
    server.signal(signal.SIGKILL)
    await load


if __name__ == "__main__":
    run("drain", drill)
