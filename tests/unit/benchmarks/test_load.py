"""When the requests of an open loop are due, and what no server could improve on."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from benchmarks.load.generator import moments


def latencies(rate: float, seconds: float, *, share: float, seed: int) -> list[float]:
    """Of two workers that take the same time for every request, in order of arrival, at a share of what they can."""
    took = share * 2 / rate
    free = [0.0, 0.0]
    found = []
    for moment in moments(rate, seconds, "random", seed):
        ended = max(moment, heapq.heappop(free)) + took
        heapq.heappush(free, ended)
        found.append(ended - moment)
    return found


def test_random_arrivals_differ_by_seed_and_keep_their_rate() -> None:
    first, again, other = (list(moments(200, 60, "random", seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert len(other) == pytest.approx(200 * 60, rel=0.03)
    assert list(moments(4, 1, "even", 1)) == [0, 0.25, 0.5, 0.75]


def test_an_ideal_queue_at_four_fifths_of_its_capacity_has_a_p99_of_3_9_times_its_p50() -> None:
    p50, p99 = np.percentile(latencies(200, 600, share=0.8, seed=1), (50, 99))
    assert p99 / p50 == pytest.approx(3.9, abs=0.2)
