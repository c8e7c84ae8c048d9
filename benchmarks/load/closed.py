"""wrk: a fixed number of connections, each of which sends its next request when it has a response."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.form import CONTENT_TYPE

_SCRIPT = Path(__file__).with_name("wrk.lua")

_RAMP = 1 / 6
"""The share of a run at its start that does not count for the throughput."""

MISSING = "wrk, the load generator, is not installed. On Debian or Ubuntu: apt install wrk."


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and the status and text that its response must have."""

    port: int
    path: str
    body: Path
    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One run under load. Latencies are milliseconds, ``generator_cpu`` CPU seconds of the generator itself."""

    requests: int
    throughput: float
    wrong: int
    p50: float
    p95: float
    p99: float
    longest: float
    generator_cpu: float


def installed() -> bool:
    return shutil.which("wrk") is not None


def closed_loop(request: Request, connections: int, seconds: int) -> Measured:
    """Puts a server under load. ``wrong`` counts responses with another status or text, and broken connections."""
    command = [
        *("wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--timeout", "30s"),
        *("--script", str(_SCRIPT), f"http://127.0.0.1:{request.port}{request.path}", "--"),
        *(str(request.body), CONTENT_TYPE, str(request.status), request.text, str(seconds * _RAMP)),
    ]
    before = _children_cpu()
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds + 60)
    took = _children_cpu() - before
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"wrk printed no JSON: {ended.stdout[-500:]} {ended.stderr[-500:]}")
    output = json.loads(lines[-1])
    return Measured(
        requests=output["requests"],
        throughput=output["rate"],
        wrong=output["wrong"] + output["broken"],
        p50=output["p50"],
        p95=output["p95"],
        p99=output["p99"],
        longest=output["max"],
        generator_cpu=took,
    )


def _children_cpu() -> float:
    """CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
