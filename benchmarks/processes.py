"""Server processes: start, wait until ready, suspend while another is measured, measure, stop."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

_POLL = 0.002
_SAMPLING = 0.1


class ServerDied(Exception):
    """A server ended, or was not ready in time. The message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes of a process tree: the sum of resident memory, and with shared pages counted once."""

    resident: float
    proportional: float


class Server:
    """A server and its child processes."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        prefix: Sequence[str] = (),
        folder: Path | None = None,
    ) -> None:
        """``prefix`` is a command that starts ``command`` with fewer cores, such as ``taskset``; ``folder`` is where it
        runs."""
        self._log = log
        self._output = log.open("wb")
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            [*prefix, *command],
            env={**clean_environment(), **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_ready(self, port: int, path: str, timeout: float = 90) -> float:
        """Waits for status 200 at ``path``. Returns the seconds since the start of the process."""
        while not _responds(port, path):
            if self._process.poll() is not None:
                raise ServerDied(f"The server ended with status {self._process.returncode}.\n{self._tail()}")
            if time.perf_counter() - self._started > timeout:
                raise ServerDied(f"The server was not ready after {timeout:.0f} s.\n{self._tail()}")
            time.sleep(_POLL)
        return time.perf_counter() - self._started

    @property
    def processes(self) -> list[psutil.Process]:
        """The process and all its descendants, parents first; none once it has ended."""
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def suspend(self) -> None:
        """Stops all processes, so that they take no CPU from the others."""
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def resume(self) -> None:
        for process in reversed(self.processes):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def cpu_seconds(self) -> float:
        """CPU time of all processes so far, including children that have ended."""
        return _total(self.processes, lambda process: sum(process.cpu_times()[:4]))

    def precise_cpu_seconds(self) -> float:
        """CPU time of the threads that run now, in nanoseconds' precision; Linux only."""
        return _total(self.processes, lambda process: sum(map(_thread_seconds, _threads(process))))

    def memory(self) -> Memory:
        tree = self.processes
        return Memory(_resident(tree) / 1e6, _total(tree, lambda process: process.memory_full_info().pss) / 1e6)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self, patience: float = 8) -> None:
        """Sends SIGTERM, and SIGKILL to what has not ended after ``patience`` seconds."""
        self.resume()
        children = self.processes[1:]
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        self._output.close()

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


class MemoryWatch:
    """The peak of a server's resident memory while the ``with`` block runs, in megabytes."""

    def __init__(self, server: Server) -> None:
        self.peak = 0.0
        self._server = server
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        tree = self._server.processes
        while not self._done.wait(_SAMPLING):
            self.peak = max(self.peak, _resident(tree) / 1e6)


def _threads(process: psutil.Process) -> list[Path]:
    return list(Path(f"/proc/{process.pid}/task").iterdir())


def _thread_seconds(thread: Path) -> float:
    try:
        return int((thread / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0


def busy_seconds() -> float:
    """CPU time of all processes and of other virtual machines, without interrupts."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + getattr(times, "steal", 0.0))


def clean_environment() -> dict[str, str]:
    """This process's environment, without the variable that makes every start compile all modules."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class CoreLimit:
    """A limit on the cores of a process: the command to start it with, and what limits it."""

    prefix: tuple[str, ...]
    how: str


@contextlib.contextmanager
def quota(cores: float) -> Iterator[CoreLimit]:
    """A control group with a CPU quota; without the right to create one, an affinity to whole cores.

    Raises PermissionError if neither is possible.
    """
    version_two = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    group = Path("/sys/fs/cgroup" if version_two else "/sys/fs/cgroup/cpu") / f"visage-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        if cores != int(cores):
            raise PermissionError(
                "No control group can be created here, and an affinity takes whole cores only."
            ) from None
        yield CoreLimit(("taskset", "--cpu-list", f"0-{int(cores) - 1}"), "affinity")
        return
    try:
        if version_two:
            (group / "cpu.max").write_text(f"{int(cores * 100_000)} 100000")
        else:
            (group / "cpu.cfs_quota_us").write_text(str(int(cores * 100_000)))
        join = 'echo $$ > "$0" && exec "$@"'
        yield CoreLimit(("sh", "-c", join, str(group / "cgroup.procs")), "quota of a control group")
    finally:
        _empty(group)
        group.rmdir()


def _empty(group: Path) -> None:
    """Waits until no process is left in a group; it cannot be removed before."""
    until = time.monotonic() + 10
    while (group / "cgroup.procs").read_text() and time.monotonic() < until:
        time.sleep(_POLL)


def _responds(port: int, path: str) -> bool:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(request)
            return connection.recv(64).split(b" ", 2)[1:2] == [b"200"]
    except OSError:
        return False


def _total(processes: Iterable[psutil.Process], measure: Callable[[psutil.Process], float]) -> float:
    """Sums a figure over processes. Those that have ended count as 0."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += measure(process)
    return total


def _resident(processes: Iterable[psutil.Process]) -> float:
    return _total(processes, lambda process: process.memory_info().rss)
