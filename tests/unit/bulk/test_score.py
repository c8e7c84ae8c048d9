"""``visage score`` from end to end, on the sample pictures and the models that ship."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import fsspec
import pytest

from bulk import score as score_module
from bulk.__main__ import main, run
from bulk.output import part_writer
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
    from pyarrow import parquet

    out = tmp_path / "out"
    assert score(archive, out=out) == 1, "One file is no picture."
    found = rows(out)
    assert [Path(row["source"]).name for row in found] == ["a.jpg", "b.jpg", "c.png"]
    assert [row["error"] for row in found] == [None, "no_face_detected", "unsupported_media_type"]
    assert found[0]["emotion"] == "happy"
    assert found[0]["confidence"] == found[0]["p_happy"] > 0.9
    assert {row["model"] for row in found} == {"default"}
    assert parquet.read_table(out).to_pylist() == found, "The folder is a data set."
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


@pytest.mark.parametrize("kind", ["glob", "list", "table", "semicolons", "parquet", "tar", "url"])
def test_every_kind_of_source(archive: Path, tmp_path: Path, kind: str) -> None:
    column: list[str] = []
    if kind == "glob":
        source = f"{archive}/**/*.jpg"
    elif kind == "list":
        source = str(archive / "list.txt")
        Path(source).write_text("a.jpg\r\ninner/b.jpg\r\n", "utf-8-sig")
    elif kind == "table":
        source, column = str(archive / "table.csv"), ["--column", "picture"]
        Path(source).write_text('picture,other\na.jpg,"two\nlines"\ninner/b.jpg,1\n')
    elif kind == "semicolons":
        source = str(archive / "table.csv")
        Path(source).write_text("path;share\r\na.jpg;0,5\r\ninner/b.jpg;1,0\r\n", "utf-8-sig")
    elif kind == "parquet":
        import pyarrow as arrow
        from pyarrow import parquet

        source, column = str(archive / "table.parquet"), ["--column", "picture"]
        parquet.write_table(arrow.table({"picture": ["a.jpg", None, "inner/b.jpg"], "other": [1, 2, 3]}), source)
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


def test_folders_that_cannot_be_listed_and_links_to_themselves_are_rows(archive: Path, tmp_path: Path) -> None:
    (archive / "loop.jpg").symlink_to(archive / "loop.jpg")
    deep = archive / "deep"
    here = os.getcwd()  # noqa: PTH109 - the path becomes longer than a path may be
    try:
        deep.mkdir()
        os.chdir(deep)
        for _ in range(20):
            os.mkdir("d" * 250)  # noqa: PTH102
            os.chdir("d" * 250)
    finally:
        os.chdir(here)
    assert score(archive, out=tmp_path / "out") == 1
    found = rows(tmp_path / "out")
    by_name = {Path(row["source"]).name: row for row in found}
    assert by_name["a.jpg"]["success"]
    assert by_name["b.jpg"]["error"] == "no_face_detected"
    assert by_name["loop.jpg"]["message"] == "The file cannot be read: Too many levels of symbolic links."
    assert by_name["d" * 250]["message"] == "The folder cannot be listed: File name too long."


def test_a_source_that_cannot_be_listed_ends_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "locked"
    source.mkdir(mode=0o000)
    if os.access(source, os.R_OK):
        # The superuser may list every folder.
        source = Path("/proc/self/task/1/nothing")
    said = refusal(capsys, source, out=tmp_path / "out")
    assert "cannot be listed: Permission denied" in said or "is not there" in said
    assert len(said.splitlines()) == 1


def test_what_two_sources_name_is_read_once(archive: Path, tmp_path: Path) -> None:
    score(archive, archive / "a.jpg", f"{archive}/**/*.jpg", out=tmp_path / "out")
    assert [Path(row["source"]).name for row in rows(tmp_path / "out")] == ["a.jpg", "b.jpg", "c.png"]


def test_two_members_of_one_name_are_two_rows(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "shard.tar", "w") as shard:
        shard.add(archive / "a.jpg", "0001.jpg")
        shard.add(archive / "inner" / "b.jpg", "0001.jpg")
    assert score(tmp_path / "shard.tar", out=tmp_path / "out") == 0
    found = rows(tmp_path / "out")
    assert [row["source"] for row in found] == [f"{tmp_path}/shard.tar/0001.jpg"] * 2
    assert [(row["index"], row["emotion"]) for row in found] == [(0, "happy"), (1, None)]


def test_links_in_an_archive_are_followed(archive: Path, tmp_path: Path) -> None:
    def link(shard: tarfile.TarFile, name: str, kind: bytes, target: str) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        shard.addfile(member)

    with tarfile.open(tmp_path / "shard.tar", "w") as shard:
        shard.add(archive / "a.jpg", "./faces/a.jpg")
        link(shard, "./faces/hard.jpg", tarfile.LNKTYPE, "./faces/a.jpg")
        link(shard, "./other/soft.jpg", tarfile.SYMTYPE, "../faces/hard.jpg")
        link(shard, "loop.jpg", tarfile.SYMTYPE, "loop.jpg")
        link(shard, "outside.jpg", tarfile.SYMTYPE, str(archive / "a.jpg"))
    assert score(tmp_path / "shard.tar", out=tmp_path / "out") == 1
    found = rows(tmp_path / "out")
    assert [row["emotion"] for row in found] == ["happy"] * 3 + [None] * 2
    assert {row["message"] for row in found[3:]} == {"It is a link to a file that is not in the archive."}


@pytest.mark.parametrize("size", [b"-1", b"-512"])
def test_an_archive_with_a_negative_size_is_a_row(archive: Path, tmp_path: Path, size: bytes) -> None:
    member = tarfile.TarInfo("a.jpg")
    member.pax_headers = {"size": "77777"}
    header = member.tobuf(tarfile.PAX_FORMAT).replace(b"size=77777", b"size=%5b" % size)
    (archive / "shard.tar").write_bytes(header + bytes(4096))
    assert score(archive, out=tmp_path / "out") == 1
    by_name = {Path(row["source"]).name: row for row in rows(tmp_path / "out")}
    assert by_name["shard.tar"]["message"].endswith("a member has a negative size.")
    assert by_name["a.jpg"]["success"]


def test_pipes_and_devices_are_not_waited_for(archive: Path, tmp_path: Path) -> None:
    os.mkfifo(archive / "pipe.jpg")
    os.mkfifo(archive / "pipe.tar")
    (archive / "link.jpg").symlink_to(archive / "pipe.jpg")
    (archive / "clip.mp4").symlink_to("/dev/zero")
    for number, source in enumerate((archive, f"{archive}/*")):
        out = tmp_path / str(number)
        assert score(source, out=out) == 1
        faults = {Path(row["source"]).name for row in rows(out) if "a pipe or a device" in (row["message"] or "")}
        assert faults == {"pipe.jpg", "pipe.tar", "link.jpg", "clip.mp4"}


def test_a_file_that_is_gone_or_too_large_is_a_row(archive: Path, tmp_path: Path) -> None:
    (archive / "list.txt").write_text("a.jpg\ngone.jpg\nlarge.jpg\n")
    (archive / "large.jpg").write_bytes(b"\xff" * 6_000_000)
    assert score(archive / "list.txt", out=tmp_path / "out") == 1
    assert [row["error"] for row in rows(tmp_path / "out")] == [None, "unreadable", "file_too_large"]


def test_a_picture_of_a_format_that_is_not_read_is_a_row(archive: Path, tmp_path: Path) -> None:
    (archive / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    assert score(archive, out=tmp_path / "out") == 1
    row = rows(tmp_path / "out")[0]
    assert Path(row["source"]).name == "IMG_0001.HEIC"
    assert row["message"].startswith("HEIC files are not supported.")


def test_bad_input_gets_one_sentence(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert "is not there" in refusal(capsys, tmp_path / "nowhere", out=out)
    (tmp_path / "empty").mkdir()
    assert "Nothing to read" in refusal(capsys, tmp_path / "empty", out=out)
    assert "lies in the source" in refusal(capsys, archive, out=archive / "results")
    (archive / "table.csv").write_text("name\na.jpg\n")
    assert "has no column path" in refusal(capsys, archive / "table.csv", out=out)
    (archive / "table.csv").write_text("")
    assert "has no column path: it has none. Use --column." in refusal(capsys, archive / "table.csv", out=out)
    (archive / "table.parquet").write_bytes(b"no table")
    assert "table.parquet cannot be read: " in refusal(capsys, archive / "table.parquet", out=out)
    assert "is compressed: unpack it" in refusal(capsys, compressed(archive), out=out)
    assert "is no picture, video, list" in refusal(capsys, archive / "notes.txt~", out=out)
    assert "cannot be listed: " in refusal(capsys, "nostore://bucket/pictures", out=out)
    (archive / "broken.tar").write_bytes(b"no archive")
    assert "cannot be read as a tar archive" in refusal(capsys, archive / "broken.tar", out=out)
    score(archive, out=tmp_path / "all")
    assert "cannot be read as a tar archive" in rows(tmp_path / "all")[1]["message"], "It is a row among the others."
    assert "There is no model nowhere" in refusal(capsys, archive, "--model", "nowhere", out=out)
    assert "none of action_units" in refusal(capsys, archive, "--details", "mesh", out=out)
    assert "cannot be written to" in refusal_of_disk(capsys, archive, tmp_path)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--limit", "x", "it must be a whole number of at least 1"),
        ("--fps", "x", "it must be above 0 and at most 1000"),
        ("--shard", "3", "it must be K/N with K at most N, such as 3/10"),
        ("--shard", "4/3", "it must be K/N with K at most N, such as 3/10"),
    ],
)
def test_a_value_that_is_none_is_told_what_it_must_be(
    capsys: pytest.CaptureFixture[str], option: str, value: str, said: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(["score", "pictures", "--out", "table", option, value])
    assert capsys.readouterr().err.endswith(f"error: argument {option}: {said}\n")


@pytest.mark.parametrize(("option", "status"), [("--help", 0), ("--port=80", 2)])
def test_serve_has_help_and_no_options(monkeypatch: pytest.MonkeyPatch, option: str, status: int) -> None:
    monkeypatch.setattr(sys, "argv", ["visage", "serve", option])
    monkeypatch.setattr("app.__main__.main", lambda: pytest.fail("It serves."))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == status


def compressed(archive: Path) -> Path:
    with tarfile.open(archive / "shard.tar.gz", "w:gz") as shard:
        shard.add(archive / "a.jpg", "0001.jpg")
    return archive / "shard.tar.gz"


def test_what_is_said_moves_no_terminal(archive: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (archive / "table.csv").write_text("\x1b[2J\u202eimage\na.jpg\n")
    assert run(["score", str(archive / "table.csv"), "--out", str(tmp_path / "out")]) == 2
    assert r"it has \x1b[2J\u202eimage. " in capfd.readouterr().err
    out = tmp_path / "out [red]" / "[" / "x]"
    assert run(["score", str(archive / "a.jpg"), "--out", str(out)]) == 0
    assert f"The rows are in {out}." in capfd.readouterr().err


def test_models_that_do_not_load_end_the_run(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models = shutil.copytree(ROOT / "models", tmp_path / "models")
    (models / "default" / "model.onnx").write_bytes(b"no model")
    monkeypatch.setenv("MODELS_DIR", str(models))
    said = refusal(capsys, archive, out=tmp_path / "out")
    assert "default" in said
    assert len(said.splitlines()) == 1


def test_a_full_disk_loses_nothing_that_was_done(tmp_path: Path) -> None:
    """The limit of a file's size stands for the disk: the next part does not fit."""
    folder, out = tmp_path / "many", tmp_path / "out"
    folder.mkdir()
    for number in range(40):
        shutil.copy(HAPPY if number % 3 else FACELESS, folder / f"{number:03}.jpg")
    program = "import bulk.score, bulk.__main__; bulk.score.PART_SIZE = 10; bulk.__main__.main()"
    command = [sys.executable, "-c", program, "score", str(folder), "--format", "csv", "--workers", "1", "--out"]
    process = subprocess.Popen([*command, str(out)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(out.glob("part-*")):
        time.sleep(0.005)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, 1000))
    _, said = process.communicate(timeout=60)
    done = {path: path.read_bytes() for path in out.glob("part-*")}
    assert process.returncode == 1
    assert 0 < len(done) < 4
    assert f"{out} cannot be written to: File too large. Make room, and run the same line again" in said
    assert "Traceback" not in said
    subprocess.run([*command, str(out)], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    subprocess.run([*command, str(tmp_path / "calm")], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    assert {path.name: path.read_bytes() for path in out.glob("part-*")} == {
        path.name: path.read_bytes() for path in (tmp_path / "calm").glob("part-*")
    }
    assert {path: path.read_bytes() for path in done} == done


def test_an_output_that_is_gone_ends_the_run(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    def replaced(*arguments: Any) -> Any:
        shutil.rmtree(out)
        out.write_text("a file in place of the folder")
        return part_writer(*arguments)

    monkeypatch.setattr(score_module, "part_writer", replaced)
    assert score(archive, out=out) == 1
    assert capsys.readouterr().err.startswith(f"{out} cannot be written to: ")


def test_a_store_in_memory_takes_and_gives(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(archive), "/archive", recursive=True)
    monkeypatch.setattr(score_module, "PART_SIZE", 1)
    line = ["score", "memory://archive", "--out", "memory://scored", "--format", "jsonl", "--quiet", "--workers", "1"]
    try:
        assert run(line) == 1
        parts = sorted(memory.glob("/scored/part-*"))
        texts = [memory.cat_file(part) for part in parts]
        assert [json.loads(text)["success"] for text in texts] == [True, False, False]
        memory.rm_file(parts[1])
        assert run(line) == 1
        assert [memory.cat_file(part) for part in parts] == texts
    finally:
        memory.rm("/", recursive=True)


def refusal_of_disk(capsys: pytest.CaptureFixture[str], archive: Path, tmp_path: Path) -> str:
    (tmp_path / "file").write_text("a file")
    assert score(archive, out=tmp_path / "file" / "out") == 1
    return capsys.readouterr().err


def test_a_run_that_was_begun_with_an_option_that_is_unknown_here_is_refused(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    score(archive, out=out)
    plan = json.loads((out / "_plan.json").read_text("utf-8"))
    plan["options"]["sharpness"] = 2
    (out / "_plan.json").write_text(json.dumps(plan), "utf-8")
    capsys.readouterr()

    assert "its sharpness was 2 and is None" in refusal(capsys, archive, out=out)


def test_a_run_that_was_begun_otherwise_is_refused(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    score(archive, out=out)
    assert "its faces was 'all' and is 'largest'" in refusal(capsys, archive, "--faces", "largest", out=out)
    monkeypatch.setenv("CONFIDENCE_THRESHOLD", "0.3")
    assert "its confidence_threshold was 0.6 and is 0.3" in refusal(capsys, archive, out=out)
    monkeypatch.delenv("CONFIDENCE_THRESHOLD")
    plan = (out / "_plan.json").read_text("utf-8")
    (out / "_plan.json").write_text(re.sub(r'("manifest_sha256": )"\w+"', r'\1"0"', plan), "utf-8")
    assert "its manifest_sha256 was '0'" in refusal(capsys, archive, out=out)
    (out / "_plan.json").write_text(plan, "utf-8")
    shutil.copy(HAPPY, archive / "new.jpg")
    assert "its items was 3 and is 4" in refusal(capsys, archive, out=out)
    (archive / "a.jpg").unlink()
    assert "files in the source have changed" in refusal(capsys, archive, out=out)
    (out / "_plan.json").write_text("{")
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


def test_details_that_cannot_be_had_are_refused(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DETAILS", "off")
    assert "DETAILS=off" in refusal(capsys, archive, "--details", "action_units", out=tmp_path / "out")
    monkeypatch.delenv("DETAILS")
    for name in ("default", "face_detector"):
        shutil.copytree(SAMPLES.parent / "models" / name, tmp_path / "models" / name)
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    said = refusal(capsys, archive, "--details", "action_units", out=tmp_path / "out")
    assert said.endswith("--details: The networks of the face mesh cannot be read: face_mesh.onnx.")
