"""More slow uploads than the process may open files: it serves others meanwhile, and is at rest soon after."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time

import psutil

from drills.client import HOST, get, quantile, send, statuses, upload, while_probing
from drills.report import Report, run
from drills.slow_clients import BEGINNING, HEAD
from tests.pictures import portrait
from tests.process import ServerProcess

FILES = 256
CLIENTS = 600
REST_SECONDS = 25.0


def drill(report: Report) -> None:
    limited = ("sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh")
    settings = {"RATE_LIMIT": "6000/minute", "BODY_TIMEOUT_SECONDS": 8, "LOG_LEVEL": "warning"}
    with ServerProcess(settings, wrap=limited) as server:
        server.wait_ready()
        asyncio.run(_run(report, server))
        server.signal(signal.SIGTERM)
        report.figure("exit status after SIGTERM", server.wait(), at_most=0)
        errors = [line for line in server.log.splitlines() if '"level":"error"' in line or "Traceback" in line]
        report.check("no error in the log", not errors, "; ".join(errors[:3]))


async def _run(report: Report, server: ServerProcess) -> None:
    picture = upload("/predict", portrait())
    await send(server.port, picture)
    before = open_files(server.pid)
    report.figure("files open at rest", before)
    uploads = asyncio.gather(
        *(_slow_upload(server.port, max(number - CLIENTS // 2, 0) * 0.02) for number in range(CLIENTS))
    )
    most = asyncio.create_task(_most_files(server.pid, uploads))
    _, probes = await while_probing(server.port, uploads, get("/health/ready"))
    report.figure("most files open", await most, at_most=FILES)
    # A probe that arrives among 300 newcomers at once may itself make room for one of them.
    report.figure("probes without 200", sum(each.status != 200 for each in probes), at_most=1)
    report.note(statuses(probes))
    report.figure("probes, p99", quantile(probes, 0.99), "ms", at_most=200)
    left = time.monotonic()
    while open_files(server.pid) > before + 2 and time.monotonic() < left + REST_SECONDS:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    report.figure("files open at most 2 above rest after", time.monotonic() - left, "s", at_most=REST_SECONDS - 1)
    after = await send(server.port, picture)
    report.figure("status of an upload afterwards", after.status, at_least=200, at_most=200)


async def _slow_upload(port: int, delay: float) -> None:
    """Begins an upload and sends a byte a second, until it is disconnected or 15 s have passed."""
    await asyncio.sleep(delay)
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            async with asyncio.timeout(15):
                writer.write(HEAD + BEGINNING)
                while not reader.at_eof():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(1)
        except TimeoutError:
            pass
        finally:
            writer.close()


def open_files(pid: int) -> int:
    return psutil.Process(pid).num_fds()


async def _most_files(pid: int, until: asyncio.Future[list[None]]) -> int:
    most = 0
    while not until.done():
        most = max(most, open_files(pid))
        await asyncio.sleep(0.05)
    return most


if __name__ == "__main__":
    run("files", drill)
