"""Server processes: started, waited for, put to sleep while another is measured, weighed, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")
_POLL = 0.002
_SAMPLING = 0.1


class ServerDied(Exception):
    """A server ended, or did not answer in time; the message holds the end of what it wrote."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes of a process tree: resident in all its processes, and with shared pages counted once."""

    resident: float
    proportional: float


class Server:
    """A server's process tree on one port."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, *, prefix: Sequence[str] = ()
    ) -> None:
        """``prefix`` is a command that runs ``command`` in its own place, held back in some way."""
        self._log = log
        self._output = log.open("wb")
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            [*prefix, *command],
            env={**clean_environment(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_ready(self, port: int, path: str, timeout: float = 90) -> float:
        """Waits for status 200 at ``path``; the seconds since the start of the process."""
        while not _answers(port, path):
            if self._process.poll() is not None:
                raise ServerDied(f"The server ended with status {self._process.returncode}.\n{self._tail()}")
            if time.perf_counter() - self._started > timeout:
                raise ServerDied(f"The server was not ready after {timeout:.0f} s.\n{self._tail()}")
            time.sleep(_POLL)
        return time.perf_counter() - self._started

    @property
    def tree(self) -> list[int]:
        """The process and all that descend from it, parents first."""
        return _descendants(self._process.pid)

    def sleep(self) -> None:
        """Stops the whole tree, so that it costs the others nothing."""
        for pid in self.tree:
            _signal(pid, signal.SIGSTOP)

    def wake(self) -> None:
        for pid in reversed(self.tree):
            _signal(pid, signal.SIGCONT)

    def cpu_seconds(self) -> float:
        """CPU time of the tree so far, its ended children included."""
        return sum(_cpu_seconds(pid) for pid in self.tree)

    def memory(self) -> Memory:
        tree = self.tree
        return Memory(sum(map(_resident, tree)) / 1e6, sum(map(_proportional, tree)) / 1e6)

    def stop(self) -> None:
        self.wake()
        tree = self.tree
        _signal(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(8)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in tree[1:]:
            _signal(pid, signal.SIGKILL)
        self._output.close()

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


class MemoryWatch:
    """The most memory that a server's tree is seen to hold while the ``with`` block runs, in megabytes resident."""

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
        tree = self._server.tree
        while not self._done.wait(_SAMPLING):
            self.peak = max(self.peak, sum(map(_resident, tree)) / 1e6)


def busy_seconds() -> float:
    """CPU time that all processes of the machine, and its neighbours, have taken. Interrupts are nobody's."""
    user, nice, system, _, _, _, _, stolen = map(int, _read(_PROC / "stat").split()[1:9])
    return (user + nice + system + stolen) / _TICKS


def clean_environment() -> dict[str, str]:
    """This process's environment, without what would make every start compile its modules anew."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Hold:
    """What holds a process back to some cores: the command to start it with, and how that is called."""

    prefix: tuple[str, ...]
    how: str


@contextlib.contextmanager
def quota(cores: float) -> Iterator[Hold]:
    """A control group with a CPU quota; where none can be made, an affinity, which knows whole cores only.

    Raises PermissionError when neither can do it.
    """
    version_two = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    group = Path("/sys/fs/cgroup" if version_two else "/sys/fs/cgroup/cpu") / f"visage-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        if cores != int(cores):
            raise PermissionError(
                "No control group can be made here, and an affinity knows whole cores only."
            ) from None
        yield Hold(("taskset", "--cpu-list", f"0-{int(cores) - 1}"), "affinity")
        return
    try:
        if version_two:
            (group / "cpu.max").write_text(f"{int(cores * 100_000)} 100000")
        else:
            (group / "cpu.cfs_quota_us").write_text(str(int(cores * 100_000)))
        join = 'echo $$ > "$0" && exec "$@"'
        yield Hold(("sh", "-c", join, str(group / "cgroup.procs")), "quota of a control group")
    finally:
        _empty(group)
        group.rmdir()


def _empty(group: Path) -> None:
    """Waits until no process is left in a group, which cannot be removed before."""
    until = time.monotonic() + 10
    while (group / "cgroup.procs").read_text() and time.monotonic() < until:
        time.sleep(_POLL)


def _answers(port: int, path: str) -> bool:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(request)
            return connection.recv(64).split(b" ", 2)[1:2] == [b"200"]
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _descendants(root: int) -> list[int]:
    tree = [root]
    for pid in tree:
        for task in _list(_PROC / str(pid) / "task"):
            tree += [int(child) for child in _read(task / "children").split()]
    return tree


def _list(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _cpu_seconds(pid: int) -> float:
    fields = _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS if fields else 0.0


def _resident(pid: int) -> int:
    fields = _read(_PROC / str(pid) / "statm").split()
    return int(fields[1]) * _PAGE if fields else 0


def _proportional(pid: int) -> int:
    for line in _read(_PROC / str(pid) / "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
