"""Where rows go: one folder, one file a part. A part is there whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Protocol

import fsspec

from app.api.csv_table import neutral
from bulk.rows import Columns, Row
from bulk.sources import is_url, reason_of, shown
from bulk.stops import Stop

Format = Literal["parquet", "csv", "jsonl"]

PLAN: Final = "_plan.json"
"""With an underscore, so that readers of a folder of Parquet files pass over it."""
_NOT_WRITTEN: Final = 1
"""Exit status."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WITHOUT_FOLDERS: Final = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl"})
"""Stores in which a folder is part of a name, and making one would at most make a bucket."""


class Output:
    """A folder on a disk or in an object store that holds the parts of a run and its plan."""

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")
        self._remote = is_url(location)
        with self._refused():
            self._system, self._path = fsspec.core.url_to_fs(self.location)
            if self.location.split("://")[0] not in _WITHOUT_FOLDERS:
                self._system.makedirs(self._path, exist_ok=True)
        # Parts are written here first: in the folder itself, so that moving them is one step, or beside a remote one.
        self._own = Path(tempfile.mkdtemp(prefix="visage-")) if self._remote else Path(self._path)

    def close(self) -> None:
        if self._remote:
            shutil.rmtree(self._own, ignore_errors=True)

    def names(self) -> set[str]:
        """The files that are there whole."""
        with self._refused(), contextlib.suppress(FileNotFoundError):
            self._system.invalidate_cache()
            return {name.rsplit("/", 1)[-1] for name in self._system.ls(self._path, detail=False)}
        return set()

    def codes(self, name: str, kind: Format) -> Mapping[str, int]:
        """The rows of a part by the code of their error; ``""`` stands for none."""
        with self._refused(), self._system.open(f"{self._path}/{name}", "rb") as file:
            return Counter(code or "" for code in _ERRORS[kind](file))

    def plan(self) -> dict[str, Any] | None:
        """What the run that began here was told to do; None where none has begun."""
        with self._refused(), contextlib.suppress(FileNotFoundError):
            try:
                return dict(json.loads(self._system.cat_file(f"{self._path}/{PLAN}")))
            except ValueError:
                raise Stop(f"{shown(self.location)}/{PLAN} is damaged: use another folder with --out.") from None
        return None

    def remove_unfinished(self) -> None:
        """Removes what a run that was killed left behind."""
        if not self._remote:
            for path in self._own.glob(".unfinished-*"):
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def whole(self, name: str) -> Iterator[Path]:
        """A path to write a file to, which appears in the folder under its name when the block ends well."""
        unfinished = self._own / f".unfinished-{os.getpid()}-{name}"
        try:
            try:
                yield unfinished
            except OSError as error:
                raise self._stop(error) from None
            with self._refused():
                self._publish(unfinished, name)
        finally:
            # The folder itself may be gone.
            with contextlib.suppress(OSError):
                unfinished.unlink()

    @contextlib.contextmanager
    def _refused(self) -> Iterator[None]:
        """Turns what a disk or a store raises into one sentence."""
        try:
            yield
        except Stop:
            raise
        except Exception as error:  # Each store has errors of its own.
            raise self._stop(error) from None

    def _stop(self, error: Exception) -> Stop:
        advice = "Make room" if getattr(error, "errno", None) in _FULL else "Mend that"
        return Stop(
            f"{shown(self.location)} cannot be written to: {reason_of(error)}. {advice}, and run the same line again: "
            "it goes on where it stopped.",
            _NOT_WRITTEN,
        )

    def _publish(self, unfinished: Path, name: str) -> None:
        if self._remote:
            self._system.put_file(str(unfinished), f"{self._path}/{name}")
            return
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(self._own / name)
        folder = os.open(self._own, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class PartWriter(Protocol):
    """Writes the rows of one part, in pieces."""

    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


def part_writer(path: Path, kind: Format, columns: Columns) -> PartWriter:
    writers: dict[Format, Callable[[Path, Columns], PartWriter]] = {
        "parquet": _Parquet,
        "csv": _Csv,
        "jsonl": _JsonLines,
    }
    return writers[kind](path, columns)


class _Parquet:
    def __init__(self, path: Path, columns: Columns) -> None:
        import pyarrow as arrow  # noqa: PLC0415 - only this format needs it
        from pyarrow import parquet  # noqa: PLC0415

        types = {"text": arrow.string(), "integer": arrow.int32(), "number": arrow.float64(), "truth": arrow.bool_()}
        self._schema = arrow.schema([(name, types[kind]) for name, kind in columns.items()])
        self._table = arrow.Table
        # The pool that Arrow has by default keeps what it has freed.
        arrow.set_memory_pool(arrow.system_memory_pool())
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.write_table(self._table.from_pylist(list(rows), schema=self._schema))

    def close(self) -> None:
        self._writer.close()


class _Csv:
    def __init__(self, path: Path, columns: Columns) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._file, [*columns])
        self._writer.writeheader()

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)

    def close(self) -> None:
        self._file.close()


class _JsonLines:
    def __init__(self, path: Path, columns: Columns) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._columns = [*columns]

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._file.write(json.dumps(_present(row, self._columns), ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.close()


def _parquet_errors(file: BinaryIO) -> Iterator[str | None]:
    from pyarrow import parquet  # noqa: PLC0415 - only this format needs it

    yield from parquet.ParquetFile(file).read(["error"])["error"].to_pylist()


def _csv_errors(file: BinaryIO) -> Iterator[str | None]:
    return (row["error"] for row in csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")))


def _json_errors(file: BinaryIO) -> Iterator[str | None]:
    return (json.loads(line).get("error") for line in file)


_ERRORS: Final[Mapping[Format, Callable[[BinaryIO], Iterator[str | None]]]] = {
    "parquet": _parquet_errors,
    "csv": _csv_errors,
    "jsonl": _json_errors,
}


def _present(row: Mapping[str, Any], columns: Sequence[str]) -> Row:
    return {name: row[name] for name in columns if row.get(name) is not None}


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return neutral(value) if isinstance(value, str) else value
