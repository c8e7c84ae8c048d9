"""Who is measured: how each is started, and where it answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.load.closed import Measured
from benchmarks.plan import Work
from benchmarks.processes import Server

_PYTHON = sys.executable

SERVICE_ENVIRONMENT: Mapping[str, str] = {
    "HOST": "127.0.0.1",
    "RATE_LIMIT": "off",
    # At 256 connections all wait in the queue, which by default holds fewer and turns the rest away.
    "QUEUE_SIZE": "512",
    "QUEUE_TIMEOUT_SECONDS": "30",
    "DRAIN_SECONDS": "0",
    "ORT_DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server under load. ``command`` may hold ``{port}``; ``reads_like_us`` says that it runs our pipeline."""

    name: str
    title: str
    command: tuple[str, ...]
    ready: str
    environment: Mapping[str, str] = field(default_factory=dict)
    reads_like_us: bool = True
    prefix: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """Files that contestants need."""

    build: Path
    models: Path
    plain_model: Path
    twin_models: Path


def contestants(places: Places, workers: int) -> dict[str, Contestant]:
    """All contestants but the limit, by name."""
    ours = (_PYTHON, "-m", "app")
    own = {**SERVICE_ENVIRONMENT, "MODELS_DIR": str(places.models), "PORT": "{port}", "WORKERS": str(workers)}
    twin = {**own, "MODELS_DIR": str(places.twin_models), "DEFAULT_MODEL": "resnet18"}
    plain = {"MODELS_DIR": str(places.models), "PLAIN_MODEL": str(places.plain_model), "ORT_DISABLE_TELEMETRY": "1"}
    litserve = (_PYTHON, "-m", "benchmarks.servers.litserve_app")
    bentoml = (_PYTHON, "-m", "bentoml", "serve", "benchmarks.servers.bentoml_app:Expressions")
    uvicorn = (_PYTHON, "-m", "uvicorn", "benchmarks.servers.plain_app:app", "--log-level", "warning")
    quiet = {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(places.build / "bentoml")}
    everyone = (
        Contestant("visage", "Visage", ours, "/health/ready", own),
        Contestant("visage-1-worker", "Visage, one worker", ours, "/health/ready", {**own, "WORKERS": "1"}),
        Contestant(
            "visage-1-core",
            "Visage, one worker on one core",
            ours,
            "/health/ready",
            {**own, "WORKERS": "1"},
            prefix=("taskset", "--cpu-list", "0"),
        ),
        Contestant("visage-onnx", "Visage, ONNX detector", ours, "/health/ready", {**own, "FACE_DETECTOR": "onnx"}),
        Contestant("litserve", "LitServe", litserve, "/health", own),
        Contestant(
            "bentoml",
            "BentoML",
            (*bentoml, "--host", "127.0.0.1", "--port", "{port}"),
            "/readyz",
            {**own, **quiet},
        ),
        Contestant(
            "plain",
            "The plain way",
            (*uvicorn, "--host", "127.0.0.1", "--port", "{port}", "--no-access-log"),
            "/health",
            plain,
            reads_like_us=False,
        ),
        Contestant("twin", "ResNet18 int8 in Visage", ours, "/health/ready", twin, reads_like_us=False),
    )
    return {contestant.name: contestant for contestant in everyone}


class Running:
    """A contestant that has been started and is asleep unless it is its turn."""

    def __init__(self, contestant: Contestant, logs: Path, *, prefix: Sequence[str] = (), tag: str = "") -> None:
        self.contestant = contestant
        self.port = processes.free_port()
        logs.mkdir(parents=True, exist_ok=True)
        self.server = Server(
            [part.format(port=self.port) for part in contestant.command],
            {name: value.format(port=self.port) for name, value in contestant.environment.items()},
            logs / f"{contestant.name}{tag}.log",
            prefix=prefix or contestant.prefix,
        )
        try:
            self.cold_start = self.server.wait_ready(self.port, contestant.ready)
        except BaseException:
            self.server.stop()
            raise

    def stop(self) -> None:
        self.server.stop()


class Limit:
    """The pipeline in a bare loop, in a process that waits for orders between its turns."""

    def __init__(self, threads: int, models: Path, log: Path) -> None:
        environment = {**processes.clean_environment(), **SERVICE_ENVIRONMENT, "MODELS_DIR": str(models)}
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [_PYTHON, "-m", "benchmarks.servers.bare_loop", str(threads)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._heard()

    def label(self, work: Work, picture: Path) -> str:
        """What the pipeline says of a picture."""
        answer: str = self._ask({"picture": str(picture), "faces": work.faces})["label"]
        return answer

    def run(self, work: Work, picture: Path, threads: int, seconds: float, expected: str) -> dict[str, Any]:
        order = {"picture": str(picture), "faces": work.faces, "threads": threads, "seconds": seconds}
        return self._ask({**order, "expected": expected})

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        # MediaPipe prints to the same stream.
        for line in self._process.stdout:
            if line.startswith("{"):
                heard: dict[str, Any] = json.loads(line)
                return heard
        raise processes.ServerDied(f"The bare loop ended.\n{self._log.read_text(errors='replace')[-2000:]}")


def bare(said: dict[str, Any]) -> Measured:
    """What the limit said of a turn, in the words of a load generator that costs nothing."""
    return Measured(
        requests=said["requests"],
        throughput=said["requests"] / said["seconds"],
        wrong=said["wrong"],
        p50=said["p50"],
        p95=said["p95"],
        p99=said["p99"],
        longest=said["longest"],
        generator_cpu=0.0,
    )
