"""The budget of memory that the workers share."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from app import memory_budget
from app.errors import ImageTooLarge, Timeout
from app.memory_budget import LARGEST, MemoryBudget
from app.system import memory_limit, resident_memory


def no_check() -> None:
    """Goes on waiting."""


def test_what_does_not_fit_waits_until_it_does() -> None:
    budget = MemoryBudget(100)
    order: list[str] = []

    def other() -> None:
        with budget.take(60, no_check):
            order.append("second")

    with budget.take(50, no_check):
        thread = threading.Thread(target=other)
        thread.start()
        with budget.take(50, no_check):
            time.sleep(0.05)
            order.append("first")
    thread.join(5)
    assert order == ["first", "second"]
    assert budget.used == 0


def test_who_waits_leaves_when_the_result_is_not_wanted() -> None:
    budget = MemoryBudget(100)

    def late() -> None:
        raise Timeout

    with budget.take(80, no_check):
        with pytest.raises(Timeout), budget.take(30, late):
            pytest.fail("there was no room")
        assert budget.used == 80


def test_more_than_there_ever_is_is_refused_at_once() -> None:
    with pytest.raises(ImageTooLarge, match="300 MB"), MemoryBudget(200_000_000).take(300_000_000, no_check):
        pytest.fail("there is not so much")


def test_an_error_gives_the_memory_back() -> None:
    budget = MemoryBudget(100)
    with pytest.raises(KeyError), budget.take(80, no_check):
        raise KeyError
    assert budget.used == 0


@pytest.mark.parametrize(
    ("limit_mb", "total"),
    [(2048, 0.75 * 2048 * 2**20 - 170e6), (512, LARGEST), (400, 0.87 * 400 * 2**20 - 170e6), (128, 0)],
)
def test_the_total_follows_the_limit(monkeypatch: pytest.MonkeyPatch, limit_mb: int, total: float) -> None:
    monkeypatch.setattr(memory_budget, "resident_memory", lambda: 170_000_000)
    budget = MemoryBudget()
    budget.follow(limit_mb)
    assert budget.total == int(total)


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"sys/fs/cgroup/memory.max": "536870912\n", "proc/self/cgroup": "0::/\n"}, 536_870_912),
        (
            {
                "sys/fs/cgroup/pod/memory.max": "400000000\n",
                "sys/fs/cgroup/pod/c/memory.max": "max\n",
                "proc/self/cgroup": "0::/pod/c\n",
            },
            400_000_000,
        ),
        (
            {
                "sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "300000000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "proc/self/cgroup": "4:memory:/docker/x\n",
            },
            300_000_000,
        ),
    ],
)
def test_the_limit_is_that_of_the_container(tmp_path: Path, files: dict[str, str], limit: int) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory_limit(tmp_path) == limit


def test_without_a_container_the_limit_is_the_machine_s_memory(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) > resident_memory() > 0
