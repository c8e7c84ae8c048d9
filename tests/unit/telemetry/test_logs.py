"""What the log holds of a request, and that no line is lost."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from app.telemetry.logs import log_request, request_fields, write_logs
from app.telemetry.records import RequestRecord

if TYPE_CHECKING:
    from typing_extensions import Buffer

ALLOWED = {
    "time",
    "level",
    "request_id",
    "method",
    "route",
    "status",
    "ms",
    "stages_ms",
    "size",
    "items",
    "format",
    "faces",
    "model",
    "error",
}


@pytest.fixture(autouse=True)
def _root_logger_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    assert (root.handlers, root.level) == before


def messages(out: io.BytesIO, logger: str) -> list[str]:
    """The messages of one logger. Threads of other tests may log meanwhile."""
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    return [line["message"] for line in lines if line.get("logger") == logger]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


def full_record() -> RequestRecord:
    return RequestRecord(
        "a" * 32,
        "POST",
        route="/predict",
        status=200,
        size=300_000,
        items=2,
        picture_format="jpeg",
        faces=1,
        model="default",
        error="internal_error",
        timings_ms={"decode": 2.0012, "total": 5.5},
        duration_ms=6.123,
    )


def test_a_request_is_one_line_of_json_with_allowed_fields_only() -> None:
    out = io.BytesIO()
    with write_logs("info", "json", out):
        log_request(full_record())
    (line,) = out.getvalue().splitlines()
    fields = json.loads(line)
    assert set(fields) == ALLOWED
    assert fields["route"] == "/predict"
    assert fields["ms"] == 6.12
    assert fields["stages_ms"] == {"decode": 2.0, "total": 5.5}
    assert fields["size"] == "<=1MB"
    assert fields["time"].endswith("Z")


@pytest.mark.parametrize(("size", "bucket"), [(0, "<=64KB"), (65_536, "<=64KB"), (65_537, "<=256KB"), (10**9, ">20MB")])
def test_a_size_is_logged_as_a_range(size: int, bucket: str) -> None:
    assert request_fields(RequestRecord("id", "POST", size=size))["size"] == bucket


def test_unknown_fields_are_left_out() -> None:
    assert set(request_fields(RequestRecord("id", "GET"))) == {"request_id", "method", "route", "status", "ms"}


def test_text_is_one_line_for_people_without_colour_where_there_is_no_terminal() -> None:
    out = io.BytesIO()
    with write_logs("info", "text", out):
        log_request(full_record())
        logging.getLogger("visage").warning("Disk nearly full.")
    first, second = out.getvalue().decode().splitlines()
    assert "POST /predict 200 6.1 ms" in first
    assert "decode 2.0" in first
    assert "error=internal_error" in first
    assert second.endswith("warning Disk nearly full.")
    assert b"\033" not in out.getvalue()


def test_text_has_colour_on_a_terminal() -> None:
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    with write_logs("info", "text", out):
        logging.getLogger("visage").warning("Disk nearly full.")
    assert b"\033[33mwarning" in out.getvalue()


def test_a_line_is_written_without_waiting_for_more() -> None:
    out = _Watched()
    with write_logs("info", "json", out):
        log_request(RequestRecord("a", "GET"))
        assert out.written.wait(10)


class _Watched(io.BytesIO):
    """Signals when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, data: Buffer) -> int:
        size = super().write(data)
        self.written.set()
        return size


def test_nothing_is_lost_when_the_writer_stops() -> None:
    out = io.BytesIO()
    with write_logs("info", "json", out):
        for number in range(5000):
            logging.getLogger("visage").info("line %d", number)
    assert messages(out, "visage") == [f"line {number}" for number in range(5000)]


def test_a_stream_that_blocks_costs_lines_and_blocks_no_caller() -> None:
    class Stuck(io.BytesIO):
        def __init__(self) -> None:
            super().__init__()
            self.writing = threading.Event()
            self.go_on = threading.Event()

        def write(self, data: Buffer) -> int:
            self.writing.set()
            self.go_on.wait()
            return super().write(data)

    out = Stuck()
    with write_logs("info", "json", out, capacity=10):
        logger = logging.getLogger("visage")
        logger.info("first")
        out.writing.wait()
        for _ in range(100):
            logger.info("more")
        out.go_on.set()
    assert messages(out, "visage") == ["first", *["more"] * 10]
    assert messages(out, "visage.log") == ["90 log lines were lost."]


def test_a_stream_that_stays_blocked_does_not_keep_the_end_waiting() -> None:
    read, write = os.pipe()
    with os.fdopen(write, "wb", buffering=0) as out:
        with write_logs("info", "json", out):
            for _ in range(100):
                logging.getLogger("visage").info("x" * 10_000)
        assert os.read(read, 1 << 20).startswith(b'{"time":')
        os.close(read)


class _Disk(io.BytesIO):
    """A disk with so many free bytes."""

    free = 1 << 20

    def write(self, data: Buffer) -> int:
        size = min(len(bytes(data)), self.free)
        if not size:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.free -= size
        return super().write(bytes(data)[:size])


def test_a_disk_that_was_full_costs_lines_and_tears_none() -> None:
    out = _Disk()
    logger = logging.getLogger("visage")
    with write_logs("info", "json", out):
        logger.info("before")
        until(lambda: b"before" in out.getvalue())
        out.free = 10
        for number in range(5):
            logger.info("line %d", number)
        until(lambda: out.free == 0)
        until(logging.getLogger().handlers[0].queue.empty)  # type: ignore[attr-defined]
        out.free = 1 << 20
        logger.info("after")
    written = messages(out, "visage")
    assert written[:2] == ["before", "line 0"]
    assert written[-1] == "after"
    (told,) = messages(out, "visage.log")
    assert told == f"{7 - len(written)} log lines were lost."


def test_a_line_that_cannot_be_formatted_is_counted_and_stops_nothing() -> None:
    out = io.BytesIO()
    with write_logs("info", "json", out):
        logging.getLogger("visage").info("%d", "no number")
        logging.getLogger("visage").info("after")
    assert messages(out, "visage") == ["after"]
    assert messages(out, "visage.log") == ["1 log lines were lost."]


def test_the_level_is_kept() -> None:
    out = io.BytesIO()
    with write_logs("warning", "json", out):
        logging.getLogger("visage").info("quiet")
        logging.getLogger("visage").warning("loud")
        log_request(RequestRecord("id", "GET", status=200))
    assert [json.loads(line).get("message") for line in out.getvalue().splitlines()] == ["loud"]


def test_an_exception_stays_on_its_line() -> None:
    out = io.BytesIO()
    with write_logs("info", "json", out):
        try:
            raise ValueError("odd")
        except ValueError:
            logging.getLogger("visage").exception("It failed.")
    (line,) = out.getvalue().splitlines()
    assert "ValueError: odd" in json.loads(line)["exception"]


def test_the_lines_of_uvicorn_and_of_warnings_are_written_too(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    # Making a configuration of uvicorn's sets this level for the whole process, which other tests do.
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "level", logging.NOTSET)
    with write_logs("info", "json", out), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.getLogger("uvicorn.error").info("Started.")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert messages(out, "uvicorn.error") == ["Started."]
    (warned,) = messages(out, "py.warnings")
    assert "DeprecationWarning: old" in warned


def test_the_multipart_parser_may_not_quote_what_it_cannot_read() -> None:
    out = io.BytesIO()
    with write_logs("debug", "json", out):
        logging.getLogger("python_multipart.multipart").warning("Found invalid character b'secret'")
    assert out.getvalue() == b""
