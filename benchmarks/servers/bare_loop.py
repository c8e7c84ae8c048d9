"""The limit: the pipeline in a loop on worker threads, without HTTP. Controlled by lines of JSON.

Takes ``{"picture": path, "faces": mode, "threads": n, "seconds": s, "expected": label or error}`` and prints one
line; without ``expected`` it prints the label alone.
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
from benchmarks.servers.bare_pipeline import BarePipeline


class Runner(threading.Thread):
    """A worker thread that repeats one picture until the time is over. ``core`` is where its pipeline was built."""

    def __init__(
        self,
        pipeline: BarePipeline,
        data: bytes,
        options: DetectOptions,
        expected: str,
        until: float,
        *,
        core: int | None,
    ) -> None:
        super().__init__()
        self._core = core
        self.latencies: list[float] = []
        self.stages: dict[str, list[float]] = defaultdict(list)
        self.wrong = 0
        self._work = (pipeline, data, options, expected)
        self._until = until

    def run(self) -> None:
        pipeline, data, options, expected = self._work
        if self._core is not None:
            pin_thread(self._core)
        finished = time.perf_counter()
        while not self.latencies or finished < self._until:
            started = finished
            try:
                detected, prediction = pipeline.predict(data, options)
            except VisageError as error:
                self.wrong += error.code != expected
            else:
                probabilities = prediction.faces[0].probabilities
                labels = prediction.model.manifest.labels
                self.wrong += labels[probabilities.index(max(probabilities))] != expected
                for name, milliseconds in detected.timings.stages.items():
                    self.stages[name].append(milliseconds)
            finished = time.perf_counter()
            self.latencies.append((finished - started) * 1000)


def measure(pipelines: list[tuple[BarePipeline, int | None]], data: bytes, asked: dict[str, Any]) -> dict[str, Any]:
    options = DetectOptions(faces=asked["faces"])
    started, cpu = time.perf_counter(), time.process_time()
    runners = [
        Runner(pipeline, data, options, asked["expected"], started + asked["seconds"], core=core)
        for pipeline, core in pipelines[: asked["threads"]]
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


def label(pipeline: BarePipeline, data: bytes, faces: str) -> str:
    """What the pipeline says of a picture: its label, or the code of its error."""
    try:
        return pipeline.label(data, DetectOptions(faces=faces))  # type: ignore[arg-type]
    except VisageError as error:
        return error.code


def _pipelines(count: int) -> list[tuple[BarePipeline, int | None]]:
    """One for each thread, built on the core that the service would pin the thread to, if any."""
    cores = worker_cores(count)
    if not cores:
        return [(BarePipeline(), None) for _ in range(count)]
    pipelines: list[tuple[BarePipeline, int | None]] = []
    for core in cores:
        pin_thread(core)
        pipelines.append((BarePipeline(), core))
    os.sched_setaffinity(0, cores)
    return pipelines


def main() -> None:
    pipelines = _pipelines(int(sys.argv[1]))
    gc.collect()
    gc.freeze()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        data = Path(asked["picture"]).read_bytes()
        if "expected" in asked:
            print(json.dumps(measure(pipelines, data, asked)), flush=True)
        else:
            print(json.dumps({"label": label(pipelines[0][0], data, asked["faces"])}), flush=True)


if __name__ == "__main__":
    main()
