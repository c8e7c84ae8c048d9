"""The limit: the pipeline in a bare loop on worker threads, with no HTTP. Told what to do by lines of JSON.

Takes ``{"picture": path, "faces": mode, "threads": n, "seconds": s, "expected": label or error}`` and answers with one
line; without ``expected`` it answers with the label alone.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import VisageError
from app.pipeline import DetectOptions
from app.system import pin_thread, worker_cores
from benchmarks.servers.road import Road


class Runner(threading.Thread):
    """One worker thread, which reads the same picture until the time is over. ``core`` is where its road was built."""

    def __init__(
        self, road: Road, data: bytes, look: DetectOptions, expected: str, until: float, *, core: int | None
    ) -> None:
        super().__init__()
        self._core = core
        self.latencies: list[float] = []
        self.stages: dict[str, list[float]] = defaultdict(list)
        self.wrong = 0
        self._work = (road, data, look, expected)
        self._until = until

    def run(self) -> None:
        road, data, look, expected = self._work
        if self._core is not None:
            pin_thread(self._core)
        finished = time.perf_counter()
        while not self.latencies or finished < self._until:
            started = finished
            try:
                detected, reading = road.read(data, look)
            except VisageError as error:
                self.wrong += error.code != expected
            else:
                probabilities = reading.faces[0].probabilities
                labels = reading.model.manifest.labels
                self.wrong += labels[probabilities.index(max(probabilities))] != expected
                for name, milliseconds in detected.timings.stages.items():
                    self.stages[name].append(milliseconds)
            finished = time.perf_counter()
            self.latencies.append((finished - started) * 1000)


def measure(roads: list[tuple[Road, int | None]], data: bytes, asked: dict[str, Any]) -> dict[str, Any]:
    look = DetectOptions(faces=asked["faces"])
    started, cpu = time.perf_counter(), time.process_time()
    runners = [
        Runner(road, data, look, asked["expected"], started + asked["seconds"], core=core)
        for road, core in roads[: asked["threads"]]
    ]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    seconds = time.perf_counter() - started
    latencies = [latency for runner in runners for latency in runner.latencies]
    stages = {
        name: float(np.median([value for runner in runners for value in runner.stages[name]]))
        for name in runners[0].stages
    }
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99))
    return {
        "requests": len(latencies),
        "seconds": seconds,
        "wrong": sum(runner.wrong for runner in runners),
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "longest": max(latencies),
        "cpu": time.process_time() - cpu,
        "stages": stages,
    }


def label(road: Road, data: bytes, faces: str) -> str:
    """What the pipeline says of a picture: its label, or the code of its error."""
    try:
        return road.label(data, DetectOptions(faces=faces))  # type: ignore[arg-type]
    except VisageError as error:
        return error.code


def _roads(count: int) -> list[tuple[Road, int | None]]:
    """One for each thread, built on the core that it stays on where the service would keep it to one."""
    cores = worker_cores(count)
    if not cores:
        return [(Road(), None) for _ in range(count)]
    roads: list[tuple[Road, int | None]] = []
    for core in cores:
        pin_thread(core)
        roads.append((Road(), core))
    os.sched_setaffinity(0, cores)
    return roads


def main() -> None:
    roads = _roads(int(sys.argv[1]))
    gc.collect()
    gc.freeze()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        data = Path(asked["picture"]).read_bytes()
        if "expected" in asked:
            print(json.dumps(measure(roads, data, asked)), flush=True)
        else:
            print(json.dumps({"label": label(roads[0][0], data, asked["faces"])}), flush=True)


if __name__ == "__main__":
    main()
