"""How many workers a container gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app import system
from app.system import pin_thread, usable_cores, usable_workers, worker_cores


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    return tmp_path


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("200000 100000", 2), ("50000 100000", 1), ("150000 100000", 2), ("max 100000", 8), ("9900000 100000", 8)],
)
def test_version_two_quota(root: Path, quota: str, cores: int) -> None:
    write(root, {"sys/fs/cgroup/cpu.max": quota, "proc/self/cgroup": "0::/\n"})
    assert usable_cores(root) == cores


def test_the_tightest_group_on_the_way_up_counts(root: Path) -> None:
    write(
        root,
        {
            "proc/self/cgroup": "0::/pod/container\n",
            "sys/fs/cgroup/pod/cpu.max": "300000 100000",
            "sys/fs/cgroup/pod/container/cpu.max": "max 100000",
        },
    )
    assert usable_cores(root) == 3


def test_version_one_quota(root: Path) -> None:
    write(
        root,
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/docker/x\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
    )
    assert usable_cores(root) == 4


def test_version_one_without_a_quota(root: Path) -> None:
    write(root, {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"})
    assert usable_cores(root) == 8


def test_without_any_cgroup_the_affinity_counts(root: Path) -> None:
    assert usable_cores(root) == 8


@pytest.mark.parametrize(("workers", "cores"), [(1, ()), (2, ()), (7, ()), (8, tuple(range(8))), (9, ())])
def test_workers_have_cores_of_their_own_where_there_is_one_for_each(
    root: Path, workers: int, cores: tuple[int, ...]
) -> None:
    assert worker_cores(workers) == cores


def test_where_the_system_does_not_say_which_cores_nobody_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert worker_cores(2) == ()


def test_a_sandbox_that_forbids_it_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(thread: int, cores: set[int]) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden, raising=False)
    pin_thread(0)


@pytest.mark.parametrize(("cores", "megabytes", "workers"), [(2, 512, 2), (16, 512, 4), (16, 24_000, 16), (4, 100, 1)])
def test_there_are_no_more_workers_than_the_memory_holds(
    monkeypatch: pytest.MonkeyPatch, cores: int, megabytes: int, workers: int
) -> None:
    monkeypatch.setattr(system, "usable_cores", lambda: cores)
    assert usable_workers(megabytes * 1024 * 1024) == workers
