"""Drill: a run over an archive at the rate of the bare pipeline, killed and resumed, and an hour of video.

The pictures are those of ``wild-dev`` (DATA) at several sizes, one in a hundred damaged; without DATA, the samples.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any, Final

import psutil
from PIL import Image

from app.config import load_settings
from app.errors import VisageError
from app.inference.registry import load_registry
from app.pipeline import ClassifyOptions, DetectOptions
from app.service import Factories
from app.vision.mesh import MeshLoader
from drills.report import Report, run

ROOT: Final = Path(__file__).parents[1]
SIDES: Final = (0, 0, 0, 480, 640, 1080)
"""Shorter sides that pictures are brought to; 0 leaves them as they are."""
SHORT, LONG = 3000, 20_000
KILLS: Final = 10


def drill(report: Report) -> None:
    count = LONG if report.long else SHORT
    with tempfile.TemporaryDirectory(prefix="visage-bulk-") as name:
        folder = Path(name)
        corpus = make_corpus(folder / "corpus", count)
        rate = throughput(report, corpus, folder, count)
        resumed(report, corpus, folder, count / rate)
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


def throughput(report: Report, corpus: Path, folder: Path, count: int) -> float:
    """Runs over the archive beside the bare pipeline on as many threads, in turns. Returns pictures a second."""
    bare = [bare_rate(corpus, count // 4)]
    process, started = start(corpus, folder / "out"), time.perf_counter()
    early, late = memory_of(process, folder / "out")
    rate = count / (time.perf_counter() - started)
    bare.append(bare_rate(corpus, count // 4))
    report.figure("pictures a second", rate)
    # The start of the process counts, which a short run feels.
    at_least = 0.95 if report.long else 0.85
    report.figure("as a share of the bare pipeline's", rate / (sum(bare) / 2), at_least=at_least)
    report.figure("memory at the end, as a share of that after 1,000", late / early, at_most=1.05)
    found = rows(folder / "out")
    report.check("each picture is there once", [row["index"] for row in found] == list(range(count)))
    damaged = sum(row["error"] in {"invalid_image", "unsupported_media_type"} for row in found)
    report.check("those that are damaged say so", damaged == len(range(0, count, 100)), f"{damaged}")
    return rate


def bare_rate(corpus: Path, count: int) -> float:
    """Pictures a second of pipelines on all workers, with the bytes in memory and nothing written."""
    settings = load_settings()
    registry = load_registry(settings)
    model, mesh = registry.get(), MeshLoader(settings.models_dir)
    data = [path.read_bytes() for path in sorted(corpus.iterdir())[:count]]
    workers = len(os.sched_getaffinity(0))
    pipelines = [Factories().build_pipeline(settings, mesh) for _ in range(workers)]
    waiting = iter(data)
    lock = threading.Lock()

    def work(number: int) -> None:
        while True:
            with lock:
                picture = next(waiting, None)
            if picture is None:
                return
            try:
                detected = pipelines[number].detect(picture, DetectOptions("all"), lambda: None)
                pipelines[number].predict(detected, model, ClassifyOptions(), lambda: None)
            except VisageError:
                continue

    started = time.perf_counter()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count / (time.perf_counter() - started)


def start(source: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bulk", "score", str(source), "--out", str(out), "--quiet", *more]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)


def memory_of(process: subprocess.Popen[bytes], out: Path) -> tuple[int, int]:
    """Resident bytes once the first part is written, and the most of the last second of a run."""
    early, last = 0, [0]
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            resident = watched.memory_info().rss
        except psutil.Error:
            break
        if not early and any(out.glob("part-*")):
            early = resident
        last = [*last[-9:], resident]
        time.sleep(0.1)
    return early, max(last)


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


def hour(report: Report, folder: Path) -> None:
    """Reads an hour of video of one moving face, five frames a second."""
    minutes = 60 if report.long else 6
    video = make_video(folder / "videos" / "hour.mp4", minutes)
    out = folder / "video"
    process, started = start(video, out, "--fps", "5"), time.perf_counter()
    early, late, watched = 0, 0, psutil.Process(process.pid)
    while process.poll() is None:
        try:
            late = watched.memory_info().rss
        except psutil.Error:
            break
        if not early and time.perf_counter() - started > 10:
            early = late
        time.sleep(0.2)
    seconds = time.perf_counter() - started
    report.figure(f"{minutes} minutes of video take", seconds, "s", at_most=minutes * 60)
    # The first rows that are written load Arrow, which takes some 30 MB whatever the length.
    report.figure("memory at its end, above that after 10 s", (late - (early or late)) / 1e6, "MB", at_most=60)
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
