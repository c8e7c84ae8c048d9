"""``visage score`` from an object store into one: a server of S3 on this machine (make store-test)."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bulk import score as score_module
from bulk.__main__ import run
from tests.unit.bulk.test_score import FACELESS, HAPPY

server = pytest.importorskip("moto.server", reason="A server of S3 is not installed (make store-test).")
s3fs = pytest.importorskip("s3fs", reason="The packages of visage[stores] are not installed.")

pytestmark = pytest.mark.filterwarnings("ignore")
"""The server's and the client's packages warn of what they do themselves."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket with three files, as the settings of the environment name it."""
    moto = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.mkdir("archive")
    files.put_file(str(HAPPY), "archive/pictures/a.jpg")
    files.put_file(str(FACELESS), "archive/pictures/inner.v2/b.jpg")
    files.pipe_file("archive/pictures/notes.md", b"not read")
    yield files
    httpx.post(f"http://{host}:{port}/moto-api/reset")
    moto.stop()


def score(*arguments: str) -> int:
    return run(["score", *arguments, "--quiet", "--workers", "1"])


def rows(store: Any, folder: str) -> list[dict[str, Any]]:
    from pyarrow import parquet

    store.invalidate_cache()
    parts = sorted(store.glob(f"{folder}/part-*"))
    return [row for part in parts for row in parquet.read_table(io.BytesIO(store.cat_file(part))).to_pylist()]


def test_from_a_store_into_one_and_on_from_where_it_stopped(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_module, "PART_SIZE", 1)
    line = ("s3://archive/pictures", "--out", "s3://archive/scored")
    assert score(*line) == 0
    found = rows(store, "archive/scored")
    assert [row["source"] for row in found] == ["s3://archive/pictures/a.jpg", "s3://archive/pictures/inner.v2/b.jpg"]
    assert [row["error"] for row in found] == [None, "no_face_detected"]
    names = {name.rpartition("/")[2] for name in store.ls("archive/scored", detail=False)}
    assert names == {"_plan.json", "part-000000.parquet", "part-000001.parquet"}, "Nothing unfinished is left."

    first = store.info("archive/scored/part-000000.parquet")["LastModified"]
    store.rm_file("archive/scored/part-000001.parquet")
    assert score(*line) == 0
    assert rows(store, "archive/scored") == found
    assert store.info("archive/scored/part-000000.parquet")["LastModified"] == first, "It was not made again."


def test_lists_and_globs_of_a_store(store: Any, tmp_path: Path) -> None:
    from pyarrow import parquet

    (tmp_path / "list.csv").write_text("path\ns3://archive/pictures/a.jpg\ns3://archive/pictures/gone.jpg\n")
    assert score(str(tmp_path / "list.csv"), "--out", str(tmp_path / "list")) == 1
    listed = parquet.read_table(tmp_path / "list" / "part-000000.parquet").to_pylist()
    assert [row["error"] for row in listed] == [None, "unreadable"]
    assert score("s3a://archive/pictures/**/*.jpg", "--out", str(tmp_path / "glob")) == 0
    found = parquet.read_table(tmp_path / "glob" / "part-000000.parquet")["source"].to_pylist()
    assert found == ["s3a://archive/pictures/a.jpg", "s3a://archive/pictures/inner.v2/b.jpg"], "As they were called."


def test_only_the_bytes_of_a_picture_are_asked_of_a_store(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "shard.tar", "w") as shard:
        shard.add(FACELESS, "0001.jpg")
        filler = tarfile.TarInfo("filler.bin")
        filler.size = 20_000_000
        shard.addfile(filler, io.BytesIO(bytes(filler.size)))
        shard.add(HAPPY, "0002.jpg")
    store.put_file(str(tmp_path / "shard.tar"), "archive/shards/1.tar")
    asked: list[int] = []
    fetch = s3fs.core.S3File._fetch_range

    def counting(file: Any, start: int, end: int) -> Any:
        asked.append(end - start)
        return fetch(file, start, end)

    monkeypatch.setattr(s3fs.core.S3File, "_fetch_range", counting)
    assert score("s3://archive/shards", "--out", str(tmp_path / "out")) == 0
    # The archive is read once to be listed. Then threads read the two pictures, so that either may be the first.
    assert sorted(asked[-2:]) == sorted([FACELESS.stat().st_size, HAPPY.stat().st_size])


@pytest.mark.parametrize(
    ("line", "status", "sentence"),
    [
        ("s3://nowhere/pictures --out s3://archive/scored", 2, "s3://nowhere/pictures cannot be listed:"),
        ("s3://archive/pictures --out s3://nowhere/scored", 1, "s3://nowhere/scored cannot be written to:"),
        ("s3://archive/pictures --out s3://archive/pictures/scored", 2, "lies in the source"),
        ("s3://archive/nothing --out s3://archive/scored", 2, "Nothing to read in s3://archive/nothing"),
    ],
)
def test_bad_input_gets_one_sentence(
    store: Any, capsys: pytest.CaptureFixture[str], line: str, status: int, sentence: str
) -> None:
    assert score(*line.split()) == status
    assert sentence in capsys.readouterr().err.strip().splitlines()[-1]
    assert not store.exists("nowhere"), "No bucket is made."


def test_credentials_that_are_missing(
    store: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    assert score("s3://archive/pictures", "--out", str(tmp_path / "out")) == 2
    assert "cannot be listed: Unable to locate credentials" in capsys.readouterr().err
