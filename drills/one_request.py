"""Files that are small to send and large to decode: alone, in a batch, and on all workers at once. Then requests that
are large to parse.

The limiter is on, and honest requests and probes are sent meanwhile. Where the machine lets it, the server runs in a
cgroup of 512 MB, which ends it if it takes more.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import psutil
from PIL import Image
from skimage import data

from drills.client import Response, get, post, quantile, send, statuses, upload
from drills.process_stats import process_stats, reset_peak
from drills.report import Report, run
from tests.hostile import HostileFile, hostile_files
from tests.pictures import encoded, portrait
from tests.process import ServerProcess

LIMIT_MB = 512
MOST_MB, PROBE_MS, CPU_SECONDS = 450, 200, 2.0
RESULT_MB = 8.5
HONEST = upload("/predict", portrait(640))
BATCH, WORKERS = 4, 2
SETTINGS = {
    "LOG_LEVEL": "warning",
    "RATE_LIMIT": "600/minute",
    "WORKERS": WORKERS,
}
TOGETHER = 3
"""Hostile files that are sent again in batches and at once in the short form: those that took the most memory."""

CGROUPS = (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"))


def drill(report: Report) -> None:
    with _cgroup() as wrap:
        report.note(f"in a cgroup of {LIMIT_MB} MB" if wrap else "no cgroup can be made here; resident memory counts")
        limit = 0 if wrap else LIMIT_MB
        settings = {**SETTINGS, "MEMORY_LIMIT_MB": limit}
        with ServerProcess(settings, wrap=wrap) as server:
            server.wait_ready()
            report.figure("resident memory, ready and idle", process_stats(server.pid).resident, "MB")
            asyncio.run(_Drill(report, server).run())
            report.check("the server still runs", server.process is not None and server.process.poll() is None)
            report.check("no traceback in the log", "Traceback" not in server.log)


@contextlib.contextmanager
def _cgroup() -> Iterator[list[str]]:
    """The start of a command line that runs in a cgroup with a limit; empty where none can be made."""
    for root, limit in CGROUPS:
        group = Path(root) / "visage-one-request"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            # Only the kernel gives a new folder its files.
            with (group / limit).open("r+") as file:
                file.write(str(LIMIT_MB * 2**20))
            yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
            return
        except OSError:
            continue
        finally:
            group.rmdir()
    yield []


class _Drill:
    def __init__(self, report: Report, server: ServerProcess) -> None:
        self._report = report
        self._server = server
        self._probes: list[Response] = []
        self._honest: list[Response] = []
        self._peak = 0.0

    async def run(self) -> None:
        report, port = self._report, self._server.port
        await send(port, HONEST)
        beside = [asyncio.create_task(self._repeat(self._probes, get("/health/live"), 0.05))]
        beside.append(asyncio.create_task(self._repeat(self._honest, HONEST, 0.5)))
        greedy = [file for file in hostile_files() if file.name.startswith("greedy-")]
        peaks: dict[HostileFile, float] = {}
        for file in greedy:
            peaks[file] = await self._send(file.name, [upload("/predict", file.data)], pictures=1)
        worst = sorted(greedy, key=lambda file: -peaks[file])[: None if report.long else TOGETHER]
        for file in worst:
            batch = upload("/predict/batch", *[file.data] * BATCH, field="files")
            await self._send(f"{file.name}, a batch of {BATCH}", [batch], pictures=BATCH)
            request = upload("/predict", file.data)
            await self._send(f"{file.name}, {WORKERS} at once", [request] * WORKERS, pictures=WORKERS)
        brackets = post("/analyze/facial", b"[" * 7_000_000, "application/json")
        await self._send("bodies of brackets", [brackets] * 2, pictures=2)
        pipelined = get("/docs/swagger-ui-bundle.js") + get("/health/live") * 100_000
        await self._send("requests behind a file of the page", [pipelined] * 2, pictures=2)
        for model in ("default", "accurate"):
            query = f"?model={model}&faces=all&explain=grid&explain_method=occlusion"
            eight = upload("/predict" + query, _crowd(8))
            await self._send(f"8 faces by occlusion, {model}", [eight] * WORKERS, pictures=WORKERS)
            batch = upload("/predict/batch" + query, *[_crowd(8)] * BATCH, field="files")
            await self._send(f"8 faces by occlusion, {model}, a batch of {BATCH}", [batch], pictures=BATCH)
        await self._explained()
        for task in beside:
            task.cancel()
        report.figure("the most resident memory", self._peak, "MB", at_most=MOST_MB)
        report.figure("probes, p99", quantile(self._probes, 0.99), "ms", at_most=PROBE_MS)
        served = all(response.status == 200 for response in self._honest)
        report.check(f"all of {len(self._honest)} honest requests are served", served, statuses(self._honest))
        report.figure("the slowest of them", quantile(self._honest, 1.0) / 1000, "s")

    async def _repeat(self, responses: list[Response], request: bytes, every: float) -> None:
        while True:
            responses.append(await send(self._server.port, request))
            await asyncio.sleep(every)

    async def _send(self, what: str, requests: list[bytes], pictures: int) -> float:
        """Sends requests at once. Returns the most memory meanwhile."""
        pid, honest = self._server.pid, len(self._honest)
        reset_peak(pid)
        before, started = _cpu_seconds(pid), time.monotonic()
        responses = await asyncio.gather(*(send(self._server.port, request) for request in requests))
        cpu = _cpu_seconds(pid) - before
        peak = process_stats(pid).peak
        self._peak = max(self._peak, peak)
        beside = len(self._honest) - honest
        self._report.note(
            f"{what}: {statuses(responses)}; {peak:.0f} MB, {cpu:.2f} s of CPU in {time.monotonic() - started:.1f} s, "
            f"{beside} honest requests beside it"
        )
        held = all(0 < response.status < 500 for response in responses)
        self._report.check(f"  {what}: a result or a refusal", held, statuses(responses))
        self._report.figure("  CPU a picture", cpu / pictures, "s", at_most=CPU_SECONDS)
        return peak

    async def _explained(self) -> None:
        """Batches of many faces, each with an overlay."""
        request = upload("/predict/batch?faces=all&explain=true", *[_crowd()] * BATCH, field="files")
        work: list[Awaitable[Response]] = [send(self._server.port, request) for _ in range(WORKERS)]
        reset_peak(self._server.pid)
        responses = await asyncio.gather(*work)
        self._peak = max(self._peak, process_stats(self._server.pid).peak)
        items: list[Any] = [item for response in responses for item in response.json["results"]]
        explained = sum(len(item["faces"]) for item in items if item["success"])
        refused = sum(item.get("error") == "invalid_request" for item in items)
        self._report.note(f"{WORKERS} batches: {explained} faces explained, {refused} of {len(items)} pictures refused")
        self._report.check("faces beyond the limit are refused", refused > 0 and explained > 0)
        largest = max(len(response.body) for response in responses) / 2**20
        self._report.figure("the largest result", largest, "MB", at_most=RESULT_MB)


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _crowd(count: int = 42) -> bytes:
    """A picture of up to 42 faces."""
    face = Image.fromarray(data.astronaut()).crop((130, 0, 330, 200))
    crowd = Image.new("RGB", (1400, 1200))
    for number in range(count):
        crowd.paste(face, (number % 7 * 200, number // 7 * 200))
    return encoded(crowd, "JPEG")


if __name__ == "__main__":
    run("one_request", drill)
