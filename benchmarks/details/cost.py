"""What details cost: CPU time of the server a request, as a ratio to the same request without them, in turns."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.pictures import make_pictures
from benchmarks.processes import Server, free_port

DETAILS: Final = "action_units,head_pose,description"
MOST_MEMORY_MB: Final = 35
_REQUESTS, _WARM_UP = 25, 10


@dataclass(frozen=True, slots=True)
class Row:
    """A picture, its query without details, and the most that they may cost."""

    name: str
    picture: str
    query: str
    floor: float
    goal: float


ROWS: Final = (
    Row("one face, 640×480", "640x480", "", 1.9, 1.5),
    Row("six faces", "group", "faces=all", 1.7, 1.7),
)


def measure(rounds: int) -> bool:
    """Prints the ratios and the memory; returns whether each keeps its floor."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = {name: path.read_bytes() for name, path in make_pictures(Path(folder)).items()}
        port = free_port()
        environment = {"PORT": str(port), "HOST": "127.0.0.1", "WORKERS": "1", "RATE_LIMIT": "off"}
        server = Server([sys.executable, "-m", "app"], environment, Path(folder) / "log")
        try:
            server.wait_ready(port, "/health/ready")
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
                return _measure(server, client, pictures, rounds)
        finally:
            server.stop()


def _measure(server: Server, client: httpx.Client, pictures: Mapping[str, bytes], rounds: int) -> bool:
    kept = []
    for row in ROWS:
        _cpu(server, client, pictures[row.picture], row.query, _WARM_UP)
    before = server.memory().resident
    for row in ROWS:
        _cpu(server, client, pictures[row.picture], _detailed(row.query), _WARM_UP)
    for row in ROWS:
        data = pictures[row.picture]
        ratios = []
        for _ in range(rounds):
            plain = _cpu(server, client, data, row.query, _REQUESTS)
            ratios.append(_cpu(server, client, data, _detailed(row.query), _REQUESTS) / plain)
        median = statistics.median(ratios)
        kept.append(median <= row.floor)
        print(f"{row.name}: {_spread(ratios)} times a plain request (floor {row.floor}, goal {row.goal})")
    memory = server.memory().resident - before
    print(f"memory once loaded: {memory:.0f} MB more (floor {MOST_MEMORY_MB})")
    return all(kept) and memory <= MOST_MEMORY_MB


def _detailed(query: str) -> str:
    return "&".join(filter(None, [query, f"details={DETAILS}"]))


def _cpu(server: Server, client: httpx.Client, data: bytes, query: str, count: int) -> float:
    """CPU seconds of the server for so many requests."""
    started = server.cpu_seconds()
    for _ in range(count):
        response = client.post(f"/predict?{query}", files={"file": ("a.jpg", data, "image/jpeg")})
        response.raise_for_status()
    return server.cpu_seconds() - started


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
