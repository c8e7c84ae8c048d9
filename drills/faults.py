"""Steps of the service that raise, a stdout that blocks and a disk that is full: it responds, recovers and ends."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

from drills.client import Response, get, send, until, upload
from drills.faulty_service import STEPS
from drills.report import Report, run
from tests.pictures import portrait
from tests.process import ServerProcess

LONGEST_END = 10.0
_REQUESTS = 3
_AFTER_THE_RESPONSE = {"metrics of the request", "tracer", "log"}
"""Steps whose failure costs no client its result."""
_SETTINGS = {"WORKERS": 1, "DRAIN_SECONDS": 0, "RATE_LIMIT": "100000/minute"}


def drill(report: Report) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _steps(report, Path(folder))
        _full_disk(report, Path(folder))
    _blocked_stdout(report)


def _steps(report: Report, folder: Path) -> None:
    asked = folder / "step"
    asked.write_text("")
    with ServerProcess(_SETTINGS, module=("drills.faulty_service", str(asked))) as server:
        server.wait_ready()
        for step in STEPS:
            asked.write_text(step)
            responses = asyncio.run(_predict(server))
            asked.write_text("")
            recovered = asyncio.run(_predict(server))
            status = 200 if step in _AFTER_THE_RESPONSE else 500
            fine = all(response.status == status and _is_whole(response) for response in responses)
            back = all(response.status == 200 for response in recovered)
            seen = f"{responses[0].status} {responses[0].body[:100]!r}, then {recovered[0].status}"
            report.check(f"{step} raises: {status}, then 200", fine and back, seen)
        _end(report, server, "after all of them")
        faults = server.log.count("InjectedFault in request")
        report.check(
            "the log names each, without a traceback", faults > 0 and "Traceback" not in server.log, str(faults)
        )


def _full_disk(report: Report, folder: Path) -> None:
    log = folder / "log"
    with log.open("wb") as file, ServerProcess(_SETTINGS, stdout=file.fileno()) as server:
        server.wait_ready()
        # Until there is room again, no file of the process may grow.
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (log.stat().st_size + 10, resource.RLIM_INFINITY))
        full = asyncio.run(_predict(server))
        # A thread of its own writes the lines, some at a time.
        time.sleep(1)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        again = asyncio.run(_predict(server))
        _end(report, server, "after the disk was full")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    report.check("disk full: predictions go on", all(response.status == 200 for response in full + again))
    report.check("it logs again", sum(line.get("route") == "/predict" for line in lines) >= _REQUESTS)
    report.check("and says what was lost", any("lines were lost" in str(line.get("message")) for line in lines))


def _blocked_stdout(report: Report) -> None:
    read, write = os.pipe()
    with ServerProcess(_SETTINGS, stdout=write) as server:
        server.wait_ready()
        responses = asyncio.run(_many_probes(server))
        report.check("stdout blocked: probes go on", all(response.status == 200 for response in responses))
        report.check("and predictions", all(response.status == 200 for response in asyncio.run(_predict(server))))
        _end(report, server, "while stdout blocks")
    os.close(read)
    os.close(write)


async def _predict(server: ServerProcess) -> list[Response]:
    """Some predictions, one after another. Nothing must be lost, and probes must get their response."""
    responses = [await send(server.port, upload("/predict", portrait())) for _ in range(_REQUESTS)]
    await until(lambda: _alive(server))
    return responses


async def _alive(server: ServerProcess) -> bool:
    return (await send(server.port, get("/health/live"))).status == 200


async def _many_probes(server: ServerProcess) -> list[Response]:
    """Enough log lines to fill a pipe of 64 KB."""
    return [await send(server.port, get("/health")) for _ in range(600)]


def _is_whole(response: Response) -> bool:
    """Whether a body is a result, or an error with the id that is in the headers too."""
    request_id = str(response.json["request_id"])
    return request_id.encode() in response.headers and (response.status == 200 or response.error == "internal_error")


def _end(report: Report, server: ServerProcess, when: str) -> None:
    server.signal()
    try:
        ended = f"status {server.wait(LONGEST_END)}"
    except subprocess.TimeoutExpired:
        ended = f"still there after {LONGEST_END:g} s"
    report.check(f"SIGTERM {when}: status 0", ended == "status 0", ended)


if __name__ == "__main__":
    run("faults", drill)
