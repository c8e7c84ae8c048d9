"""The thread that feeds a GPU, on a fake one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.inference.batcher import Batcher
from app.inference.session import RawOutputs, Tensor


class FakeRunner:
    """Returns the value of each face as its score, and records the size of every batch. ``gate`` holds a run back."""

    providers = ("cuda",)

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.poison: float | None = None
        self.at_most = 1_000

    def run(self, tensor: Tensor, *, with_features: bool = False) -> RawOutputs:
        self.entered.set()
        self.gate.wait()
        self.batches.append(len(tensor))
        self.threads.add(threading.current_thread().name)
        values = tensor.reshape(len(tensor), -1)[:, :1]
        if self.poison is not None and (values == self.poison).any():
            raise RuntimeError("poisoned")
        if len(tensor) > self.at_most:
            raise MemoryError("out of device memory")
        return RawOutputs(values, tensor * 2 if with_features else None)

    def close(self) -> None:
        pass


def _faces(*values: float) -> Tensor:
    return np.array(values, np.float32).reshape(-1, 1, 1, 1)


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner()


def _gathered(runner: FakeRunner, batcher: Batcher, tensors: list[Tensor]) -> list[RawOutputs | Exception]:
    """Hands tensors in while a first one keeps the device busy, so that they wait together; gives their results."""
    runner.gate.clear()
    with ThreadPoolExecutor(len(tensors) + 1) as callers:
        first = callers.submit(batcher.run, _faces(-1))
        runner.entered.wait()
        futures = []
        for count, tensor in enumerate(tensors, 1):
            futures.append(callers.submit(batcher.run, tensor))
            while batcher.waiting < count:
                threading.Event().wait(0.001)
        runner.gate.set()
        first.result()
        return [future.exception() or future.result() for future in futures]


def test_a_lone_face_is_answered_at_once(runner: FakeRunner) -> None:
    batcher = Batcher(runner)

    raw = batcher.run(_faces(3))

    assert raw.scores.tolist() == [[3]]
    assert raw.features is None
    assert batcher.providers == ("cuda",)
    batcher.close()


def test_what_waits_becomes_one_batch_and_each_gets_its_own(runner: FakeRunner) -> None:
    batcher = Batcher(runner)

    results = _gathered(runner, batcher, [_faces(1), _faces(2, 3), _faces(4)])

    assert [result.scores.ravel().tolist() for result in results] == [[1], [2, 3], [4]]
    assert runner.batches == [1, 4]
    assert runner.threads == {"batcher"}
    batcher.close()


def test_a_batch_has_a_largest_size(runner: FakeRunner) -> None:
    batcher = Batcher(runner, largest_batch=4)

    results = _gathered(runner, batcher, [_faces(*range(3)), _faces(3), _faces(4, 5), _faces(*range(6, 16))])

    assert [len(result.scores) for result in results] == [3, 1, 2, 10]
    assert runner.batches == [1, 4, 2, 10]
    batcher.close()


def test_features_go_to_those_who_asked_for_them(runner: FakeRunner) -> None:
    batcher = Batcher(runner)
    runner.gate.clear()
    with ThreadPoolExecutor(3) as callers:
        callers.submit(batcher.run, _faces(0))
        runner.entered.wait()
        plain = callers.submit(batcher.run, _faces(1))
        asked = callers.submit(batcher.run, _faces(2), with_features=True)
        while batcher.waiting < 2:
            threading.Event().wait(0.001)
        runner.gate.set()

        assert plain.result().features is None
        features = asked.result().features
    assert features is not None
    assert features.ravel().tolist() == [4]
    batcher.close()


def test_an_error_reaches_the_one_who_caused_it_and_nobody_else(runner: FakeRunner) -> None:
    runner.poison = 13
    batcher = Batcher(runner)

    results = _gathered(runner, batcher, [_faces(1), _faces(13), _faces(2)])

    assert isinstance(results[1], RuntimeError)
    assert [results[0].scores.item(), results[2].scores.item()] == [1, 2]
    assert batcher.run(_faces(5)).scores.item() == 5
    batcher.close()


def test_a_batch_that_is_too_large_for_the_device_is_served_one_by_one(runner: FakeRunner) -> None:
    runner.at_most = 1
    batcher = Batcher(runner)

    results = _gathered(runner, batcher, [_faces(1), _faces(2)])

    assert [result.scores.item() for result in results] == [1, 2]
    batcher.close()


def test_closing_leaves_nobody_waiting(runner: FakeRunner) -> None:
    batcher = Batcher(runner)
    runner.gate.clear()
    with ThreadPoolExecutor(9) as callers:
        futures = [callers.submit(batcher.run, _faces(value)) for value in range(8)]
        runner.entered.wait()
        closing = callers.submit(batcher.close)
        runner.gate.set()
        closing.result()

        assert sorted(future.result().scores.item() for future in futures) == list(range(8))


def test_a_closed_batcher_still_answers_on_the_callers_thread(runner: FakeRunner) -> None:
    batcher = Batcher(runner)
    batcher.close()
    batcher.close()

    assert batcher.run(_faces(7)).scores.item() == 7
    assert runner.threads == {threading.current_thread().name}


def test_its_thread_ends_when_it_is_closed(runner: FakeRunner) -> None:
    before = threading.active_count()
    batcher = Batcher(runner)
    assert threading.active_count() == before + 1

    batcher.close()

    assert threading.active_count() == before
