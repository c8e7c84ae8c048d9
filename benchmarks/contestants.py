"""The servers that are measured: their commands, environments and ready paths."""

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

TITLES = {
    "limit": "Pipeline without HTTP",
    "visage": "Visage",
    "visage-1-worker": "Visage, one worker",
    "visage-1-core": "Visage, one worker, one core",
    "litserve": "LitServe",
    "bentoml": "BentoML",
    "plain": "Plain FastAPI",
    "resnet18": "Visage with ResNet18",
}

SERVICE_ENVIRONMENT: Mapping[str, str] = {
    "HOST": "127.0.0.1",
    "RATE_LIMIT": "off",
    # The default queue would refuse some of 256 connections, and of an open loop where the machine falls behind.
    "QUEUE_SIZE": "2048",
    "QUEUE_TIMEOUT_SECONDS": "30",
    "DRAIN_SECONDS": "0",
    "ORT_DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server to measure. ``command`` may contain ``{port}``. ``own_pipeline``: it runs the service's pipeline."""

    name: str
    command: tuple[str, ...]
    ready: str
    environment: Mapping[str, str] = field(default_factory=dict)
    own_pipeline: bool = True
    prefix: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Files:
    """Files that contestants need."""

    build: Path
    models: Path
    plain_model: Path
    resnet18_models: Path


def contestants(files: Files, workers: int) -> dict[str, Contestant]:
    """All contestants by name, except ``limit``."""
    ours = (_PYTHON, "-m", "app")
    own = {**SERVICE_ENVIRONMENT, "MODELS_DIR": str(files.models), "PORT": "{port}", "WORKERS": str(workers)}
    resnet18 = {**own, "MODELS_DIR": str(files.resnet18_models), "DEFAULT_MODEL": "resnet18"}
    plain = {"MODELS_DIR": str(files.models), "PLAIN_MODEL": str(files.plain_model), "ORT_DISABLE_TELEMETRY": "1"}
    litserve = (_PYTHON, "-m", "benchmarks.servers.litserve_app")
    bentoml = (_PYTHON, "-m", "bentoml", "serve", "benchmarks.servers.bentoml_app:Expressions")
    uvicorn = (_PYTHON, "-m", "uvicorn", "benchmarks.servers.plain_app:app", "--log-level", "warning")
    quiet = {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(files.build / "bentoml")}
    all_contestants = (
        Contestant("visage", ours, "/health/ready", own),
        Contestant("visage-1-worker", ours, "/health/ready", {**own, "WORKERS": "1"}),
        Contestant(
            "visage-1-core",
            ours,
            "/health/ready",
            {**own, "WORKERS": "1"},
            prefix=("taskset", "--cpu-list", "0"),
        ),
        Contestant("litserve", litserve, "/health", own),
        Contestant(
            "bentoml",
            (*bentoml, "--host", "127.0.0.1", "--port", "{port}"),
            "/readyz",
            {**own, **quiet},
        ),
        Contestant(
            "plain",
            (*uvicorn, "--host", "127.0.0.1", "--port", "{port}", "--no-access-log"),
            "/health",
            plain,
            own_pipeline=False,
        ),
        Contestant("resnet18", ours, "/health/ready", resnet18, own_pipeline=False),
    )
    return {contestant.name: contestant for contestant in all_contestants}


class Running:
    """A contestant that has been started. It is suspended except in its own turns."""

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
    """The pipeline in a loop, in a process that waits for a command between its turns."""

    def __init__(self, threads: int, models: Path, log: Path, *, folder: Path | None = None) -> None:
        """``folder`` is the tree whose pipeline runs; without it, this one."""
        environment = {**processes.clean_environment(), **SERVICE_ENVIRONMENT, "MODELS_DIR": str(models)}
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [_PYTHON, "-m", "benchmarks.servers.bare_loop", str(threads)],
                env=environment,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._receive()

    def label(self, work: Work, picture: Path) -> str:
        """The label of a picture, or the code of its error."""
        label: str = self._send({"picture": str(picture), "faces": work.faces})["label"]
        return label

    def run(self, work: Work, picture: Path, threads: int, seconds: float, expected: str) -> dict[str, Any]:
        command = {"picture": str(picture), "faces": work.faces, "threads": threads, "seconds": seconds}
        return self._send({**command, "expected": expected})

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _send(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        # A library may write to the same stream.
        for line in self._process.stdout:
            if line.startswith("{"):
                response: dict[str, Any] = json.loads(line)
                return response
        raise processes.ServerDied(f"The loop without HTTP ended.\n{self._log.read_text(errors='replace')[-2000:]}")


def measured(output: dict[str, Any]) -> Measured:
    """The output of ``Limit.run`` as the figures of a load generator that takes no CPU."""
    return Measured(
        requests=output["requests"],
        throughput=output["requests"] / output["seconds"],
        wrong=output["wrong"],
        p50=output["p50"],
        p95=output["p95"],
        p99=output["p99"],
        longest=output["longest"],
        generator_cpu=0.0,
    )
