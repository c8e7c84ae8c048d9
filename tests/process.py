"""A real server for tests and drills: ``python -m app`` on a free port of the loopback interface."""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from app.config import Settings

ROOT = Path(__file__).parents[1]
TIMEOUT = 60.0


# Below those that systems give to connections, so that none takes a port before the server listens. Each process has a
# place of its own to begin at, so that two runs of tests hardly meet.
_PORTS = range(20_000, 32_000)
_places = itertools.count(random.SystemRandom().randrange(len(_PORTS)))


def free_port() -> int:
    while True:
        port = _PORTS[next(_places) % len(_PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@dataclass
class ServerProcess:
    """One server. ``wrap`` is put before its command line, for strace and the like; ``module`` is what Python runs."""

    settings: Mapping[str, object] = field(default_factory=dict)
    wrap: Sequence[str] = ()
    module: Sequence[str] = ("app",)
    stdout: int | None = None
    """A file for the log, if not one that ``log`` reads."""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    _log: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        """Everything that it has written so far."""
        self._log.seek(0)
        return self._log.read().decode()

    def start(self) -> Self:
        """Starts the process, without waiting until it is ready."""
        inherited = {k: v for k, v in os.environ.items() if k.lower() not in Settings.model_fields}
        chosen = {"HOST": "127.0.0.1", "PORT": self.port, "RATE_LIMIT": "off", **self.settings}
        self.process = subprocess.Popen(
            [*self.wrap, sys.executable, "-m", *self.module],
            cwd=ROOT,
            env={**inherited, **{name: str(value) for name, value in chosen.items()}},
            stdout=self._log if self.stdout is None else self.stdout,
            stderr=self._log,
        )
        return self

    def wait_ready(self, timeout: float = TIMEOUT) -> float:
        """Waits until it is ready. Returns the seconds that it took."""
        started = time.monotonic()
        while time.monotonic() < started + timeout:
            assert self.process is not None
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log}"
            if self._responds("/health/ready"):
                return time.monotonic() - started
            time.sleep(0.02)
        raise AssertionError(f"the server was not ready after {timeout:.0f} s:\n{self.log}")

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Waits until it ends. Returns its exit status."""
        assert self.process is not None
        return self.process.wait(timeout)

    def stop(self) -> int:
        """Stops it as an orchestrator would: SIGTERM, then SIGKILL. Returns its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                return self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._log.close()

    def _responds(self, path: str) -> bool:
        try:
            return httpx.get(self.url + path, timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False
