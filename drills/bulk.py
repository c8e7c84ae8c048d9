"""Drill: a run over an archive at the rate of the bare pipeline, killed and resumed, on Ray, and an hour of video.

The pictures are those of ``wild-dev`` (DATA) at several sizes, one in a hundred damaged; without DATA, the samples.
What is compared takes turns: a process waits, stopped, while the other has the cores.
"""

from __future__ import annotations

import importlib.util
import itertools
import multiprocessing
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import psutil
from PIL import Image

from app.config import load_settings
from app.errors import VisageError
from app.inference.registry import load_registry
from app.pipeline import ClassifyOptions, DetectOptions, go_on
from app.service import Factories
from app.system import configure_allocator
from app.vision.mesh import MeshLoader
from bulk.score import PART_SIZE
from drills.report import Report, run

ROOT: Final = Path(__file__).parents[1]
SIDES: Final = (0, 0, 0, 480, 640, 1080)
"""Shorter sides that pictures are brought to; 0 leaves them as they are."""
SHORT, LONG = 3000, 20_000
KILLS: Final = 10
SLICE: Final = 4.0
"""Seconds of a turn of two runs."""
MOST_ON_RAY: Final = 8000


def drill(report: Report) -> None:
    count = LONG if report.long else SHORT
    with tempfile.TemporaryDirectory(prefix="visage-bulk-") as name:
        folder = Path(name)
        corpus = make_corpus(folder / "corpus", count)
        rate = throughput(report, corpus, folder, count)
        resumed(report, corpus, folder, count / rate)
        on_ray(report, corpus, folder, min(count, MOST_ON_RAY))
        hour(report, folder)


def make_corpus(folder: Path, count: int) -> Path:
    """Pictures of mixed sizes, every hundredth of them cut off."""
    folder.mkdir()
    originals = _originals(folder.parent / "originals")
    draw = random.Random(1)
    for number in range(count):
        target = folder / f"{number:06}.jpg"
        original, side = draw.choice(originals), draw.choice(SIDES)
        if side:
            with Image.open(original) as picture:
                factor = side / min(picture.size)
                size = tuple(round(length * factor) for length in picture.size)
                picture.convert("RGB").resize((size[0], size[1])).save(target, quality=85)
        else:
            shutil.copy(original, target)
        if number % 100 == 0:
            target.write_bytes(target.read_bytes()[:200])
    return folder


def _originals(folder: Path) -> list[Path]:
    archive = Path(os.environ.get("DATA", "data")) / "wild-dev.zip"
    if not archive.is_file():
        return [ROOT / "sample_images" / f"{name}_sample.jpg" for name in ("happy", "neutral")]
    with zipfile.ZipFile(archive) as pictures:
        pictures.extractall(folder)
    return sorted(folder.glob("*.jpg"))


class Run:
    """A run in a process of its own that takes turns with others."""

    def __init__(self, source: Path, out: Path, *more: str) -> None:
        self.out = out
        self.seconds = 0.0
        """For how long it has run."""
        self.whole: list[float] = []
        """After how many of these seconds each part was there."""
        self.resident: list[int] = []
        """Bytes of memory that it had in this turn."""
        self.cpu = 0.0
        self.process = psutil.Process(start(source, out, *more).pid)
        self._signal(signal.SIGSTOP)

    def go_on(self, *, parts: int | None = None, seconds: float | None = None) -> None:
        """Lets the run go on until so many parts are there or so many seconds have passed, or to its end."""
        self._signal(signal.SIGCONT)
        before, started = self.seconds, time.perf_counter()
        self.resident.clear()
        while self.running():
            self.seconds = before + time.perf_counter() - started
            with suppress(psutil.Error):
                self.resident.append(self.process.memory_info().rss)
                self.cpu = sum(self.process.cpu_times()[:2])
            self._count_parts()
            if parts is not None and len(self.whole) >= parts:
                break
            if seconds is not None and self.seconds - before >= seconds:
                break
            # Looking takes a millisecond of a core that the run could have.
            time.sleep(0.1)
        # Its last part may have come between the last look and its end.
        self._count_parts()
        self._signal(signal.SIGSTOP)

    def _count_parts(self) -> None:
        self.whole += [self.seconds] * (len(list(self.out.glob("part-*"))) - len(self.whole))

    def running(self) -> bool:
        with suppress(psutil.Error):
            return bool(self.process.status() != psutil.STATUS_ZOMBIE)
        return False

    @property
    def parts_a_second(self) -> float:
        """The rate from the second part to the last."""
        return (len(self.whole) - 2) / (self.whole[-1] - self.whole[1])

    def _signal(self, number: signal.Signals) -> None:
        with suppress(psutil.Error):
            for process in [self.process, *self.process.children(recursive=True)]:
                with suppress(psutil.Error):
                    process.send_signal(number)


def throughput(report: Report, corpus: Path, folder: Path, count: int) -> float:
    """Runs over the archive and the bare pipeline, part by part in turns. Returns pictures a second."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    spawn.Process(target=bare_pipeline, args=(corpus, theirs), daemon=True).start()
    archive = Run(corpus, folder / "out")
    parts = -(-count // PART_SIZE)
    bare, bare_cpu, cpu, resident = [], [], [], []
    for part in range(parts):
        ours.send((part * PART_SIZE, (part + 1) * PART_SIZE))
        seconds, cpu_seconds = ours.recv()
        bare.append(seconds)
        bare_cpu.append(cpu_seconds)
        archive.go_on(parts=part + 1)
        # Pictures under way are a part of it, so that one moment says little.
        resident.append(statistics.median(archive.resident))
        cpu.append(archive.cpu)
    archive.go_on()
    ours.send(None)
    took = [after - before for before, after in itertools.pairwise(archive.whole)]
    shares = [one / other for one, other in zip(bare[1:], took, strict=True)]
    report.figure("pictures a second", count / archive.seconds)
    spread = f"{min(shares):.3f} to {max(shares):.3f}"
    report.note(f"a part after the first, as a share of the bare pipeline's rate: {spread}")
    report.figure("their median", statistics.median(shares), at_least=0.95)
    # The start of the process counts, which a short run feels.
    at_least = 0.95 if report.long else 0.85
    report.figure("the whole run, with its start", sum(bare) / archive.seconds, at_least=at_least)
    report.figure("CPU time, times that of the bare pipeline", (cpu[-1] - cpu[0]) / sum(bare_cpu[1:]))
    share = resident[-1] / resident[1]
    report.figure("memory of the last part, as a share of that of the second", share, at_most=1.05)
    found = rows(folder / "out")
    report.check("each picture is there once", [row["index"] for row in found] == list(range(count)))
    damaged = sum(row["error"] in {"invalid_image", "unsupported_media_type"} for row in found)
    report.check("those that are damaged say so", damaged == len(range(0, count, 100)), f"{damaged}")
    return count / archive.seconds


def bare_pipeline(corpus: Path, connection: Connection) -> None:
    """Runs pictures that are in memory through pipelines on all workers. Sends the seconds and those of CPU."""
    configure_allocator()
    settings = load_settings()
    model, mesh = load_registry(settings).get(), MeshLoader(settings.models_dir)
    pipelines = [Factories().build_pipeline(settings, mesh) for _ in os.sched_getaffinity(0)]
    files = sorted(corpus.iterdir())
    seconds_of(pipelines, model, [path.read_bytes() for path in files[:100]])
    while (asked := connection.recv()) is not None:
        pictures = [path.read_bytes() for path in files[slice(*asked)]]
        cpu = time.process_time()
        connection.send((seconds_of(pipelines, model, pictures), time.process_time() - cpu))


def seconds_of(pipelines: Sequence[Any], model: Any, pictures: Sequence[bytes]) -> float:
    waiting, lock = iter(pictures), threading.Lock()

    def work(number: int) -> None:
        while True:
            with lock:
                picture = next(waiting, None)
            if picture is None:
                return
            try:
                detected = pipelines[number].detect(picture, DetectOptions("all"), go_on)
                pipelines[number].predict(detected, model, ClassifyOptions(), go_on)
            except VisageError:
                continue

    started = time.perf_counter()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(pipelines))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def start(source: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bulk", "score", str(source), "--out", str(out), "--quiet", *more]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)


def rows(out: Path) -> list[dict[str, Any]]:
    """The rows with a number of their own for each item: the first face of each."""
    from pyarrow import parquet

    tables = (parquet.read_table(path).to_pylist() for path in sorted(out.glob("part-*")))
    return [row for table in tables for row in table if not row["face"]]


def resumed(report: Report, corpus: Path, folder: Path, seconds: float) -> None:
    """Kills a run at random moments and starts it again."""
    out, draw = folder / "killed", random.Random(2)
    for _ in range(KILLS):
        process = start(corpus, out)
        try:
            process.wait(draw.uniform(0.05, 0.3) * seconds + 2)
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
    start(corpus, out).wait()
    same = all((out / path.name).read_bytes() == path.read_bytes() for path in (folder / "out").glob("part-*"))
    report.check(f"the same rows after {KILLS} times kill -9, to the byte", same)
    report.check("nothing unfinished is left", not list(out.glob(".unfinished-*")))


def on_ray(report: Report, corpus: Path, folder: Path, count: int) -> None:
    """Runs over the same pictures on Ray with two actors and on two local threads, in turns."""
    if importlib.util.find_spec("ray") is None:
        report.note("Ray is not installed (make ray-install): its part is left out.")
        return
    limit = ("--limit", str(count))
    local = Run(corpus, folder / "local", "--workers", "2", *limit)
    ray = Run(corpus, folder / "ray", "--engine", "ray", "--actors", "2", *limit)
    while local.running() or ray.running():
        local.go_on(seconds=SLICE)
        ray.go_on(seconds=SLICE)
    share = ray.parts_a_second / local.parts_a_second
    report.figure("Ray with two actors, as a share of the local engine", share, at_least=0.85)
    report.figure("with the start of both (of many parts, it counts little)", local.seconds / ray.seconds)
    same = all((ray.out / path.name).read_bytes() == path.read_bytes() for path in local.out.glob("part-*"))
    report.check("the rows of Ray are the same, to the byte", same and len(local.whole) == len(ray.whole))


def hour(report: Report, folder: Path) -> None:
    """Reads an hour of video of a moving face, five frames a second."""
    minutes = 60 if report.long else 6
    video = make_video(folder / "videos" / "hour.mp4", minutes)
    out = folder / "video"
    process, started = start(video, out, "--fps", "5"), time.perf_counter()
    resident, first_rows, watched = [0], 0, psutil.Process(process.pid)
    while process.poll() is None:
        with suppress(psutil.Error):
            resident.append(watched.memory_info().rss)
        # The first rows that are written load Arrow.
        if not first_rows and any(path.stat().st_size > 1000 for path in out.glob(".unfinished-*.parquet")):
            first_rows = len(resident) + 10
        time.sleep(0.2)
    seconds = time.perf_counter() - started
    report.figure(f"{minutes} minutes of video take", seconds, "s", at_most=minutes * 60)
    if report.long:
        share = max(resident[-20:]) / resident[first_rows]
        report.figure("memory at its end, as a share of that after its first rows", share, at_most=1.05)
    frames = rows(out)
    report.check("every fifth of a second has its row", len(frames) == minutes * 60 * 5, f"{len(frames)}")


def make_video(path: Path, minutes: int) -> Path:
    import av
    import numpy as np

    path.parent.mkdir()
    with Image.open(ROOT / "sample_images" / "happy_sample.jpg") as picture:
        face = picture.convert("RGB").resize((360, 360))
    frames = []
    for number in range(50):
        frame = Image.new("RGB", (640, 480), (90, 90, 90))
        frame.paste(face, (10 + 5 * min(number, 50 - number), 60))
        frames.append(np.asarray(frame))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(minutes * 600):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frames[number % 50], format="rgb24")))
        container.mux(stream.encode())
    return path


if __name__ == "__main__":
    run("bulk", drill)
