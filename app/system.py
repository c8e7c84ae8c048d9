"""The machine: its CPU cores and memory, where threads run and how urgently, and the C allocator."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

_ROOT = Path("/")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MAPPED_FROM: Final = 8 * 1024 * 1024
_KEPT_FREE: Final = 16 * 1024 * 1024
"""Bytes that each thread's heap keeps for its next picture. Returning them and getting zeroed pages again cost every
request half a millisecond."""
_UNKNOWN_MEMORY: Final = 1 << 30
"""Bytes that a machine is taken to have when the system does not say."""
_MEMORY_A_WORKER: Final = 128 * 1024 * 1024
"""Bytes of the limit for each worker. Its networks take 35 MB, a photo of a phone 60, and the process 160 at rest."""
_NICENESS: Final = 5
"""How much lower the priority of a worker is than that of the event loop, which answers probes and refuses requests."""


def usable_cores(root: Path = _ROOT) -> int:
    """The CPU cores that this process may use, at least 1. ``root`` is the root of the file system, for tests."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(root)
    return allowed if quota is None else max(1, min(allowed, round(quota)))


def usable_workers(memory: int) -> int:
    """The workers that the cores keep busy and that fit into so many bytes, at least 1."""
    return max(1, min(usable_cores(), memory // _MEMORY_A_WORKER))


def memory_limit(root: Path = _ROOT) -> int:
    """Bytes of memory that this process may use: the strictest cgroup's limit, or what the machine has."""
    groups = _groups(root)
    files = [folder / "memory.max" for folder in _upwards(root / "sys/fs/cgroup", groups.get("", "/"))]
    version_1 = _upwards(root / "sys/fs/cgroup/memory", groups.get("memory", "/"))
    files += [folder / "memory.limit_in_bytes" for folder in version_1]
    limits = [int(text) for text in map(_read, files) if text.strip().isdecimal()]
    with contextlib.suppress(AttributeError, ValueError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits, default=_UNKNOWN_MEMORY)


def resident_memory() -> int:
    """Bytes of memory that this process holds; 0 where the system does not say."""
    fields = _read(Path("/proc/self/statm")).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def worker_cores(workers: int) -> tuple[int, ...]:
    """One core for each of several workers if there are exactly as many cores; otherwise none.

    A worker and the event loop pass each request back and forth, and the kernel is slow to move a waiting thread
    to a core that idles for half a millisecond. With more cores than workers, threads find a free core anyway.
    """
    if workers < 2 or not hasattr(os, "sched_getaffinity"):
        return ()
    cores = sorted(os.sched_getaffinity(0))
    return tuple(cores) if len(cores) == workers else ()


def pin_thread(core: int) -> None:
    """Keeps this thread, and threads that it starts later, on one core. Does nothing where a sandbox forbids it."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(threading.get_native_id(), {core})


def lower_priority() -> None:
    """Lowers the priority of this thread, and of threads that it starts later. Does nothing where a sandbox forbids it.

    Linux only: elsewhere a priority belongs to the whole process.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS)


def _quota(root: Path) -> float | None:
    """Cores that the strictest cgroup above this process allows; None without a quota."""
    groups = _groups(root)
    version_2 = (
        _ratio(*_read(folder / "cpu.max").partition(" ")[::2])
        for folder in _upwards(root / "sys/fs/cgroup", groups.get("", "/"))
    )
    version_1 = (
        _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))
        for folder in _upwards(root / "sys/fs/cgroup/cpu", groups.get("cpu", "/"))
    )
    return min((quota for quota in (*version_2, *version_1) if quota is not None), default=None)


def _groups(root: Path) -> dict[str, str]:
    """This process's cgroup path by controller. The name of version 2's only one is empty."""
    groups: dict[str, str] = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            groups[controller] = path
    return groups


def _upwards(mount: Path, path: str) -> list[Path]:
    """The folder of a cgroup and of each of its parents, up to the mount."""
    folder = mount / path.lstrip("/")
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(mount))]


def _ratio(quota: str, period: str) -> float | None:
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def configure_allocator() -> None:
    """Makes the C library return the memory of a large picture at once, instead of keeping it."""
    if mallopt := _function("mallopt"):
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE)


def trim_memory() -> None:
    """Returns free pages to the system, which the heap does not do by itself. It takes a millisecond."""
    if malloc_trim := _function("malloc_trim"):
        malloc_trim(0)


def _function(name: str) -> Callable[..., int] | None:
    """A function of glibc, or None where that is not the C library."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
