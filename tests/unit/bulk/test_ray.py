"""``visage score --engine ray`` on this machine: actors and nodes that come and go."""

from __future__ import annotations

import os
import pickle
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import psutil
import pytest

from app.config import load_settings
from app.inference.registry import load_registry
from bulk.engine import Part
from bulk.score import ScoreOptions, split
from bulk.sources import Item, find_items
from bulk.stops import Stop
from tests.process import free_port
from tests.unit.bulk.test_score import FACELESS, HAPPY, ROOT, rows

ray = pytest.importorskip("ray", reason="Ray is not installed (make ray-install).")

PROGRAM = "import bulk.score, bulk.__main__; bulk.score.PART_SIZE = 5; bulk.__main__.main()"
SECONDS = 240
"""Ray takes long to start where others have the cores."""
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT),
    "RAY_USAGE_STATS_ENABLED": "0",
    # What nodes and drivers of one cluster know one another by.
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(40):
        shutil.copy(HAPPY if number % 3 else FACELESS, many / f"{number:03}.jpg")
    return many


def start(source: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, "score", str(source), "--quiet", "--out", str(out), *more]
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


def said_by(process: subprocess.Popen[str], status: int) -> list[str]:
    """The lines that a run wrote before it ended with this status."""
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == status, said
    return said.strip().splitlines()


def parts(out: Path) -> int:
    return len(list(out.glob("part-*")))


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "It takes too long."
        time.sleep(0.05)


def named(process: subprocess.Popen[str], *words: str) -> list[psutil.Process]:
    """The processes that another has started whose command has one of these words."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):
            line = " ".join([child.name(), *child.cmdline()])
            if any(word in line for word in words):
                found.append(child)
    return found


def actors_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes in which actors of Ray score."""
    return named(process, "PartScorer", "MapWorker")


def test_the_rows_are_the_same_when_an_actor_is_killed(folder: Path, tmp_path: Path) -> None:
    said_by(start(folder, tmp_path / "local"), 0)
    process = start(folder, tmp_path / "ray", "--engine", "ray", "--actors", "2")
    until(lambda: parts(tmp_path / "ray"))
    own = actors_of(process)
    assert own, "Ray names the processes of its actors."
    own[0].send_signal(signal.SIGKILL)
    said_by(process, 0)
    assert rows(tmp_path / "ray") == rows(tmp_path / "local")


@contextmanager
def node(*options: str) -> Iterator[subprocess.Popen[str]]:
    """A node of Ray in processes of its own, all of which end with the block."""
    command = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus=1", *options]
    command += ["--disable-usage-stats", "--object-store-memory=100000000"]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    with suppress(psutil.Error):
        for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            with suppress(psutil.Error):
                child.kill()
    process.wait()


def make_readable(picture: Path) -> None:
    """Gives the process that waits for a picture its bytes, and leaves a plain file in its place."""
    with picture.open("wb") as pipe:
        plain = picture.with_suffix(".plain")
        shutil.copy(FACELESS, plain)
        plain.replace(picture)
        pipe.write(FACELESS.read_bytes())


def test_a_second_node_joins_takes_work_and_may_be_lost(folder: Path, tmp_path: Path) -> None:
    """The only actor of the first node waits for a picture, so what is done meanwhile is the second node's."""
    picture = folder / "000.jpg"
    picture.unlink()
    os.mkfifo(picture)
    # Pipes are only waited for where they are named.
    names = tmp_path / "names.txt"
    names.write_text("\n".join(map(str, sorted(folder.iterdir()))))
    # Ray listens on the address of the machine, also when it is told another.
    address = f"{ray.util.get_node_ip_address()}:{free_port()}"
    temporary = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # Longer names are too long for Ray's sockets.
    head = ["--head", f"--port={address.partition(':')[2]}", "--include-dashboard=false", f"--temp-dir={temporary}"]
    with node(*head) as first:
        out = tmp_path / "ray"
        until(lambda: first.poll() is not None or named(first, "raylet"))
        assert first.poll() is None, "Ray did not start."
        process = start(names, out, "--engine", "ray", "--address", address, "--actors", "2")
        until(lambda: actors_of(first))
        with node(f"--address={address}") as second:
            until(lambda: parts(out) >= 3)
            assert actors_of(second)
            assert not (out / "part-000000.parquet").exists()
        make_readable(picture)
        said_by(process, 0)
    shutil.rmtree(temporary, ignore_errors=True)
    said_by(start(names, tmp_path / "local"), 0)
    assert rows(out) == rows(tmp_path / "local")


def test_what_an_actor_cannot_do_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    """An actor is a plain object where no cluster runs it."""
    from bulk.ray_engine import Job, PartScorer, _reason

    settings = load_settings()
    sha256 = load_registry(settings).get().manifest.sha256
    options = ScoreOptions((str(folder),), None, "csv", None, "all", (), None, None)
    out = tmp_path / "out"
    job = Job(options, settings, str(out), False, sha256, str(ROOT))
    actor = PartScorer(job)
    first, second = islice(split(find_items([str(folder)], None)[:10]), 1), [Part(1, 10, [Item("a.jpg", str(HAPPY))])]
    assert actor({"part": [pickle.dumps(part) for part in first]})["stop"][0] == ""
    shutil.rmtree(out)
    out.write_text("a file in place of the folder")
    stopped = actor({"part": [pickle.dumps(part) for part in second]})["stop"][0]
    assert stopped.startswith(f"{out} cannot be written to: ")
    with pytest.raises(Stop, match="The model default differs on ") as differs:
        PartScorer(replace(job, model_sha256="another"))
    wrapped = f"Traceback\n  File x\nbulk.stops.Stop: {differs.value}\n\nThe above exception\nRay: it failed"
    assert _reason(RuntimeError(wrapped)) == str(differs.value)
    assert _reason(RuntimeError("Traceback\nNo node has a GPU")) == "Ray gave up: No node has a GPU"


def test_a_cluster_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    process = start(folder, tmp_path / "ray", "--engine", "ray", "--address", f"127.0.0.1:{free_port()}")
    assert said_by(process, 2) == ["Ray cannot be reached: Connection refused."]
