"""The ratios of a run. Each is formed round by round, so that changes of the machine's speed cancel out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal

from benchmarks.results import CellResult, Results

Values = list[float]
_ONE = "640x480"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, its floor and its goal. ``unit`` is empty for a ratio."""

    key: str
    title: str
    better: Literal["higher", "lower"]
    floor: float
    goal: float
    values: Callable[[Results], Values]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure of one run: the median of its rounds, the least and the most."""

    key: str
    title: str
    better: str
    unit: str
    value: float
    least: float
    most: float
    floor: float
    goal: float

    @property
    def level(self) -> str:
        if self._reaches(self.goal):
            return "goal"
        return "floor" if self._reaches(self.floor) else "below"

    def _reaches(self, bound: float) -> bool:
        return self.value >= bound if self.better == "higher" else self.value <= bound


def ratios(results: Results) -> list[Ratio]:
    """All figures that can be formed from a run."""
    found = []
    for figure in FIGURES:
        values = figure.values(results)
        if values:
            found.append(
                Ratio(
                    figure.key,
                    figure.title,
                    figure.better,
                    figure.unit,
                    median(values),
                    min(values),
                    max(values),
                    figure.floor,
                    figure.goal,
                )
            )
    return found


def as_json(found: list[Ratio]) -> list[dict[str, Any]]:
    return [{**asdict(ratio), "level": ratio.level} for ratio in found]


def _paired(first: CellResult | None, second: CellResult | None, name: str = "throughput") -> Values:
    """Round by round. Rounds in which the second had no response in time are left out."""
    if first is None or second is None:
        return []
    return [one / other for one, other in zip(first.all(name), second.all(name), strict=True) if other > 0]


def _best(results: Results, group: str, work: str) -> CellResult | None:
    """The service at the number of connections with the highest throughput."""
    cells = [c for c in results.groups.get(group, ()) if (c.contestant, c.work) == ("visage", work)]
    return max(cells, key=lambda cell: cell.median("throughput"), default=None)


def _of_the_limit(results: Results) -> Values:
    return _paired(_best(results, "throughput", _ONE), results.cell("throughput", "limit", _ONE))


def _overhead(results: Results) -> Values:
    service, limit = (results.cell("concurrency", name, _ONE, 1) for name in ("visage", "limit"))
    return _paired(service, limit, "p50")


def _against(contestant: str, group: str, work: str) -> Callable[[Results], Values]:
    def values(results: Results) -> Values:
        return _paired(results.cell(group, "visage", work, 8), results.cell(group, contestant, work, 8))

    return values


def _same_picture(contestant: str) -> Callable[[Results], Values]:
    return _against(contestant, "throughput", _ONE)


def _two_workers(other: str) -> Callable[[Results], Values]:
    def values(results: Results) -> Values:
        one = results.cell("concurrency", other, _ONE, 8)
        return _paired(results.cell("concurrency", "visage", _ONE, 8), one)

    return values


def _connections(results: Results) -> Values:
    many, few = (results.cell("concurrency", "visage", _ONE, connections) for connections in (256, 8))
    return _paired(many, few)


def _batch(results: Results) -> Values:
    singles = results.cell("batch", "visage", _ONE, 32)
    return _paired(results.cell("batch", "visage", "batch-32", 1), singles)


def _tail(arrivals: str) -> Callable[[Results], Values]:
    def values(results: Results) -> Values:
        loops = [loop for loop in results.open if (loop.share, loop.arrivals) == (0.8, arrivals)]
        return [turn.p99 / turn.p50 for loop in loops for turn in loop.turns]

    return values


def _footprint(values_of: Callable[[Any], Values]) -> Callable[[Results], Values]:
    def values(results: Results) -> Values:
        return next((values_of(footprint) for footprint in results.footprints if footprint.contestant == "visage"), [])

    return values


def _cost(work: str) -> Callable[[Results], Values]:
    """CPU time of the server for a picture, against one face at 640×480."""

    def values(results: Results) -> Values:
        picture, one = (results.cell("costs", "visage", name, 8) for name in (work, _ONE))
        return _paired(picture, one, "cpu_ms")

    return values


FIGURES = (
    Figure("limit", "most throughput / pipeline without HTTP, 640×480", "higher", 0.85, 0.92, _of_the_limit),
    Figure("overhead", "p50 at one connection / pipeline without HTTP", "lower", 1.2, 1.1, _overhead),
    Figure("litserve", "throughput / LitServe, 640×480", "higher", 1.1, 1.4, _same_picture("litserve")),
    Figure("bentoml", "throughput / BentoML, 640×480", "higher", 1.1, 1.4, _same_picture("bentoml")),
    Figure("plain", "throughput / plain FastAPI, 640×480", "higher", 3.5, 6, _same_picture("plain")),
    Figure("plain-12mp", "throughput / plain FastAPI, 12 MP", "higher", 8, 14, _against("plain", "12mp", "12mp")),
    Figure("resnet18", "throughput / Visage with ResNet18", "higher", 1.5, 3, _same_picture("resnet18")),
    Figure("workers", "two workers on two cores / one on one", "higher", 1.7, 1.9, _two_workers("visage-1-core")),
    Figure("spare", "two workers / one, two cores for both", "higher", 1.7, 1.9, _two_workers("visage-1-worker")),
    Figure("batch", "throughput, batch of 32 / 32 requests at once", "higher", 1.1, 1.3, _batch),
    Figure("tail", "p99 / p50 at 80 % of capacity, open loop", "lower", 4, 2.5, _tail("even")),
    Figure("tail-random", "the same with random arrivals", "lower", 3.5, 2.5, _tail("random")),
    Figure("connections", "throughput, 256 connections / 8", "higher", 0.97, 1.0, _connections),
    Figure("idle", "memory idle after warm-up", "lower", 250, 150, _footprint(lambda f: [f.idle_mb]), "MB"),
    Figure("loaded", "memory under full load", "lower", 350, 200, _footprint(lambda f: [f.peak_mb]), "MB"),
    Figure("no-face", "CPU, no face / one face", "lower", 2.5, 1.8, _cost("no-face")),
    Figure("seventh", "CPU, a face of a seventh of the width / one face", "lower", 2, 1.4, _cost("seventh")),
    Figure("group", "CPU, six faces at 1440×960 / one face", "lower", 6, 4.5, _cost("group")),
)
