"""The worker pool: what it takes on, what it drops, and how it survives its threads."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest

from app.errors import InternalError, InvalidImage, Overloaded, Timeout
from app.memory_budget import MemoryBudget
from app.worker_pool import ClientDisconnected, PoolLimits, WorkerPool

if TYPE_CHECKING:
    from app.pipeline import Checkpoint, Pipeline

PATIENCE = 10.0


class Gate:
    """A job that tells when it runs and waits until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.stages = 0

    def job(self, pipeline: Pipeline, checkpoint: Checkpoint) -> str:
        self.entered.set()
        assert self.open.wait(PATIENCE)
        checkpoint()
        self.stages += 1
        return "done"


def limits(**changes: Any) -> PoolLimits:
    values: dict[str, Any] = {"workers": 1, "queue_size": 2, "queue_timeout": PATIENCE, "request_timeout": PATIENCE}
    return PoolLimits(**{**values, **changes})


@asynccontextmanager
async def running(
    pool_limits: PoolLimits,
    factory: Callable[[], Any] = object,
    shed: list[str] | None = None,
    memory: MemoryBudget | None = None,
) -> AsyncIterator[WorkerPool]:
    reasons = [] if shed is None else shed
    pool = WorkerPool(cast("Callable[[], Pipeline]", factory), pool_limits, on_shed=reasons.append, memory=memory)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def entered(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.entered.wait, PATIENCE)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
async def test_workers_let_the_event_loop_go_first() -> None:
    def priority(*_: object) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    built: list[int] = []
    async with running(limits(), lambda: built.append(priority())) as pool:
        await pool.warm()
        worked = await pool.run(pool.reserve(), priority)
    # Already while the pipeline is built: threads that a library starts there inherit it.
    assert built == [worked]
    assert worked > priority()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not let a thread choose its cores")
async def test_each_worker_stays_on_its_core_also_the_one_that_takes_a_dead_ones_place() -> None:
    cores = tuple(sorted(os.sched_getaffinity(0)))[:2]
    built: list[tuple[int, ...]] = []

    def dies(pipeline: Pipeline, checkpoint: Checkpoint) -> None:
        raise SystemExit

    async with running(limits(workers=len(cores), cores=cores), lambda: built.append(_cores_of_this_thread())) as pool:
        await pool.warm()
        assert sorted(built) == [(core,) for core in cores]
        with pytest.raises(InternalError):
            await pool.run(pool.reserve(), dies)
        await until(lambda: len(built) > len(cores))
    assert sorted(set(built)) == [(core,) for core in cores]
    assert len(_cores_of_this_thread()) >= len(cores)


def _cores_of_this_thread() -> tuple[int, ...]:
    return tuple(sorted(os.sched_getaffinity(threading.get_native_id())))


async def test_each_worker_builds_its_own_pipeline_on_its_own_thread() -> None:
    built: list[int] = []

    def factory() -> object:
        built.append(threading.get_ident())
        return object()

    async with running(limits(workers=2, queue_size=8), factory) as pool:
        await pool.warm()
        seen = await asyncio.gather(
            *(pool.run(pool.reserve(), lambda pipeline, _: (threading.get_ident(), id(pipeline))) for _ in range(8))
        )
    assert len(set(built)) == 2
    assert threading.get_ident() not in built
    assert {thread for thread, _ in seen} <= set(built)


async def test_what_a_job_raises_reaches_its_caller_and_the_thread_lives_on() -> None:
    def fails(pipeline: Pipeline, checkpoint: Checkpoint) -> None:
        raise InvalidImage

    async with running(limits()) as pool:
        with pytest.raises(InvalidImage):
            await pool.run(pool.reserve(), fails)
        assert await pool.run(pool.reserve(), lambda *_: 7) == 7
        assert pool.restarts == 0


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    gate, shed = Gate(), list[str]()
    async with running(limits(queue_size=1), shed=shed) as pool:
        await pool.warm()
        first = asyncio.create_task(pool.run(pool.reserve(), gate.job))
        await entered(gate)
        assert pool.room
        second = asyncio.create_task(pool.run(pool.reserve(), gate.job))
        await until(lambda: pool.waiting == 1)
        assert pool.room == 0
        with pytest.raises(Overloaded) as refused:
            await pool.run(pool.reserve(), gate.job)
        assert refused.value.retry_after >= 1
        assert shed == ["queue_full"]
        gate.open.set()
        assert await asyncio.gather(first, second) == ["done", "done"]
        assert pool.room


class TestMemory:
    """A job for which there is no memory does not keep its worker."""

    async def test_of_jobs_that_wait_for_memory_the_smallest_runs_first(self) -> None:
        memory, tried, done = MemoryBudget(120), list[str](), list[str]()

        def take(name: str, size: int) -> Any:
            def work(pipeline: Pipeline, checkpoint: Checkpoint) -> None:
                tried.append(name)
                with memory.take(size):
                    done.append(name)

            return work

        tasks = []
        async with running(limits(queue_size=5), memory=memory) as pool:
            with memory.take(100):
                for count, (name, size) in enumerate(
                    (("large", 100), ("small", 50), ("larger", 110), ("other", 100)), 1
                ):
                    tasks.append(asyncio.create_task(pool.run(pool.reserve(), take(name, size))))
                    await until(lambda name=name, count=count: tried[-1:] == [name] and pool.waiting == count)
            await asyncio.gather(*tasks)
        assert done == ["small", "large", "other", "larger"]

    async def test_others_go_first_and_it_runs_again_when_there_is_enough(self) -> None:
        memory, order = MemoryBudget(120), list[str]()

        def large(pipeline: Pipeline, checkpoint: Checkpoint) -> str:
            order.append("large tries")
            with memory.take(100):
                return "large"

        async with running(limits(), memory=memory) as pool:
            with memory.take(30):
                waiting = asyncio.create_task(pool.run(pool.reserve(), large))
                await until(lambda: order == ["large tries"] and pool.waiting == 1)
                assert pool.busy == 0
                assert await pool.run(pool.reserve(), lambda *_: "small") == "small"
                assert order == ["large tries"]
            assert await waiting == "large"
            assert order == ["large tries", "large tries"]
            assert pool.restarts == 0

    async def test_it_waits_no_longer_than_for_a_worker(self) -> None:
        memory = MemoryBudget(120)

        def large(pipeline: Pipeline, checkpoint: Checkpoint) -> None:
            with memory.take(100):
                raise AssertionError

        async with running(limits(queue_timeout=0.1), memory=memory) as pool:
            await pool.warm()
            with memory.take(30), pytest.raises(Overloaded):
                await pool.run(pool.reserve(), large)
            assert (pool.waiting, pool.busy) == (0, 0)

    async def test_it_is_dropped_when_its_client_leaves(self) -> None:
        memory = MemoryBudget(120)

        def large(pipeline: Pipeline, checkpoint: Checkpoint) -> None:
            with memory.take(100):
                raise AssertionError

        async with running(limits(), memory=memory) as pool:
            await pool.warm()
            with memory.take(30):
                reservation = pool.reserve()
                waiting = asyncio.create_task(pool.run(reservation, large))
                await until(lambda: pool.waiting == 1)
                reservation.cancel()
                with pytest.raises(ClientDisconnected):
                    await waiting
                assert pool.waiting == 0


async def test_a_place_that_is_about_to_be_taken_is_given_to_nobody_else_for_a_moment() -> None:
    async with running(limits(queue_size=0, body_grace=PATIENCE)) as pool:
        await pool.warm()
        first = pool.reserve()
        assert pool.room == 0
        # The claim keeps out who asks, and is no obstacle to the work itself.
        assert await pool.run(first, lambda *_: 1) == 1
        assert pool.room
        pool.release(pool.reserve())
        assert pool.room
    async with running(limits(queue_size=0, body_grace=0.05)) as pool:
        await pool.warm()
        pool.reserve()
        await until(lambda: pool.room)


async def test_without_a_queue_only_an_idle_worker_counts() -> None:
    gate = Gate()
    async with running(limits(queue_size=0)) as pool:
        await pool.warm()
        first = asyncio.create_task(pool.run(pool.reserve(), gate.job))
        await entered(gate)
        assert pool.room == 0
        gate.open.set()
        await first
        assert await pool.run(pool.reserve(), lambda *_: 1) == 1


async def test_nobody_waits_longer_than_the_queue_allows() -> None:
    gate, shed, ran = Gate(), list[str](), list[int]()
    async with running(limits(queue_timeout=0.05), shed=shed) as pool:
        await pool.warm()
        first = asyncio.create_task(pool.run(pool.reserve(), gate.job))
        await entered(gate)
        with pytest.raises(Overloaded):
            await pool.run(pool.reserve(), lambda *_: ran.append(1))
        assert shed == ["queue_timeout"]
        assert pool.waiting == 0
        gate.open.set()
        await first
        await pool.run(pool.reserve(), lambda *_: None)
    assert ran == []


async def test_later_jobs_of_an_admitted_request_do_not_compete_for_a_place() -> None:
    gate = Gate()
    async with running(limits(queue_size=1)) as pool:
        await pool.warm()
        reservation = pool.reserve()
        runs = [asyncio.create_task(pool.run(reservation, gate.job)) for _ in range(6)]
        await entered(gate)
        gate.open.set()
        assert await asyncio.gather(*runs) == ["done"] * 6


async def test_a_request_over_its_deadline_is_answered_and_its_work_stops_at_the_next_stage() -> None:
    gate, shed = Gate(), list[str]()
    async with running(limits(), shed=shed) as pool:
        await pool.warm()
        run = asyncio.create_task(pool.run(pool.reserve(time.monotonic() + 0.5), gate.job))
        await entered(gate)
        with pytest.raises(Timeout):
            await run
        assert shed == ["timeout"]
        gate.open.set()
        await until(lambda: pool.busy == 0)
    assert gate.stages == 0


async def test_work_of_a_client_that_left_while_waiting_never_starts() -> None:
    gate, ran = Gate(), list[int]()
    async with running(limits()) as pool:
        await pool.warm()
        first = asyncio.create_task(pool.run(pool.reserve(), gate.job))
        await entered(gate)
        reservation = pool.reserve()
        second = asyncio.create_task(pool.run(reservation, lambda *_: ran.append(1)))
        await until(lambda: pool.waiting == 1)
        reservation.cancel()
        with pytest.raises(ClientDisconnected):
            await second
        assert pool.waiting == 0
        gate.open.set()
        await first
        await pool.run(pool.reserve(), lambda *_: None)
    assert ran == []


async def test_work_of_a_client_that_left_while_it_ran_stops_at_the_next_stage() -> None:
    gate = Gate()
    async with running(limits()) as pool:
        await pool.warm()
        reservation = pool.reserve()
        run = asyncio.create_task(pool.run(reservation, gate.job))
        await entered(gate)
        reservation.cancel()
        with pytest.raises(ClientDisconnected):
            await run
        gate.open.set()
        await until(lambda: pool.busy == 0)
        with pytest.raises(ClientDisconnected):
            await pool.run(reservation, gate.job)
    assert gate.stages == 0


async def test_a_cancelled_caller_gives_its_place_back() -> None:
    gate = Gate()
    async with running(limits(queue_size=1)) as pool:
        await pool.warm()
        first = asyncio.create_task(pool.run(pool.reserve(), gate.job))
        await entered(gate)
        second = asyncio.create_task(pool.run(pool.reserve(), gate.job))
        await until(lambda: pool.waiting == 1)
        second.cancel()
        await asyncio.wait([second])
        assert pool.waiting == 0
        assert pool.room
        gate.open.set()
        await first


async def test_a_thread_that_dies_is_replaced_and_its_request_answered() -> None:
    def dies(pipeline: Pipeline, checkpoint: Checkpoint) -> None:
        raise SystemExit

    async with running(limits()) as pool:
        await pool.warm()
        with pytest.raises(InternalError):
            await pool.run(pool.reserve(), dies)
        assert await pool.run(pool.reserve(), lambda *_: 7) == 7
        assert pool.restarts == 1
        assert pool.ready


async def test_a_thread_that_hangs_is_replaced_after_its_request_was_answered() -> None:
    hang = threading.Event()
    async with running(limits(hang_grace=0.05)) as pool:
        await pool.warm()
        with pytest.raises(Timeout):
            await pool.run(pool.reserve(time.monotonic() + 0.5), lambda *_: hang.wait(PATIENCE))
        await until(lambda: pool.restarts == 1)
        assert await pool.run(pool.reserve(), lambda *_: 7) == 7
        assert not pool.stuck
        hang.set()


async def test_a_hung_thread_is_replaced_as_soon_as_the_system_gives_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.worker_pool._BUILD_RETRY", 0.05)
    start, refused = threading.Thread.start, list[threading.Thread]()

    def refuses(thread: threading.Thread) -> None:
        if thread.name == "visage-worker" and not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    hang = threading.Event()
    async with running(limits(hang_grace=0.05)) as pool:
        await pool.warm()
        monkeypatch.setattr(threading.Thread, "start", refuses)
        for restarts in (1, 2):
            with pytest.raises(Timeout):
                await pool.run(pool.reserve(time.monotonic() + 0.5), lambda *_: hang.wait(PATIENCE))
            await until(lambda restarts=restarts: pool.restarts == restarts and pool.ready)
        assert refused
        assert await pool.run(pool.reserve(), lambda *_: 7) == 7
        hang.set()


async def test_no_worker_alive_is_not_ready() -> None:
    first, second = threading.Event(), threading.Event()
    builds = iter((first, second))

    def factory() -> object:
        assert next(builds).wait(PATIENCE)
        return object()

    def dies(pipeline: Pipeline, checkpoint: Checkpoint) -> None:
        raise SystemExit

    async with running(limits(), factory) as pool:
        assert not pool.ready
        first.set()
        await pool.warm()
        assert pool.ready
        with pytest.raises(InternalError):
            await pool.run(pool.reserve(), dies)
        assert not pool.ready
        second.set()
        await until(lambda: pool.ready)


async def test_a_pipeline_that_cannot_be_built_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.worker_pool._BUILD_RETRY", 0.05)
    outcomes = iter((RuntimeError("no such file"), None))

    def factory() -> object:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome
        return object()

    async with running(limits(), factory) as pool:
        await until(lambda: pool.failure is not None)
        assert pool.failure == "A worker could not start: no such file"
        assert not pool.ready
        await until(lambda: pool.ready)
        assert pool.failure is None


async def test_a_queue_that_stays_full_saturates_the_pool() -> None:
    gate = Gate()
    async with running(limits(queue_size=1, saturated_after=0.0)) as pool:
        await pool.warm()
        runs = [asyncio.create_task(pool.run(pool.reserve(), gate.job))]
        await entered(gate)
        runs.append(asyncio.create_task(pool.run(pool.reserve(), gate.job)))
        await until(lambda: pool.saturated)
        gate.open.set()
        await asyncio.gather(*runs)
        await until(lambda: not pool.saturated)


async def test_a_picture_is_let_go_once_it_is_answered() -> None:
    class Picture:
        pass

    async with running(limits()) as pool:
        picture = Picture()
        reference = weakref.ref(picture)
        await pool.run(pool.reserve(), lambda *_, held=picture: held)
        del picture
        await until(lambda: reference() is None)


async def test_the_pace_of_the_queue_sets_when_to_come_back() -> None:
    async with running(limits(queue_size=50)) as pool:
        await pool.warm()
        assert pool.retry_after == 1
        pool._service_time = 4.0
        assert pool.retry_after == 4


async def test_an_error_of_the_catalogue_keeps_no_picture() -> None:
    alive: list[weakref.ref[Picture]] = []

    class Picture:
        """What a job holds when it fails."""

    def work(pipeline: Pipeline, checkpoint: Checkpoint) -> None:
        picture = Picture()
        alive.append(weakref.ref(picture))
        raise InvalidImage

    async with running(limits()) as pool:
        with pytest.raises(InvalidImage) as failed:
            await pool.run(pool.reserve(), work)
        await until(lambda: not pool.busy)
        assert failed.value.code == "invalid_image"
        assert alive[0]() is None


async def test_work_of_a_client_that_left_is_let_go_without_the_garbage_collector() -> None:
    class Picture:
        pass

    gate, picture = Gate(), Picture()
    reference = weakref.ref(picture)
    async with running(limits()) as pool:
        blocking = asyncio.create_task(pool.run(pool.reserve(), gate.job))
        await entered(gate)
        reservation = pool.reserve()
        leaving = asyncio.create_task(pool.run(reservation, lambda *_, held=picture: held))
        await until(lambda: pool.waiting == 1)
        del picture
        gc.disable()
        try:
            reservation.cancel()
            with pytest.raises(ClientDisconnected):
                await leaving
            del leaving
            await asyncio.sleep(0.01)
            assert reference() is None
        finally:
            gc.enable()
        gate.open.set()
        await blocking


class TestGathering:
    """While jobs wait, the event loop gets the results of several jobs at once."""

    async def test_results_are_gathered_until_no_more_jobs_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.worker_pool._LONGEST_GATHERING", PATIENCE)
        gates = [Gate() for _ in range(5)]
        async with running(limits(queue_size=5)) as pool:
            await pool.warm()
            tasks = [asyncio.create_task(pool.run(pool.reserve(), gate.job)) for gate in gates]
            await entered(gates[0])
            for this, following in pairwise(gates[:3]):
                this.open.set()
                await entered(following)
                await asyncio.sleep(0.02)
                assert not any(task.done() for task in tasks)
            # Two wait behind it, and with its own there are three results.
            gates[2].open.set()
            assert await asyncio.gather(*tasks[:3]) == ["done"] * 3
            for gate in gates[3:]:
                gate.open.set()
            assert await asyncio.gather(*tasks[3:]) == ["done"] * 2

    async def test_a_result_waits_for_others_for_a_moment_only(self) -> None:
        first, second, *others = gates = [Gate() for _ in range(5)]
        async with running(limits(queue_size=5)) as pool:
            await pool.warm()
            tasks = [asyncio.create_task(pool.run(pool.reserve(), gate.job)) for gate in gates]
            first.open.set()
            assert await asyncio.wait_for(tasks[0], PATIENCE / 2) == "done"
            assert not second.open.is_set()
            for gate in (second, *others):
                gate.open.set()
            await asyncio.gather(*tasks[1:])

    async def test_a_frame_waits_for_no_other_result(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.worker_pool._LONGEST_GATHERING", PATIENCE)
        frame, *requests = gates = [Gate() for _ in range(4)]
        async with running(limits(queue_size=5)) as pool:
            await pool.warm()
            read = asyncio.create_task(pool.run(pool.reserve_frame(), frame.job, stream=True))
            await entered(frame)
            tasks = [asyncio.create_task(pool.run(pool.reserve(), gate.job)) for gate in requests]
            await until(lambda: pool.waiting == len(requests))
            frame.open.set()
            assert await asyncio.wait_for(read, PATIENCE / 2) == "done"
            for gate in gates:
                gate.open.set()
            await asyncio.gather(*tasks)


class TestStreams:
    """Frames of streams beside requests."""

    async def test_a_frame_takes_no_place_of_a_request(self) -> None:
        gate, other = Gate(), Gate()
        async with running(limits(queue_size=0)) as pool:
            await pool.warm()
            frame = asyncio.create_task(pool.run(pool.reserve_frame(), gate.job, stream=True))
            await entered(gate)
            assert pool.room == 1
            request = asyncio.create_task(pool.run(pool.reserve(), other.job))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await pool.run(pool.reserve(), other.job)
            gate.open.set()
            other.open.set()
            assert [await frame, await request] == ["done", "done"]

    async def test_both_get_their_share_while_both_wait(self) -> None:
        order: list[str] = []

        def work(name: str) -> Callable[[Pipeline, Checkpoint], None]:
            def job(pipeline: Pipeline, checkpoint: Checkpoint) -> None:
                order.append(name)
                time.sleep(0.01)

            return job

        gate = Gate()
        async with running(limits(queue_size=40, stream_share=0.25)) as pool:
            await pool.warm()
            first = asyncio.create_task(pool.run(pool.reserve(), gate.job))
            await entered(gate)
            frames = [asyncio.create_task(pool.run(pool.reserve_frame(), work("f"), stream=True)) for _ in range(20)]
            requests = [asyncio.create_task(pool.run(pool.reserve(), work("r"))) for _ in range(20)]
            await asyncio.sleep(0)
            gate.open.set()
            await asyncio.gather(first, *frames, *requests)
        # What the first job took is made up for at first. After that, one frame comes to three requests.
        while_both_wait = order[: max(position for position, name in enumerate(order) if name == "r")]
        assert 3 <= while_both_wait.count("f") <= 9

    async def test_a_worker_stays_free_of_frames_while_there_are_requests(self) -> None:
        gates = [Gate(), Gate()]
        async with running(limits(workers=2)) as pool:
            await pool.warm()
            await pool.run(pool.reserve(), lambda *_: time.sleep(0.1))
            frames = [asyncio.create_task(pool.run(pool.reserve_frame(), gate.job, stream=True)) for gate in gates]
            await entered(gates[0])
            await asyncio.wait_for(pool.run(pool.reserve(), lambda *_: time.sleep(0.1)), PATIENCE)
            assert not gates[1].entered.is_set()
            # Later, when the requests are forgotten, the second frame need not wait for the first one.
            await entered(gates[1])
            for gate in gates:
                gate.open.set()
            await asyncio.gather(*frames)

    async def test_frames_get_all_workers_without_requests(self) -> None:
        gates = [Gate(), Gate()]
        async with running(limits(workers=2)) as pool:
            await pool.warm()
            frames = [asyncio.create_task(pool.run(pool.reserve_frame(), gate.job, stream=True)) for gate in gates]
            for gate in gates:
                await entered(gate)
                gate.open.set()
            await asyncio.gather(*frames)
