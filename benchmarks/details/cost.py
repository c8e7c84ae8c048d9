"""What details cost: CPU time of the server a request, as a ratio to the same request without them, in turns."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.against import ROOT, Build, checked_out
from benchmarks.form import form
from benchmarks.pictures import make_pictures
from benchmarks.plan import GROUP, ONE_FACE, Work

DETAILS: Final = "details=action_units,head_pose,description"
MOST_MEMORY_MB: Final = 35
_WARM_UP: Final = 10
_PLAIN: Final = "a plain request"


@dataclass(frozen=True, slots=True)
class Row:
    """A request without details, and the most that it may cost with them."""

    name: str
    plain: Work
    floor: float
    goal: float

    @property
    def detailed(self) -> Work:
        path = self.plain.path
        return replace(self.plain, path=f"{path}{'&' if '?' in path else '?'}{DETAILS}")


ROWS: Final = (Row("one face, 640×480", ONE_FACE, 1.9, 1.5), Row("six faces", GROUP, 1.7, 1.7))


def measure(rounds: int, revision: str | None) -> bool:
    """Prints the ratios and the memory; returns whether each keeps its floor. The ratio to plain requests of another
    revision has none."""
    with contextlib.ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        bodies = {name: form(path.read_bytes()) for name, path in make_pictures(folder).items()}
        ours = Build("this", ROOT, folder)
        ends.callback(ours.stop)
        bases = {_PLAIN: ours}
        if revision is not None:
            tree = ends.enter_context(checked_out(revision, folder / "tree"))
            bases[f"{_PLAIN} of {revision}"] = Build("other", tree, folder)
            ends.callback(bases[f"{_PLAIN} of {revision}"].stop)
        for row in ROWS:
            ours.send(row.plain, bodies[row.plain.picture], _WARM_UP)
        before = ours.memory()
        kept = [_row(row, ours, bases, bodies[row.plain.picture], rounds) for row in ROWS]
        memory = ours.memory() - before
    print(f"memory once loaded: {memory:.0f} MB more (floor {MOST_MEMORY_MB})")
    return all(kept) and memory <= MOST_MEMORY_MB


def _row(row: Row, ours: Build, bases: Mapping[str, Build], body: bytes, rounds: int) -> bool:
    ours.turn(row.detailed, body)
    ratios: dict[str, list[float]] = {name: [] for name in bases}
    for number in range(rounds):
        turns = [(None, ours, row.detailed), *((name, build, row.plain) for name, build in bases.items())]
        # The order changes, so that none always follows the other.
        taken = {name: build.turn(work, body) for name, build, work in turns[:: -1 if number % 2 else 1]}
        for name, values in ratios.items():
            values.append(taken[None] / taken[name])
    for name, values in ratios.items():
        bounds = f" (floor {row.floor}, goal {row.goal})" if name == _PLAIN else ""
        print(f"{row.name}: {_spread(values)} times {name}{bounds}")
    return statistics.median(ratios[_PLAIN]) <= row.floor


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
