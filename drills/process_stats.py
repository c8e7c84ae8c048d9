"""Memory, open files and threads of a process."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import psutil

_MEGABYTE = 2**20


@dataclass(frozen=True)
class ProcessStats:
    """A process at one moment. Memory is in megabytes."""

    seconds: float
    resident: float
    anonymous: float
    """Resident memory without mapped files."""
    peak: float
    """The most resident memory since the start or the last ``reset_peak``."""
    files: int
    threads: int


def process_stats(pid: int, seconds: float = 0.0) -> ProcessStats:
    process = psutil.Process(pid)
    with process.oneshot():
        memory = process.memory_info()
        return ProcessStats(
            seconds,
            memory.rss / _MEGABYTE,
            (memory.rss - memory.shared) / _MEGABYTE,
            _peak(pid),
            process.num_fds(),
            process.num_threads(),
        )


def reset_peak(pid: int) -> None:
    """Makes ``ProcessStats.peak`` start again from what is resident."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _peak(pid: int) -> float:
    # psutil does not know it.
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found is not None
    return int(found[1]) / 1024
