"""A run of the benchmarks, from making the pictures to the last turn. It stops every server that it starts."""

from __future__ import annotations

import contextlib
import datetime
import functools
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine, networks, pictures, processes
from benchmarks.contestants import TITLES, Contestant, Files, Limit, Running, contestants, measured
from benchmarks.form import CONTENT_TYPE, form
from benchmarks.load.closed import Measured, Request, closed_loop
from benchmarks.load.opened import open_loop
from benchmarks.plan import CAPACITY, ONE_FACE, Cell, Group, OpenCell, Plan, Work
from benchmarks.processes import CoreLimit, MemoryWatch, Server
from benchmarks.results import CellResult, Footprint, Network, OpenResult, QuotaResult, Results, Turn

_WARM_REQUESTS = 24
_WORKERS = 2
_DISTURBED = 0.08
"""Share of all cores above which other processes cause a turn to be repeated."""
_TRIES = 3
_STAGES_SECONDS = 0.5

_PUBLISHED = (
    # Networks of others, with their published accuracy.
    ("ResNet18, 224 px", "resnet18", 0.8588, "FER+ 7 classes, plurality; ImageNet weights"),
    ("ResNet18, 224 px, int8", "resnet18-int8", 0.8556, "FER+ 7 classes, plurality; ImageNet weights"),
    ("VGG13, 64 px", "vgg13", 0.8499, "FER+ 8 classes, majority"),
    ("EfficientNet-B0, 224 px", "efficientnet_b0", None, "no figure on FER+ is published"),
)


class Bench:
    """A run. ``note`` is called with progress messages, ``keep`` with the results so far after each part.

    A part that fails is listed in the results' failures, and the others continue.
    """

    def __init__(
        self, plan: Plan, build: Path, models: Path, note: Callable[[str], None], keep: Callable[[Results], None]
    ) -> None:
        self._plan = plan
        self._build = build
        self._models = models
        self._note = note
        self._keep = keep
        self._running: dict[str, Running] = {}
        self._expected: dict[tuple[str, str], str] = {}

    def run(self) -> Results:
        started = time.perf_counter()
        self._note("Making pictures and networks.")
        self._pictures = pictures.make_pictures(self._build / "pictures")
        self._files = _files(self._build, self._models)
        self._contestants = contestants(self._files, _WORKERS)
        self._results = Results(
            taken=datetime.datetime.now(datetime.UTC).date().isoformat(),
            plan=self._plan.name,
            rounds=self._plan.rounds,
            seconds=self._plan.seconds,
            machine=machine.machine(),
            versions=machine.versions(),
            pictures={name: {"bytes": path.stat().st_size} for name, path in self._pictures.items()},
        )
        with contextlib.ExitStack() as ends:
            self._limit = Limit(_WORKERS, self._models, self._build / "logs" / "limit.log")
            ends.callback(self._limit.stop)
            ends.callback(self._stop_all)
            self._start_all()
            self._part("cold starts", self._cold_starts)
            for group in self._plan.groups:
                self._part(group.name, functools.partial(self._take_turns, group))
                self._part("stages", self._take_stages)
            for cell in self._plan.open:
                self._part(cell.name, functools.partial(self._open, cell))
            self._stop_all()
            for cores in self._plan.quotas:
                self._part(f"a quota of {cores:g} cores", functools.partial(self._quota, cores))
        self._part("networks", self._networks)
        self._part("load generators", self._generators)
        self._results.duration = time.perf_counter() - started
        return self._results

    def _part(self, name: str, measure: Callable[[], None]) -> None:
        try:
            measure()
        except Exception as error:
            reason = f"{name}: {type(error).__name__}: {str(error)[:500]}"
            self._note(reason)
            self._results.failures.append(reason)
        self._keep(self._results)

    def _start_all(self) -> None:
        wanted = {cell.contestant for group in self._plan.groups for cell in group.cells} - {"limit"}
        for name, contestant in self._contestants.items():
            if name in wanted:
                self._note(f"Starting {TITLES[name]}.")
                running = Running(contestant, self._build / "logs")
                self._running[name] = running
                self._warm(running)
                memory = running.server.memory()
                self._results.footprints.append(
                    Footprint(name, [running.cold_start], memory.resident, memory.proportional)
                )
                running.server.suspend()

    def _stop_all(self) -> None:
        for running in self._running.values():
            running.stop()
        self._running.clear()

    def _cold_starts(self) -> None:
        """Starts the service several times while the others are suspended. The disk cache is warm already."""
        footprint = next(f for f in self._results.footprints if f.contestant == "visage")
        footprint.cold_starts.clear()
        for _ in range(self._plan.cold_starts):
            running = Running(self._contestants["visage"], self._build / "logs", tag="-start")
            footprint.cold_starts.append(running.cold_start)
            running.stop()

    def _take_turns(self, group: Group) -> None:
        results = [CellResult(cell.contestant, cell.work.name, cell.connections) for cell in group.cells]
        rounds = min(group.rounds or self._plan.rounds, self._plan.rounds)
        for number in range(rounds):
            self._note(f"{group.name}: round {number + 1} of {rounds}.")
            # Every second round is reversed, so that no contestant always follows the same one.
            cells = group.cells if number % 2 == 0 else group.cells[::-1]
            turns = {cell: self._undisturbed(cell, self._plan.seconds * group.stretch) for cell in cells}
            for cell, result in zip(group.cells, results, strict=True):
                result.turns.append(turns[cell])
            # Only whole rounds count.
            self._results.groups[group.name] = results

    def _undisturbed(self, cell: Cell, seconds: int) -> Turn:
        """Repeats a turn while other processes use the machine, and returns the least disturbed one.

        The number of repetitions is limited, both for a turn and for the run.
        """
        turns = [self._turn(cell, seconds)]
        most = sum(len(group.cells) for group in self._plan.groups)
        while turns[-1].elsewhere > _DISTURBED and len(turns) < _TRIES and self._results.repeated < most:
            self._results.repeated += 1
            turns.append(self._turn(cell, seconds))
        return min(turns, key=lambda turn: turn.elsewhere)

    def _turn(self, cell: Cell, seconds: int) -> Turn:
        picture = self._pictures[cell.work.picture]
        if cell.contestant == "limit":
            expected = self._expect(cell.work)
            self._limit.run(cell.work, picture, cell.connections, self._plan.warm_up, expected)
            others = _Others()
            found = self._limit.run(cell.work, picture, cell.connections, seconds, expected)
            return _turn(measured(found), cpu=found["cpu"], elsewhere=others.share(found["cpu"]))
        running = self._running[cell.contestant]
        footprint = next(f for f in self._results.footprints if f.contestant == cell.contestant)
        with _resumed(running.server):
            request = self._request(running, cell.work)
            self._warm_again(running, cell.work)
            turn = _measured(running.server, cell.work, lambda: closed_loop(request, cell.connections, seconds))
        footprint.peak_mb = max(footprint.peak_mb, turn.peak_mb)
        return turn

    def _open(self, cell: OpenCell) -> None:
        capacity = self._capacity() * cell.share
        result = OpenResult(cell.contestant, cell.share, cell.arrivals, capacity)
        self._results.open.append(result)
        self._note(f"Open loop: {capacity:.0f} requests a second, {cell.arrivals} arrivals.")
        running = self._running[cell.contestant]
        with _resumed(running.server):
            request = self._request(running, ONE_FACE)
            self._warm_again(running, ONE_FACE)
            # Other arrivals in each round: with the same ones, p99 / p50 would be theirs, not the server's.
            for number in range(self._plan.open_rounds):
                asked = (request, capacity, self._plan.open_seconds, cell.arrivals, number)
                load = functools.partial(open_loop, *asked)
                result.turns.append(_measured(running.server, ONE_FACE, load))

    def _capacity(self) -> float:
        cells = [
            cell
            for cell in self._results.cells
            if (cell.contestant, cell.work, cell.connections)
            == (CAPACITY.contestant, CAPACITY.work.name, CAPACITY.connections)
        ]
        return median(value for cell in cells for value in cell.all("throughput"))

    def _quota(self, cores: float) -> None:
        self._note(f"A quota of {cores:g} cores.")
        with processes.quota(cores) as limit:
            self._limited(cores, limit)

    def _limited(self, cores: float, limit: CoreLimit) -> None:
        # Without WORKERS, the service chooses the number of workers itself.
        ours = self._contestants["visage"]
        environment = {name: value for name, value in ours.environment.items() if name != "WORKERS"}
        free = Contestant(ours.name, ours.command, ours.ready, environment)
        running = Running(free, self._build / "logs", prefix=limit.prefix, tag="-quota")
        try:
            result = QuotaResult(cores, limit.how, running.cold_start)
            request = self._request(running, ONE_FACE)
            self._warm(running)
            for _ in range(self._plan.rounds):
                result.turns.append(
                    _measured(running.server, ONE_FACE, lambda: closed_loop(request, 8, self._plan.seconds))
                )
            self._results.quotas.append(result)
        finally:
            running.stop()

    def _take_stages(self) -> None:
        """The time of the pipeline's stages on one thread, without HTTP."""
        works = {cell.work.name: cell.work for group in self._plan.groups for cell in group.cells}
        for work in works.values():
            if work.status == 200 and work.field == "file":
                picture = self._pictures[work.picture]
                found = self._limit.run(work, picture, 1, _STAGES_SECONDS, self._expect(work))
                self._results.stages.setdefault(work.name, []).append({**found["stages"], "total": found["p50"]})

    def _networks(self) -> None:
        self._note("Timing networks.")
        folder = self._build / "networks"
        files = {name: folder / f"{file}.onnx" for name, file, _, _ in _PUBLISHED}
        own = _own_models(self._models)
        files |= {name: path for name, (path, _, _) in own.items()}
        found = _program("benchmarks.servers.networks_loop", *(f"{name}={path}" for name, path in files.items()))
        for name, _, accuracy, protocol in _PUBLISHED:
            self._results.networks.append(Network(name, found[name], accuracy, protocol, ours=False))
        for name, (_, accuracy, protocol) in own.items():
            self._results.networks.append(Network(name, found[name], accuracy, protocol, ours=True))

    def _generators(self) -> None:
        """CPU and latency of the load generators themselves, and the most load that wrk can send."""
        self._note("Measuring the load generators.")
        port = processes.free_port()
        command = (sys.executable, "-m", "benchmarks.servers.null_server", str(port))
        server = Server(command, {}, self._build / "logs" / "null.log")
        try:
            # It responds only to requests with a body, so it has no ready path.
            request = self._null_request(port)
            _wait_for_port(port)
            closed = closed_loop(request, 8, self._plan.seconds)
            rate = self._capacity() * 0.8
            opened = open_loop(request, rate, self._plan.seconds, "even")
        finally:
            server.stop()
        self._results.generator = {
            "wrk_most": closed.throughput,
            "wrk_cpu_ms": closed.generator_cpu / closed.requests * 1000,
            "wrk_wrong": closed.wrong,
            "open_rate": rate,
            "open_cpu_ms": opened.generator_cpu / opened.requests * 1000,
            "open_p50": opened.p50,
            "open_p99": opened.p99,
        }

    def _null_request(self, port: int) -> Request:
        return Request(port, "/predict", self._body(ONE_FACE), 200, '"emotion":"null"')

    def _request(self, running: Running, work: Work) -> Request:
        return Request(running.port, work.path, self._body(work), work.status, self._expected_text(running, work))

    def _body(self, work: Work) -> Path:
        path = self._build / "bodies" / f"{work.name}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = form(self._pictures[work.picture].read_bytes(), work.field, work.pictures)
        if not path.exists() or path.stat().st_size != len(content):
            path.write_bytes(content)
        return path

    def _expected_text(self, running: Running, work: Work) -> str:
        """Text that every correct response contains."""
        if work.status != 200:
            return self._expect(work)
        if work.pictures > 1:
            return f'"succeeded":{work.pictures},'
        if running.contestant.own_pipeline:
            return f'"emotion":"{self._expect(work)}"'
        key = (running.contestant.name, work.picture)
        if key not in self._expected:
            self._expected[key] = _send(running.port, work, self._body(work))["emotion"]
        return f'"emotion":"{self._expected[key]}"'

    def _expect(self, work: Work) -> str:
        """The label of a picture without HTTP, or the code of its error."""
        key = ("limit", work.picture)
        if key not in self._expected:
            self._expected[key] = self._limit.label(work, self._pictures[work.picture])
        found = self._expected[key]
        if work.status == 422 and found != "no_face_detected":
            raise RuntimeError(f"The picture {work.picture} shows no face, but the pipeline's result is {found}.")
        return found

    def _warm(self, running: Running) -> None:
        for _ in range(_WARM_REQUESTS):
            _send(running.port, ONE_FACE, self._body(ONE_FACE))

    def _warm_again(self, running: Running, work: Work) -> None:
        """Sends requests to a process that was suspended, until its caches are warm."""
        until = time.perf_counter() + self._plan.warm_up
        while time.perf_counter() < until:
            _send(running.port, work, self._body(work))


class _Others:
    """CPU of other processes since the object was created."""

    def __init__(self) -> None:
        self._started = time.perf_counter(), processes.busy_seconds(), time.process_time()

    def share(self, ours: float) -> float:
        """As a share of all cores, without this process and without ``ours`` CPU seconds."""
        now, busy, own = time.perf_counter(), processes.busy_seconds(), time.process_time()
        begun, busy_then, own_then = self._started
        taken = busy - busy_then - (own - own_then) - ours
        return max(taken / (now - begun) / (os.cpu_count() or 1), 0.0)


def _measured(server: Server, work: Work, load: Callable[[], Measured]) -> Turn:
    """One turn under load, with the CPU and memory of the server."""
    before, others = server.cpu_seconds(), _Others()
    with MemoryWatch(server) as watch:
        found = load()
    cpu = server.cpu_seconds() - before
    elsewhere = others.share(cpu + found.generator_cpu)
    return _turn(found, cpu=cpu, pictures=work.pictures, peak=watch.peak, elsewhere=elsewhere)


def _turn(found: Measured, *, cpu: float, pictures: int = 1, peak: float = 0.0, elsewhere: float = 0.0) -> Turn:
    count = max(found.requests * pictures, 1)
    return Turn(
        throughput=found.throughput * pictures,
        p50=found.p50,
        p95=found.p95,
        p99=found.p99,
        longest=found.longest,
        wrong=found.wrong,
        cpu_ms=cpu / count * 1000,
        generator_cpu_ms=found.generator_cpu / count * 1000,
        peak_mb=peak,
        elsewhere=elsewhere,
    )


@contextlib.contextmanager
def _resumed(server: Server) -> Iterator[None]:
    server.resume()
    try:
        yield
    finally:
        server.suspend()


def _files(build: Path, models: Path) -> Files:
    folder = build / "networks"
    plain, resnet18_int8 = folder / "efficientnet_b0.onnx", folder / "resnet18-int8.onnx"
    if not plain.exists():
        networks.efficientnet_b0(plain)
    if not (folder / "vgg13.onnx").exists():
        networks.vgg13(folder / "vgg13.onnx")
    if not resnet18_int8.exists():
        networks.int8(networks.resnet18(folder / "resnet18.onnx"), resnet18_int8)
    resnet18_models = networks.resnet18_models(build / "resnet18", resnet18_int8, models / "face_detector")
    return Files(build, models, plain, resnet18_models)


def _own_models(models: Path) -> dict[str, tuple[Path, float | None, str]]:
    """The service's models, with the accuracy in their manifests."""
    found = {}
    for path in sorted(models.glob("*/manifest.json")):
        manifest = json.loads(path.read_text())
        metrics = manifest.get("metrics", {})
        accuracy = _accuracy(metrics)
        name = f"Visage {manifest['name']}, {manifest['input']['width']} px"
        found[name] = (path.parent / manifest["file"], accuracy, "FER+ 7 classes, plurality")
    return found


def _accuracy(metrics: dict[str, Any]) -> float | None:
    value = metrics.get("ferplus7_plurality_accuracy")
    return float(value) if isinstance(value, int | float) else None


def _send(port: int, work: Work, body: Path) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", work.path, body.read_bytes(), {"Content-Type": CONTENT_TYPE})
    response = connection.getresponse()
    result: dict[str, Any] = json.loads(response.read())
    connection.close()
    if response.status != work.status:
        raise RuntimeError(f"A contestant returned {response.status} to {work.name}: {str(result)[:300]}")
    return result


def _program(module: str, *arguments: str) -> dict[str, Any]:
    output = subprocess.run([sys.executable, "-m", module, *arguments], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(output.stdout)
    return found


def _wait_for_port(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
            return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError("The null server does not listen.")
