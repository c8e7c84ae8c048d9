"""Logs: one JSON object a line, or text for people, written by a thread of their own.

The line of a request holds the fields of :func:`request_fields` and nothing else: no file name, no address, no label,
no probability, no path of a request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Any, BinaryIO, Final, Literal

import orjson

from app.telemetry.records import RequestRecord

_ACCESS = logging.getLogger("visage.access")

_CAPACITY = 10_000
"""Most lines that wait to be written, so that a stream that blocks does not fill the memory."""

_PAUSE: Final = 0.05
_STDOUT: Final = 1
_STOP_TIMEOUT: Final = 2.0
_END: Final = logging.LogRecord("", logging.NOTSET, "", 0, "", (), None)
"""What comes last: no line, but the count of those that were lost."""

_SIZES: Final = ((64 << 10, "64KB"), (256 << 10, "256KB"), (1 << 20, "1MB"), (5 << 20, "5MB"), (20 << 20, "20MB"))
_COLOURS: Final = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "31;1"}


@contextmanager
def write_logs(
    level: str, form: Literal["json", "text"], stream: BinaryIO | None = None, *, capacity: int = _CAPACITY
) -> Iterator[None]:
    """Sends what every logger of the process and the module ``warnings`` say to a stream, stdout by default.

    A thread writes, so a stream that blocks does not block the caller. Every line is written before the context ends,
    except those that found the queue full or the stream blocked or broken, which are counted. A stream that blocks
    delays the end by two seconds at most.
    """
    # Not Python's own stdout: it keeps what it could not write, and blocks or fails again at the exit.
    stream = stream or FileIO(_STDOUT, "w", closefd=False)
    sender = _Sender(capacity)
    listener = _Writer(sender, JsonFormatter() if form == "json" else TextFormatter(colour=stream.isatty()), stream)
    root = logging.getLogger()
    handlers, root_level = root.handlers[:], root.level
    root.handlers[:] = [sender]
    root.setLevel(level.upper())
    # The multipart parser quotes the bytes that it cannot read.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    # No line shows them, and each record would look them up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.captureWarnings(True)
    listener.start()
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(root_level)
        listener.stop()


class _Sender(QueueHandler):
    """Queues records as they are, which the writing thread formats, and counts those that find the queue full."""

    queue: SimpleQueue[logging.LogRecord | None]

    def __init__(self, capacity: int) -> None:
        # A queue with a bound of its own would refuse the listener's signal to stop when it is full.
        super().__init__(SimpleQueue())
        self._capacity = capacity
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        if self.queue.qsize() < self._capacity:
            self.queue.put(record)
        else:
            self.dropped += 1


class _Writer(QueueListener):
    """Writes the lines in a thread that no failure ends, and says how many were lost once the stream works again."""

    def __init__(self, sender: _Sender, formatter: logging.Formatter, stream: BinaryIO) -> None:
        super().__init__(sender.queue)
        self._sender = sender
        self._formatter = formatter
        self._stream = stream
        self._unwritten = b""
        """The rest of the last line. It is written before any other, so that no line is torn."""
        self._failed = 0
        self._told = 0

    def handle(self, record: logging.LogRecord) -> None:
        try:
            line = b"" if record is _END else self._line(record)
            self._write()
            self._unwritten = self._lost() + line
        except Exception:
            # The disk is full, nobody reads any more, or the record cannot be formatted.
            self._failed += 1
            return
        # What fails here is written before the next line.
        with suppress(Exception):
            self._write()

    def dequeue(self, block: bool) -> logging.LogRecord:
        """The next line. A pause after the last one lets more of them gather: a thread that wakes for each line stops
        the others each time, since only one runs Python at a time."""
        if self._sender.queue.empty():
            time.sleep(_PAUSE)
        return super().dequeue(block)

    def enqueue_sentinel(self) -> None:
        self.queue.put_nowait(_END)
        super().enqueue_sentinel()

    def stop(self) -> None:
        self.enqueue_sentinel()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT)

    def _write(self) -> None:
        while self._unwritten:
            written = self._stream.write(self._unwritten)
            if not written:
                # The stream does not block, and takes nothing.
                raise BlockingIOError
            self._unwritten = self._unwritten[written:]

    def _line(self, record: logging.LogRecord) -> bytes:
        return f"{self._formatter.format(record)}\n".encode(errors="replace")

    def _lost(self) -> bytes:
        """The line that says how many lines were lost since the last such line, if any were."""
        lost = self._sender.dropped + self._failed - self._told
        if not lost:
            return b""
        message = f"{lost} log lines were lost."
        line = self._line(logging.LogRecord("visage.log", logging.WARNING, "", 0, message, (), None))
        self._told += lost
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC)
        fields: dict[str, Any] = {"time": time, "level": record.levelname.lower()}
        request = getattr(record, "request", None)
        if isinstance(request, RequestRecord):
            fields.update(request_fields(request))
        else:
            fields.update(logger=record.name, message=record.getMessage())
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(fields, default=str, option=orjson.OPT_UTC_Z).decode()


class TextFormatter(logging.Formatter):
    """A line for people."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        request = getattr(record, "request", None)
        message = _sentence(request_fields(request)) if isinstance(request, RequestRecord) else record.getMessage()
        name = record.levelname.lower()
        level = f"\033[{_COLOURS.get(name, '0')}m{name:<7}\033[0m" if self._colour else f"{name:<7}"
        line = f"{self.formatTime(record, '%H:%M:%S')} {level} {message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def log_request(record: RequestRecord) -> None:
    """Logs a request that is over."""
    level = logging.ERROR if record.status >= 500 and record.error == "internal_error" else logging.INFO
    if _ACCESS.isEnabledFor(level):
        # Made by hand: the logger's own way walks the stack for a place that no line shows.
        line = logging.LogRecord(_ACCESS.name, level, "", 0, "request", (), None)
        line.request = record
        _ACCESS.handle(line)


def request_fields(record: RequestRecord) -> dict[str, Any]:
    """All that a log may hold of a request."""
    fields: dict[str, Any] = {
        "request_id": record.request_id,
        "method": record.method,
        "route": record.route,
        "status": record.status,
        "ms": round(record.duration_ms, 2),
    }
    if record.timings_ms:
        fields["stages_ms"] = {name: round(value, 2) for name, value in record.timings_ms.items()}
    optional = {
        "size": None if record.size is None else _bucket(record.size),
        "items": record.items,
        "format": record.picture_format,
        "faces": record.faces,
        "model": record.model,
        "error": record.error,
    }
    fields.update((name, value) for name, value in optional.items() if value is not None)
    return fields


def _bucket(size: int) -> str:
    return next((f"<={name}" for bound, name in _SIZES if size <= bound), ">20MB")


def _sentence(fields: dict[str, Any]) -> str:
    stages = fields.pop("stages_ms", {})
    parts = (
        "{method} {route} {status} {ms:.1f} ms".format(**fields),
        " ".join(f"{name} {value:.1f}" for name, value in stages.items() if name != "total"),
        " ".join(f"{name}={fields[name]}" for name in fields if name not in {"method", "route", "status", "ms"}),
    )
    return " · ".join(part for part in parts if part)
