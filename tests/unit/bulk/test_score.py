"""``visage score`` from end to end, on the sample pictures and the models that ship."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from bulk import score as score_module
from bulk.__main__ import run
from bulk.score import split
from bulk.sources import Item

pytest.importorskip("pyarrow", reason="The packages of visage[bulk] are not installed.")

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "sample_images"
HAPPY, FACELESS = SAMPLES / "happy_sample.jpg", SAMPLES / "no_face.jpg"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    (folder / "inner").mkdir(parents=True)
    shutil.copy(HAPPY, folder / "a.jpg")
    shutil.copy(FACELESS, folder / "inner" / "b.jpg")
    (folder / "inner" / "c.png").write_bytes(b"no picture")
    (folder / "notes.txt~").write_text("not read")
    return folder


def score(*arguments: object, out: Path) -> int:
    return run(["score", *map(str, arguments), "--out", str(out), "--quiet", "--workers", "1"])


def rows(out: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    return [row for path in sorted(out.glob("*.parquet")) for row in parquet.read_table(path).to_pylist()]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object, out: Path) -> str:
    assert score(*arguments, out=out) == 2
    return capsys.readouterr().err.strip()


def test_each_item_is_a_row_and_those_that_fail_say_why(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert score(archive, out=out) == 1, "One file is no picture."
    found = rows(out)
    assert [Path(row["source"]).name for row in found] == ["a.jpg", "b.jpg", "c.png"]
    assert [row["error"] for row in found] == [None, "no_face_detected", "unsupported_media_type"]
    assert found[0]["emotion"] == "happy"
    assert found[0]["confidence"] == found[0]["p_happy"] > 0.9
    assert {row["model"] for row in found} == {"default"}
    shutil.rmtree(archive / "inner")
    assert score(archive, out=tmp_path / "all-read") == 0


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_other_formats_hold_the_same(archive: Path, tmp_path: Path, kind: str) -> None:
    score(archive, out=tmp_path / "parquet")
    score(archive, "--format", kind, out=tmp_path / kind)
    text = (tmp_path / kind / f"part-000000.{kind}").read_text("utf-8")
    found = (
        list(csv.DictReader(io.StringIO(text))) if kind == "csv" else [json.loads(line) for line in text.splitlines()]
    )
    expected = rows(tmp_path / "parquet")
    assert [float(row["p_happy"]) for row in found[:1]] == [expected[0]["p_happy"]]
    assert [row.get("error") or None for row in found] == [row["error"] for row in expected]


def test_every_face_and_its_details(tmp_path: Path) -> None:
    picture = SAMPLES / "multiple_faces.jpg"
    score(picture, "--details", "action_units,head_pose", out=tmp_path / "all")
    found = rows(tmp_path / "all")
    assert [row["face"] for row in found] == [0, 1]
    assert all(0 <= row["AU12"] <= 1 and abs(row["yaw"]) < 90 for row in found)
    score(picture, "--faces", "largest", out=tmp_path / "largest")
    assert len(rows(tmp_path / "largest")) == 1


@pytest.mark.parametrize("kind", ["glob", "list", "table", "tar", "url"])
def test_every_kind_of_source(archive: Path, tmp_path: Path, kind: str) -> None:
    column: list[str] = []
    if kind == "glob":
        source = f"{archive}/**/*.jpg"
    elif kind == "list":
        source = str(archive / "list.txt")
        Path(source).write_text("a.jpg\ninner/b.jpg\n")
    elif kind == "table":
        source, column = str(archive / "table.csv"), ["--column", "picture"]
        Path(source).write_text('picture,other\na.jpg,"two\nlines"\ninner/b.jpg,1\n')
    elif kind == "tar":
        source = str(tmp_path / "shard.tar")
        with tarfile.open(source, "w") as shard:
            shard.add(archive / "a.jpg", "0001.jpg")
            shard.add(archive / "list.txt" if (archive / "list.txt").exists() else archive / "notes.txt~", "0001.txt")
            shard.add(archive / "inner" / "b.jpg", "0002.jpg")
    else:
        source = f"file://{archive}/**/*.jpg"
    assert score(source, *column, out=tmp_path / "out") == 0
    assert [row["emotion"] for row in rows(tmp_path / "out")] == ["happy", None]


def test_names_that_are_no_text_and_links_in_a_circle(archive: Path, tmp_path: Path) -> None:
    shutil.copy(HAPPY, os.fsencode(archive) + b"/bad\xff\nname.jpg")
    (archive / "circle").symlink_to(archive)
    score(archive, out=tmp_path / "out")
    names = [Path(row["source"]).name for row in rows(tmp_path / "out")]
    assert names == ["a.jpg", "bad\\xff\nname.jpg", "b.jpg", "c.png"]


def test_a_file_that_is_gone_or_too_large_is_a_row(archive: Path, tmp_path: Path) -> None:
    (archive / "list.txt").write_text("a.jpg\ngone.jpg\nlarge.jpg\n")
    (archive / "large.jpg").write_bytes(b"\xff" * 6_000_000)
    assert score(archive / "list.txt", out=tmp_path / "out") == 1
    assert [row["error"] for row in rows(tmp_path / "out")] == [None, "unreadable", "file_too_large"]


def test_bad_input_gets_one_sentence(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert "is not there" in refusal(capsys, tmp_path / "nowhere", out=out)
    (tmp_path / "empty").mkdir()
    assert "Nothing to read" in refusal(capsys, tmp_path / "empty", out=out)
    assert "lies in the source" in refusal(capsys, archive, out=archive / "results")
    (archive / "table.csv").write_text("name\na.jpg\n")
    assert "has no column path" in refusal(capsys, archive / "table.csv", out=out)
    (archive / "broken.tar").write_bytes(b"no archive")
    assert "cannot be read as a tar archive" in refusal(capsys, archive / "broken.tar", out=out)
    score(archive, out=tmp_path / "all")
    assert "cannot be read as a tar archive" in rows(tmp_path / "all")[1]["message"], "It is a row among the others."
    assert "There is no model nowhere" in refusal(capsys, archive, "--model", "nowhere", out=out)
    assert "none of action_units" in refusal(capsys, archive, "--details", "mesh", out=out)
    assert "cannot be written to" in refusal_of_disk(capsys, archive, tmp_path)


def refusal_of_disk(capsys: pytest.CaptureFixture[str], archive: Path, tmp_path: Path) -> str:
    (tmp_path / "file").write_text("a file")
    assert score(archive, out=tmp_path / "file" / "out") == 1
    return capsys.readouterr().err


def test_a_run_that_was_begun_otherwise_is_refused(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    score(archive, out=out)
    assert "its faces was 'all' and is 'largest'" in refusal(capsys, archive, "--faces", "largest", out=out)
    shutil.copy(HAPPY, archive / "new.jpg")
    assert "its items was 3 and is 4" in refusal(capsys, archive, out=out)
    (archive / "a.jpg").unlink()
    assert "files in the source have changed" in refusal(capsys, archive, out=out)
    (out / "plan.json").write_text("{")
    assert "is damaged" in refusal(capsys, archive, out=out)


def test_parts_are_not_made_twice_and_shards_share_them(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_module, "PART_SIZE", 1)
    score(archive, out=tmp_path / "whole")
    for number in (1, 2):
        score(archive, "--shard", f"{number}/2", out=tmp_path / "shards")
    assert rows(tmp_path / "shards") == rows(tmp_path / "whole")
    second = tmp_path / "whole" / "part-000001.parquet"
    others = {path: path.stat().st_mtime_ns for path in (tmp_path / "whole").glob("*.parquet") if path != second}
    before = rows(tmp_path / "whole")
    second.unlink()
    score(archive, out=tmp_path / "whole")
    assert rows(tmp_path / "whole") == before
    assert {path: path.stat().st_mtime_ns for path in others} == others


def test_a_run_that_is_killed_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(60):
        shutil.copy(HAPPY if number % 3 else FACELESS, folder / f"{number:03}.jpg")
    command = [sys.executable, "-m", "bulk", "score", str(folder), "--quiet", "--workers", "1", "--out"]
    program = "import bulk.score, bulk.__main__; bulk.score.PART_SIZE = 10; bulk.__main__.main()"
    command[1:3] = ["-c", program]
    killed = tmp_path / "killed"
    for attempt in range(8):
        process = subprocess.Popen([*command, str(killed)], cwd=ROOT, stderr=subprocess.DEVNULL)
        parts = min(attempt + 1, 3)
        while process.poll() is None and len(list(killed.glob("part-*"))) < parts:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if attempt >= 2:
            break
    (killed / ".unfinished-1-part-000009.parquet").write_bytes(b"half")
    subprocess.run([*command, str(killed)], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    subprocess.run([*command, str(tmp_path / "calm")], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    assert rows(killed) == rows(tmp_path / "calm")
    assert len(rows(killed)) == 60
    assert not list(killed.glob(".unfinished-*"))


def test_a_video_is_a_part_of_its_own() -> None:
    items = [Item(name, name) for name in ("a.jpg", "b.mp4", "c.mp4", "d.jpg", "e.jpg")]
    assert [[item.source for item in part.items] for part in split(items)] == [
        ["a.jpg"],
        ["b.mp4"],
        ["c.mp4"],
        ["d.jpg", "e.jpg"],
    ]
    assert [part.start for part in split(items)] == [0, 1, 2, 3]
