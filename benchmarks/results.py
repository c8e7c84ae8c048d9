"""The results of a run as written to JSON: every turn of every cell."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a cell. Latencies are milliseconds; ``throughput`` counts pictures a second."""

    throughput: float
    p50: float
    p95: float
    p99: float
    longest: float
    wrong: int
    cpu_ms: float
    """CPU of all the server's processes, milliseconds per picture."""
    generator_cpu_ms: float
    """CPU of the load generator, milliseconds per picture."""
    peak_mb: float
    elsewhere: float = 0.0
    """CPU of other processes during the turn, as a share of all cores."""


@dataclass(slots=True)
class CellResult:
    contestant: str
    work: str
    connections: int
    turns: list[Turn] = field(default_factory=list)

    def all(self, name: str) -> list[float]:
        return [float(getattr(turn, name)) for turn in self.turns]

    def median(self, name: str) -> float:
        return median(self.all(name))


@dataclass(slots=True)
class OpenResult:
    """One open loop: ``rate`` requests a second were due."""

    contestant: str
    share: float
    arrivals: str
    rate: float
    turns: list[Turn] = field(default_factory=list)

    def median(self, name: str) -> float:
        return median(float(getattr(turn, name)) for turn in self.turns)


@dataclass(slots=True)
class QuotaResult:
    """The service with a limited number of cores. ``how`` says what limited it."""

    cores: float
    how: str
    cold_start: float
    turns: list[Turn] = field(default_factory=list)


@dataclass(slots=True)
class Footprint:
    """Start times and memory of a contestant, in seconds and megabytes."""

    contestant: str
    cold_starts: list[float]
    idle_mb: float
    idle_proportional_mb: float
    peak_mb: float = 0.0


@dataclass(slots=True)
class Network:
    """One network, one face, one core. ``accuracy`` is a share, measured under ``protocol``."""

    name: str
    milliseconds: list[float]
    accuracy: float | None
    protocol: str
    ours: bool


@dataclass(slots=True)
class Results:
    taken: str
    plan: str
    rounds: int
    seconds: float
    machine: dict[str, Any]
    versions: dict[str, str]
    pictures: dict[str, dict[str, Any]]
    groups: dict[str, list[CellResult]] = field(default_factory=dict)
    open: list[OpenResult] = field(default_factory=list)
    quotas: list[QuotaResult] = field(default_factory=list)
    footprints: list[Footprint] = field(default_factory=list)
    networks: list[Network] = field(default_factory=list)
    stages: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    """Median milliseconds of the pipeline's stages on one thread, by picture, once after every group."""
    generator: dict[str, float] = field(default_factory=dict)
    """CPU and latency of the load generators against a server that does nothing."""
    repeated: int = 0
    """Turns that were repeated because other processes used the machine."""
    failures: list[str] = field(default_factory=list)
    """What could not be measured, and why."""
    duration: float = 0.0

    def cell(self, group: str, contestant: str, work: str, connections: int | None = None) -> CellResult | None:
        for cell in self.groups.get(group, ()):
            if (cell.contestant, cell.work) == (contestant, work) and connections in (None, cell.connections):
                return cell
        return None

    @property
    def cells(self) -> Iterable[CellResult]:
        return (cell for group in self.groups.values() for cell in group)

    @property
    def turns(self) -> list[Turn]:
        turns = [turn for cell in self.cells for turn in cell.turns]
        turns += [turn for loop in self.open for turn in loop.turns]
        return turns + [turn for held in self.quotas for turn in held.turns]

    @property
    def wrong(self) -> int:
        """Responses with another status or label than expected."""
        return sum(turn.wrong for turn in self.turns)


def save(results: Results, ratios: list[dict[str, Any]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = {"ratios": ratios, **asdict(results)}
    path.write_text(json.dumps(_rounded(written), indent=1) + "\n")


def load(path: Path) -> Results:
    found = json.loads(path.read_text())
    del found["ratios"]
    found["groups"] = {name: [_cell(cell) for cell in cells] for name, cells in found["groups"].items()}
    found["open"] = [OpenResult(**{**loop, "turns": _turns(loop)}) for loop in found["open"]]
    found["quotas"] = [QuotaResult(**{**held, "turns": _turns(held)}) for held in found["quotas"]]
    found["footprints"] = [Footprint(**footprint) for footprint in found["footprints"]]
    found["networks"] = [Network(**network) for network in found["networks"]]
    return Results(**found)


def _cell(found: dict[str, Any]) -> CellResult:
    return CellResult(**{**found, "turns": _turns(found)})


def _turns(found: dict[str, Any]) -> list[Turn]:
    return [Turn(**turn) for turn in found["turns"]]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value
