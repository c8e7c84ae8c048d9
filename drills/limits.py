"""Rate limits of two servers that share a real Redis, while Redis runs, after it is killed, and after its restart."""

from __future__ import annotations

import asyncio

from app.errors import EmptyFile
from drills.client import Response, closed_loop, get, send, statuses, until, upload
from drills.report import Report, run
from tests.backends import program, redis
from tests.process import ServerProcess, free_port

BUDGET = 20

REQUEST = upload("/predict", b"")
"""It is refused for its empty picture, if its client's rate admits it."""


def drill(report: Report) -> None:
    asyncio.run(_forged(report))
    binary = program("redis-server", "REDIS_SERVER")
    if binary is None:
        report.check("redis-server is installed (or named by REDIS_SERVER)", False)
        return
    asyncio.run(_shared(report, binary))


async def _forged(report: Report) -> None:
    """X-Forwarded-For of an untrusted peer is ignored; that of a trusted peer is read from the right."""

    def forwarded(*hops: str) -> bytes:
        return upload("/predict", b"", headers=[f"X-Forwarded-For: {', '.join(hops)}"])

    with ServerProcess({"RATE_LIMIT": f"{BUDGET}/hour", "WORKERS": 1}) as server:
        server.wait_ready()
        responses = [await send(server.port, forwarded(f"198.51.100.{n}")) for n in range(2 * BUDGET)]
        report.figure(
            "untrusted peer, forged addresses: accepted", _accepted(responses), at_least=BUDGET, at_most=BUDGET
        )
    with ServerProcess({"RATE_LIMIT": f"{BUDGET}/hour", "WORKERS": 1, "TRUSTED_PROXIES": "127.0.0.1"}) as server:
        server.wait_ready()
        one = [await send(server.port, forwarded(f"10.9.8.{n}", "198.51.100.1")) for n in range(2 * BUDGET)]
        many = [await send(server.port, forwarded(f"198.51.100.{n + 2}")) for n in range(2 * BUDGET)]
        report.figure("trusted peer, one client that forges: accepted", _accepted(one), at_least=BUDGET, at_most=BUDGET)
        report.figure("trusted peer, many clients: accepted", _accepted(many), at_least=2 * BUDGET)


async def _shared(report: Report, binary: str) -> None:
    port = free_port()
    shared = {"RATE_LIMIT": f"{BUDGET}/hour", "RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{port}/0", "WORKERS": 1}
    with ServerProcess(shared) as first, ServerProcess(shared) as second:
        with redis(binary, port):
            first.wait_ready()
            second.wait_ready()
            responses = [await send((first, second)[n % 2].port, REQUEST) for n in range(3 * BUDGET)]
            report.figure("two servers, one Redis: accepted", _accepted(responses), at_least=BUDGET, at_most=BUDGET)
            report.check("each server accepted some", all(_accepted(responses[n::2]) for n in (0, 1)))
            load = asyncio.create_task(closed_loop(first.port, REQUEST, 4, 4))
            await asyncio.sleep(1)
        await send(second.port, REQUEST)
        responses = await load
        report.check(
            "Redis killed under load: no 5xx, none lost",
            {a.status for a in responses} <= {EmptyFile.status, 429},
            statuses(responses),
        )
        report.check("/health shows it", await _storage(first) == "memory while redis is away", await _storage(first))
        report.figure("counted in memory meanwhile: accepted", _accepted(responses), at_least=BUDGET, at_most=BUDGET)
        with redis(binary, port):

            async def back() -> bool:
                return all([await _storage(server) == "redis" for server in (first, second)])

            report.figure("shared again after", await until(back), "s", at_most=10)
            responses = [await send((first, second)[n % 2].port, REQUEST) for n in range(3 * BUDGET)]
            report.figure("one budget again: accepted", _accepted(responses), at_least=BUDGET, at_most=BUDGET)
        report.check(
            "the log has both, once each", first.log.count("Redis is away") == first.log.count("Redis is back") == 1
        )


async def _storage(server: ServerProcess) -> str:
    return str((await send(server.port, get("/health"))).json["rate_limit_storage"])


def _accepted(responses: list[Response]) -> int:
    return sum(response.status == EmptyFile.status for response in responses)


if __name__ == "__main__":
    run("limits", drill)
