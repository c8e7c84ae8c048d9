"""What a process holds, as the kernel counts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

_CONFIDENCE = 1.96
"""Standard deviations that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class Vitals:
    """One moment of a process; memory is in megabytes, ``own`` being what is not a mapped file."""

    seconds: float
    resident: float
    own: float
    peak: float
    files: int
    threads: int


@dataclass(frozen=True)
class Slope:
    """How fast something grows, in percent of its median an hour, and the 95 % interval of that."""

    percent: float
    low: float
    high: float


def vitals(pid: int, seconds: float = 0.0) -> Vitals:
    process = Path("/proc") / str(pid)
    fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())

    def megabytes(name: str) -> float:
        return int(fields[name].split()[0]) / 1024

    return Vitals(
        seconds,
        megabytes("VmRSS"),
        megabytes("RssAnon"),
        megabytes("VmHWM"),
        len(list((process / "fd").iterdir())),
        int(fields["Threads"]),
    )


def forget_peak(pid: int) -> None:
    """Starts ``Vitals.peak`` anew from what is resident."""
    (Path("/proc") / str(pid) / "clear_refs").write_text("5")


def slope(seconds: list[float], values: list[float]) -> Slope:
    """The median of the slopes between all pairs (Theil and Sen), which single steps and peaks do not move.

    The interval is Sen's, from the ranks of those slopes. It takes the samples to be independent of each other.
    """
    first, second = np.triu_indices(len(values), 1)
    times, levels = np.array(seconds), np.array(values)
    slopes = np.sort((levels[second] - levels[first]) / (times[second] - times[first]))
    slopes *= 3600 / float(np.median(levels)) * 100
    count = len(values)
    spread = _CONFIDENCE * (count * (count - 1) * (2 * count + 5) / 18) ** 0.5
    low = max(int((len(slopes) - spread) / 2), 0)
    high = min(int((len(slopes) + spread) / 2) + 1, len(slopes) - 1)
    return Slope(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))
