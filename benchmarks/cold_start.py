"""Time from process start to ready, and the first request compared with warm ones, with a warm disk cache.

    python -m benchmarks.cold_start [--starts 7] [--json FILE]

Each start is a new ``python -m app`` with the settings of the environment. One start before the first
that counts fills the disk cache. Exits with 1 if a bound does not hold.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.form import CONTENT_TYPE, form
from benchmarks.processes import Server, free_port

PICTURE = Path(__file__).resolve().parents[1] / "sample_images/happy_sample.jpg"
WARM_REQUESTS = 30
UNCOUNTED = 5
"""Requests after the first that are left out of the warm ones."""

LONGEST_START = 2.0
MOST_FIRST_TO_WARM = 2.0


@dataclass(frozen=True, slots=True)
class Start:
    """One start, in milliseconds from the start of the process, and the requests after it."""

    live_ms: float
    """Until the liveness probe gets 200, before the service is ready."""
    ready_ms: float
    cpu_ms: float
    """CPU time of all threads until ready."""
    first_ms: float
    warm_ms: float
    """Median of the warm requests."""

    @property
    def first_to_warm(self) -> float:
        return self.first_ms / self.warm_ms


def start_once(scratch: Path) -> Start:
    port = free_port()
    environment = {"PORT": str(port), "HOST": "127.0.0.1", "RATE_LIMIT": "off", "DRAIN_SECONDS": "0"}
    server = Server([sys.executable, "-m", "app"], environment, scratch / "log")
    try:
        live = server.wait_ready(port, "/health/live")
        ready = server.wait_ready(port, "/health/ready")
        spent = server.cpu_seconds()
        first, *others = requests(port)
    finally:
        server.stop()
    return Start(live * 1000, ready * 1000, spent * 1000, first, median(others[UNCOUNTED:]))


def requests(port: int) -> list[float]:
    """Milliseconds of each request on an open connection, to the last byte of its response."""
    body, headers = form(PICTURE.read_bytes()), {"Content-Type": CONTENT_TYPE}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()
    found = []
    for _ in range(1 + UNCOUNTED + WARM_REQUESTS):
        began = time.perf_counter()
        connection.request("POST", "/predict", body, headers)
        response = connection.getresponse()
        response.read()
        found.append((time.perf_counter() - began) * 1000)
        if response.status != 200:
            raise SystemExit(f"a prediction got status {response.status}")
    connection.close()
    return found


def report(starts: list[Start]) -> None:
    rows = {
        "until live": ([start.live_ms for start in starts], "ms"),
        "until ready": ([start.ready_ms for start in starts], "ms"),
        "CPU time until ready": ([start.cpu_ms for start in starts], "ms"),
        "first request": ([start.first_ms for start in starts], "ms"),
        "warm request": ([start.warm_ms for start in starts], "ms"),
        "first / warm": ([start.first_to_warm for start in starts], "times"),
    }
    print(f"{len(starts)} starts on {len(os.sched_getaffinity(0))} cores       median    least     most")
    for name, (values, unit) in rows.items():
        print(f"{name:28}{median(values):9.1f}{min(values):9.1f}{max(values):9.1f} {unit}")


def broken_bounds(starts: list[Start]) -> list[str]:
    broken = []
    ready = median(start.ready_ms for start in starts) / 1000
    ratio = median(start.first_to_warm for start in starts)
    if ready >= LONGEST_START:
        broken.append(f"it is ready after {ready:.2f} s, not in less than {LONGEST_START:.0f}")
    if ratio > MOST_FIRST_TO_WARM:
        broken.append(f"the first request takes {ratio:.2f} times a warm one, not {MOST_FIRST_TO_WARM:.0f}")
    return broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=7, help="how many starts count")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        starts = [start_once(Path(folder)) for _ in range(1 + arguments.starts)][1:]
    report(starts)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(start) for start in starts], indent=2) + "\n")
    if broken := broken_bounds(starts):
        raise SystemExit("\n" + "\n".join(broken))


if __name__ == "__main__":
    main()
