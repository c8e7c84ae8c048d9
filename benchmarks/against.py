"""Compares this tree with another revision, both in the same environment, in turns.

    python -m benchmarks against REV [--rounds 9] [--most 1.1]

Both services run with one worker and are suspended except in their own turns. A row is the CPU time of the server for
each request, or of the pipeline without HTTP, or the server's memory, as a ratio of this tree to the revision: the
median of the rounds and the interval that contains the true median in 95 of 100 cases. A row has moved when the
interval excludes 1.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import pictures, processes
from benchmarks.contestants import SERVICE_ENVIRONMENT, Limit
from benchmarks.form import CONTENT_TYPE, form
from benchmarks.plan import GROUP, NO_FACE, ONE_FACE, SEVENTH, TWELVE_MP, Work, batch
from benchmarks.processes import Server

ROOT = Path(__file__).resolve().parents[1]
WORKS = (ONE_FACE, NO_FACE, SEVENTH, GROUP, TWELVE_MP, batch(8))
REQUESTS = {TWELVE_MP.name: 12, GROUP.name: 20, batch(8).name: 10}
"""Requests of one turn, where the usual number takes long."""
USUAL_REQUESTS, WARM_REQUESTS = 60, 10
STARTS = 3
BARE_SECONDS = 0.5
TITLES = {
    "bare": "one face, 640×480, without HTTP",
    ONE_FACE.name: "one face, 640×480",
    NO_FACE.name: "no face, 640×480",
    SEVENTH.name: "a face of a seventh of the width",
    GROUP.name: "six faces, 1440×960",
    TWELVE_MP.name: "one face, 12 MP",
    batch(8).name: "a batch of eight",
    "memory": "memory at rest",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A ratio of this tree to the other revision: the median, and the interval that contains the true one."""

    name: str
    value: float
    low: float
    high: float

    @property
    def moved(self) -> bool:
        return not self.low <= 1 <= self.high


class Build:
    """One of the two trees, and its service."""

    def __init__(self, name: str, tree: Path, logs: Path) -> None:
        self.name = name
        self._tree = tree
        self._log = logs / f"against-{name}.log"
        self.start()

    def stop(self) -> None:
        """Stops the server that was started last."""
        self.server.stop()

    def start(self) -> None:
        self._port = processes.free_port()
        environment = {"MODELS_DIR": str(self._tree / "models"), "PORT": str(self._port), "WORKERS": "1"}
        command = (sys.executable, "-m", "app")
        self.server = Server(command, {**SERVICE_ENVIRONMENT, **environment}, self._log, folder=self._tree)
        self.server.wait_ready(self._port, "/health/ready")

    def memory(self) -> float:
        """Megabytes at rest after a few requests."""
        return self.server.memory().resident

    def turn(self, work: Work, body: bytes) -> float:
        """CPU milliseconds of the server for each request."""
        count = REQUESTS.get(work.name, USUAL_REQUESTS)
        self.server.resume()
        try:
            self.send(work, body, max(count // 6, 1))
            before = self.server.precise_cpu_seconds()
            self.send(work, body, count)
            return 1000 * (self.server.precise_cpu_seconds() - before) / count
        finally:
            self.server.suspend()

    def send(self, work: Work, body: bytes, count: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        for _ in range(count):
            connection.request("POST", work.path, body, {"Content-Type": CONTENT_TYPE})
            response = connection.getresponse()
            content = response.read()
            if response.status != work.status:
                raise RuntimeError(f"{self.name} returned {response.status} to {work.name}: {content[:300]!r}")
        connection.close()


def compare(revision: str, build: Path, rounds: int) -> list[Row]:
    """The rows of a comparison. The pictures of this tree are sent to both."""
    photos = pictures.make_pictures(build / "pictures")
    bodies = {work: form(photos[work.picture].read_bytes(), work.field, work.pictures) for work in WORKS}
    logs = build / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with checked_out(revision, build / "against") as tree, contextlib.ExitStack() as ends:
        builds = []
        for name, folder in (("this", ROOT), ("other", tree)):
            builds.append(Build(name, folder, logs))
            ends.callback(builds[-1].stop)
        ours, theirs = builds
        bare = _bare_pipelines(tree, logs, photos[ONE_FACE.picture], rounds)
        memory = _memories(ours, theirs, bodies[ONE_FACE])
        rows = [row("memory", memory), row("bare", bare)]
        for work in WORKS:
            _note(f"{TITLES[work.name]}: {rounds} rounds.")
            rows.append(row(work.name, [_pair(ours, theirs, work, bodies[work], number) for number in range(rounds)]))
    return rows


def _bare_pipelines(tree: Path, logs: Path, photo: Path, rounds: int) -> list[float]:
    """CPU time of the pipeline alone, in turns. A process waits for its next turn without using the CPU."""
    _note(f"{TITLES['bare']}: {rounds} rounds.")
    with contextlib.ExitStack() as ends:
        loops = []
        for name, folder in (("this", ROOT), ("other", tree)):
            loops.append(Limit(1, folder / "models", logs / f"against-bare-{name}.log", folder=folder))
            ends.callback(loops[-1].stop)
        expected = loops[0].label(ONE_FACE, photo)
        ratios = []
        for number in range(rounds):
            order = loops if number % 2 == 0 else loops[::-1]
            taken = {loop: _bare_turn(loop, photo, expected) for loop in order}
            ratios.append(taken[loops[0]] / taken[loops[1]])
        return ratios


def _bare_turn(loop: Limit, photo: Path, expected: str) -> float:
    """CPU seconds of the pipeline for a picture, after a short turn to warm its caches."""
    loop.run(ONE_FACE, photo, 1, BARE_SECONDS / 5, expected)
    found = loop.run(ONE_FACE, photo, 1, BARE_SECONDS, expected)
    if found["wrong"]:
        raise RuntimeError(f"{found['wrong']} of {found['requests']} pictures got another label than {expected}.")
    return float(found["cpu"] / found["requests"])


def _memories(ours: Build, theirs: Build, body: bytes) -> list[float]:
    ratios = []
    for number in range(STARTS):
        _note(f"Start {number + 1} of {STARTS}.")
        for build in (ours, theirs):
            if number:
                build.server.stop()
                build.start()
            build.send(ONE_FACE, body, WARM_REQUESTS)
        ratios.append(ours.memory() / theirs.memory())
    for build in (ours, theirs):
        build.server.suspend()
    return ratios


def _pair(ours: Build, theirs: Build, work: Work, body: bytes, number: int) -> float:
    """One round. The order changes, so that neither always follows the other."""
    if number % 2:
        their_time = theirs.turn(work, body)
        return ours.turn(work, body) / their_time
    our_time = ours.turn(work, body)
    return our_time / theirs.turn(work, body)


@contextlib.contextmanager
def checked_out(revision: str, folder: Path) -> Iterator[Path]:
    """The files of a revision in a folder, which is removed afterwards."""
    git = ("git", "-C", str(ROOT), "worktree")
    subprocess.run([*git, "remove", "--force", str(folder)], check=False, capture_output=True)
    subprocess.run([*git, "add", "--quiet", "--detach", "--force", str(folder), revision], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def row(name: str, values: Sequence[float]) -> Row:
    """The median of the ratios of all rounds and its interval, from their order alone."""
    ordered = sorted(values)
    skipped = rank(len(ordered))
    return Row(name, median(ordered), ordered[skipped], ordered[-1 - skipped])


def rank(count: int) -> int:
    """How many of the least and of the largest values lie outside the interval: at most 2.5 % at each end.

    Below six values there is no such interval, and it spans all of them.
    """
    below, skipped = 0.0, -1
    while below <= 0.025:
        skipped += 1
        below += math.comb(count, skipped) / 2**count
    return max(skipped - 1, 0)


def table(rows: Sequence[Row]) -> str:
    lines = ["| this tree / the other | ratio | 95 % interval | moved |", "| --- | --- | --- | --- |"]
    for each in rows:
        moved = "" if not each.moved else "less" if each.value < 1 else "**more**"
        cells = (TITLES[each.name], f"{each.value:.3f}", f"{each.low:.3f} to {each.high:.3f}", moved)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def save(rows: Sequence[Row], revision: str, path: Path) -> None:
    written = [{"name": row.name, "value": row.value, "low": row.low, "high": row.high} for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"revision": revision, "rows": written}, indent=1) + "\n")


def losses(rows: Sequence[Row], most: float) -> list[str]:
    """The rows that moved and take more than ``most`` times as much."""
    return [TITLES[row.name] for row in rows if row.moved and row.value > most]


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
