"""The memory budget of the process."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from app import memory_budget
from app.errors import ImageTooLarge, Overloaded
from app.memory_budget import LARGEST, MemoryBudget, NotEnoughMemory
from app.system import memory_limit, resident_memory


def test_work_that_does_not_fit_beside_others_learns_how_much_it_needs() -> None:
    budget = MemoryBudget(120)
    with budget.take(60):
        with pytest.raises(NotEnoughMemory) as caught, budget.take(51):
            pytest.fail("there was no room")
        assert caught.value.size == 51
        assert not budget.has_room(51)
        assert budget.has_room(50)
    with budget.take(51):
        assert budget.used == 51
    assert budget.used == 0


def test_more_than_a_single_piece_of_work_ever_gets_is_refused_at_once() -> None:
    budget = MemoryBudget(120)
    with pytest.raises(ImageTooLarge), budget.take(111):
        pytest.fail("so much is left to others")
    with budget.take(110):
        assert budget.used == 110


def test_an_error_gives_the_memory_back() -> None:
    budget = MemoryBudget(120)
    with pytest.raises(KeyError), budget.take(80):
        raise KeyError
    assert budget.used == 0


class TestHeldMemory:
    """What requests and connections hold."""

    def test_all_of_it_together_gets_half_of_the_budget(self) -> None:
        budget = MemoryBudget(120)
        with budget.held() as one, budget.held() as other:
            one.take(40)
            with pytest.raises(Overloaded):
                other.take(21)
            other.take(20)
            assert (one.size, other.size, budget.used) == (40, 20, 60)
            with pytest.raises(NotEnoughMemory), budget.take(61):
                pytest.fail("there was no room")
            with budget.take(60):
                assert budget.used == 120
        assert budget.used == 0

    def test_or_less_where_a_setting_says_so(self) -> None:
        budget = MemoryBudget(120)
        budget.held_at_most = 10
        with budget.held() as memory:
            memory.take(10)
            with pytest.raises(Overloaded):
                memory.take(1)

    def test_it_gets_what_work_always_leaves_and_no_more(self) -> None:
        budget = MemoryBudget(120)
        with budget.take(110), budget.held() as memory:
            memory.take(10)
            with pytest.raises(Overloaded):
                memory.take(1)

    def test_streams_leave_half_of_it_to_requests(self) -> None:
        budget = MemoryBudget(400)
        with budget.held() as request, budget.held(by_stream=True) as one, budget.held(by_stream=True) as other:
            one.take(90)
            other.take(10)
            for stream in (one, other):
                with pytest.raises(Overloaded):
                    stream.take(1)
            request.take(100)
            request.close()
            other.close()
            one.take(110)

    def test_what_is_given_back_early_is_free_and_is_not_given_back_twice(self) -> None:
        budget = MemoryBudget(120)
        with budget.held() as memory:
            memory.take(60)
            memory.give_back(50)
            assert budget.used == 10
            memory.give_back(50)
            assert (memory.size, budget.used) == (0, 0)
        assert budget.used == 0

    def test_a_job_that_outlives_its_request_takes_nothing(self) -> None:
        budget = MemoryBudget(120)
        memory = budget.held()
        memory.close()
        with pytest.raises(Overloaded):
            memory.take(1)


@pytest.mark.parametrize(
    ("limit_mb", "total"),
    [(2048, 0.75 * 2048 * 2**20 - 170e6), (512, LARGEST), (400, 0.87 * 400 * 2**20 - 170e6), (128, 0)],
)
def test_the_total_follows_the_limit(monkeypatch: pytest.MonkeyPatch, limit_mb: int, total: float) -> None:
    monkeypatch.setattr(memory_budget, "resident_memory", lambda: 170_000_000)
    budget = MemoryBudget()
    budget.limit_mb = limit_mb
    budget.follow()
    assert budget.total == int(total)


def test_what_networks_take_while_they_run_is_left_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_budget, "resident_memory", lambda: 170_000_000)
    budget = MemoryBudget()
    budget.limit_mb = 1024
    budget.follow()
    before = budget.total

    budget.reserved = 42_000_000
    budget.follow()

    assert budget.total == before - 42_000_000


def test_what_is_held_for_good_leaves_the_total_at_once_and_is_at_rest_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_rest = 170_000_000
    monkeypatch.setattr(memory_budget, "resident_memory", lambda: at_rest)
    budget = MemoryBudget()
    budget.limit_mb = 2048
    budget.follow()
    before = budget.total
    networks = Event()
    budget.shrink(40_000_000, networks)
    assert budget.total == before - 40_000_000
    at_rest += 30_000_000
    with budget.held() as memory:
        memory.take(1)
        budget.follow()
        assert budget.total == before - 40_000_000
    budget.follow()
    assert budget.total == before - 30_000_000
    del networks
    assert budget.total == before + 10_000_000


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
