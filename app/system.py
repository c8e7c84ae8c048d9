"""The machine: usable CPU cores, pinning threads to them, and the C allocator."""

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
"""What each thread's heap may keep for its next picture: to hand the pages back and have them filled with zeros again
took every request half a millisecond, and a fifth of the throughput."""


def usable_cores(root: Path = _ROOT) -> int:
    """At least 1. ``root`` is where the file system starts, so that a test can bring its own."""
    allowed = _allowed()
    quota = _quota(root)
    return allowed if quota is None else max(1, min(allowed, round(quota)))


def worker_cores(workers: int) -> tuple[int, ...]:
    """A core for each of several workers, where there is exactly one for each; else none.

    A road hands its picture back and forth between a worker and MediaPipe's threads, and the kernel is slow to fetch
    what waits on one core over to another that idles for half a millisecond. With more cores than workers there is
    room to move, and the cores may be others' too.
    """
    if workers < 2 or not hasattr(os, "sched_getaffinity"):
        return ()
    cores = sorted(os.sched_getaffinity(0))
    return tuple(cores) if len(cores) == workers else ()


def pin_thread(core: int) -> None:
    """Keeps this thread, and those that it starts from then on, to one core. A sandbox may forbid it."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(threading.get_native_id(), {core})


def _allowed() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(root: Path) -> float | None:
    """Cores that the tightest cgroup above this process grants; None without a quota."""
    groups = _groups(root)
    quotas = [
        quota
        for folder in _upwards(root / "sys/fs/cgroup", groups.get("", "/"))
        if (quota := _v2(folder / "cpu.max")) is not None
    ]
    if not quotas:
        quotas = [
            quota
            for folder in _upwards(root / "sys/fs/cgroup/cpu", groups.get("cpu", "/"))
            if (quota := _v1(folder)) is not None
        ]
    return min(quotas, default=None)


def _groups(root: Path) -> dict[str, str]:
    """This process's cgroup path by controller; version 2 has no name."""
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


def _v2(file: Path) -> float | None:
    quota, _, period = _read(file).partition(" ")
    return _ratio(quota, period)


def _v1(folder: Path) -> float | None:
    return _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


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
    """Has the C library return what a large picture took as soon as it is let go, instead of keeping it."""
    if mallopt := _function("mallopt"):
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE)


def trim_memory() -> None:
    """Returns the free pages between what is held, which no heap lets go of by itself. It takes a millisecond."""
    if malloc_trim := _function("malloc_trim"):
        malloc_trim(0)


def _function(name: str) -> Callable[..., int] | None:
    """A function of glibc, where that is the C library."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
