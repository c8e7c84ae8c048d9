"""What is measured: requests, loads, and which of them take turns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Faces = Literal["one", "all"]
Arrivals = Literal["even", "random"]


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of request, and the status of its response. ``pictures`` is how many it uploads."""

    name: str
    picture: str
    path: str = "/predict"
    field: str = "file"
    pictures: int = 1
    faces: Faces = "one"
    status: int = 200


ONE_FACE = Work("640x480", "640x480")
FULL_HD = Work("1080p", "1080p")
TWELVE_MP = Work("12mp", "12mp")
SEVENTH = Work("seventh", "seventh")
GROUP = Work("group", "group", path="/predict?faces=all", faces="all")
NO_FACE = Work("no-face", "no-face", status=422)


def batch(pictures: int) -> Work:
    return Work(f"batch-{pictures}", "640x480", "/predict/batch", "files", pictures)


@dataclass(frozen=True, slots=True)
class Cell:
    """One contestant and one kind of request. For ``limit``, ``connections`` counts threads."""

    contestant: str
    work: Work
    connections: int

    @property
    def name(self) -> str:
        return f"{self.contestant} {self.work.name} {self.connections}"


@dataclass(frozen=True, slots=True)
class Group:
    """Cells that take turns. Ratios compare cells of one group, round by round."""

    name: str
    cells: tuple[Cell, ...]
    stretch: int = 1
    """Factor for the length of a turn: slow responses need longer turns."""
    rounds: int | None = None
    """Fewer rounds than the plan's, where no ratio uses the cells."""


@dataclass(frozen=True, slots=True)
class OpenCell:
    """A contestant in an open loop at a share of its measured capacity."""

    contestant: str
    share: float
    arrivals: Arrivals

    @property
    def name(self) -> str:
        return f"{self.contestant} open {self.share:.2f} {self.arrivals}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Each cell of a group has ``rounds`` turns of ``seconds`` (wrk takes whole seconds only)."""

    name: str
    rounds: int
    seconds: int
    warm_up: float
    groups: tuple[Group, ...]
    open: tuple[OpenCell, ...]
    open_seconds: int
    open_rounds: int
    quotas: tuple[float, ...]
    cold_starts: int

    def only(self, groups: tuple[str, ...]) -> Plan:
        """Only those groups; also all that is in no group if ``"rest"`` is among them."""
        kept = replace(self, groups=tuple(group for group in self.groups if group.name in groups))
        return kept if "rest" in groups else replace(kept, open=(), quotas=(), cold_starts=1)


CAPACITY = Cell("visage", ONE_FACE, 8)
"""The cell whose throughput sets the rate of an open loop."""

_OTHERS = ("litserve", "bentoml", "plain")


def _compared(work: Work, contestants: tuple[str, ...], connections: int, threads: int = 2) -> tuple[Cell, ...]:
    return (Cell("limit", work, threads), *(Cell(name, work, connections) for name in ("visage", *contestants)))


def _concurrency(*connections: int) -> tuple[Cell, ...]:
    return tuple(Cell("visage", ONE_FACE, count) for count in connections)


def _batches(*pictures: int) -> tuple[Cell, ...]:
    return tuple(Cell("visage", batch(count), 1) for count in pictures)


_COSTS = Group("costs", tuple(Cell("visage", work, 8) for work in (ONE_FACE, NO_FACE, SEVENTH, GROUP)))
"""What pictures cost that are not of one large face."""

_ONE_WORKER = tuple(Cell(name, ONE_FACE, 8) for name in ("visage-1-worker", "visage-1-core"))


def quick(seconds: int | None = None, rounds: int | None = None) -> Plan:
    """Every ratio, in less than three minutes."""
    seconds = seconds or 1
    return Plan(
        name="quick",
        rounds=rounds or 4,
        seconds=seconds,
        warm_up=0.15,
        groups=(
            Group("throughput", (*_compared(ONE_FACE, (*_OTHERS, "resnet18"), 8), *_concurrency(16))),
            Group("12mp", _compared(TWELVE_MP, ("plain",), 8), stretch=2),
            Group("concurrency", (Cell("limit", ONE_FACE, 1), *_concurrency(1, 8, 256), *_ONE_WORKER)),
            Group("batch", (*_batches(32), *_concurrency(32))),
            _COSTS,
        ),
        open=(OpenCell("visage", 0.8, "even"), OpenCell("visage", 0.8, "random")),
        open_seconds=3 * seconds,
        open_rounds=4,
        quotas=(),
        cold_starts=3,
    )


def full(seconds: int | None = None, rounds: int | None = None) -> Plan:
    """Everything, in about a quarter of an hour. Groups without a ratio have fewer rounds."""
    seconds = seconds or 2
    return Plan(
        name="full",
        rounds=rounds or 5,
        seconds=seconds,
        warm_up=0.5,
        groups=(
            Group("throughput", (*_compared(ONE_FACE, (*_OTHERS, "resnet18"), 8), *_concurrency(4, 16))),
            Group("12mp", _compared(TWELVE_MP, _OTHERS, 8), stretch=2),
            # With hundreds of connections, the first responses take part of a second.
            Group(
                "concurrency",
                (Cell("limit", ONE_FACE, 1), *_concurrency(1, 2, 8, 64, 256), *_ONE_WORKER),
                stretch=2,
            ),
            Group("batch", (*_batches(1, 8, 32), *_concurrency(32))),
            _COSTS,
            Group("one at a time", _compared(ONE_FACE, _OTHERS, 1, threads=1), rounds=3),
            Group("64 connections", _compared(ONE_FACE, _OTHERS, 64), rounds=3),
            Group("1080p", _compared(FULL_HD, _OTHERS, 8), rounds=3),
            Group("group photo", _compared(GROUP, (), 8), rounds=3),
            Group("no face", _compared(NO_FACE, ("litserve", "bentoml"), 8), rounds=3),
        ),
        open=tuple(
            OpenCell("visage", share, arrivals) for share in (0.5, 0.8, 0.95) for arrivals in ("even", "random")
        ),
        open_seconds=3 * seconds,
        open_rounds=4,
        quotas=(0.5, 1.0, 2.0),
        cold_starts=5,
    )
