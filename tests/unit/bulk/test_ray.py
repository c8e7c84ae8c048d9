"""``visage score --engine ray`` on this machine, with an actor that is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.unit.bulk.test_score import FACELESS, HAPPY, ROOT, rows

pytest.importorskip("ray", reason="Ray is not installed (make ray-install).")

PROGRAM = "import bulk.score, bulk.__main__; bulk.score.PART_SIZE = 5; bulk.__main__.main()"


def test_the_rows_are_the_same_when_an_actor_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(40):
        shutil.copy(HAPPY if number % 3 else FACELESS, folder / f"{number:03}.jpg")
    command = [sys.executable, "-c", PROGRAM, "score", str(folder), "--quiet", "--out"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([*command, str(tmp_path / "local")], cwd=ROOT, check=True)
    on_ray = [*command, str(tmp_path / "ray"), "--engine", "ray", "--actors", "2"]
    process = subprocess.Popen(on_ray, cwd=ROOT, env=environment)
    while process.poll() is None and not list((tmp_path / "ray").glob("part-*")):
        time.sleep(0.05)
    actors = [
        each for each in psutil.process_iter() if "PartScorer" in each.name() or "MapWorker" in "".join(each.cmdline())
    ]
    own = [each for each in actors if process.pid in {parent.pid for parent in each.parents()}]
    assert own, "Ray names the processes of its actors."
    own[0].send_signal(signal.SIGKILL)
    assert process.wait(120) == 0
    assert rows(tmp_path / "ray") == rows(tmp_path / "local")
