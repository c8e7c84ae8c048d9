"""An open loop: requests at a given rate, from :mod:`benchmarks.load.generator`."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np

from benchmarks.load.closed import Measured, Request
from benchmarks.plan import Arrivals


def open_loop(request: Request, rate: float, seconds: float, arrivals: Arrivals, seed: int = 1) -> Measured:
    """Sends ``rate`` requests a second; latencies count from when each was due. ``seed`` makes random arrivals."""
    command = [
        *(sys.executable, "-m", "benchmarks.load.generator"),
        *("--port", str(request.port), "--path", request.path, "--body", str(request.body)),
        *("--status", str(request.status), "--text", request.text),
        *("--rate", str(rate), "--seconds", str(seconds), "--arrivals", arrivals),
        *("--seed", str(seed)),
    ]
    output = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    latencies = output["latencies"]
    if not latencies:
        raise RuntimeError("The open loop got no response.")
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99))
    return Measured(
        requests=len(latencies),
        throughput=len(latencies) / seconds,
        wrong=output["wrong"],
        p50=float(p50),
        p95=float(p95),
        p99=float(p99),
        longest=max(latencies),
        generator_cpu=output["cpu"],
    )
