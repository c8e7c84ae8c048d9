"""Logs: one JSON object a line, or text for people, written by a thread of their own.

A request's line holds the fields of :func:`request_fields` and nothing else: no file name, no address, no label, no
probability, no path of a request.
"""

from __future__ import annotations

import logging
import queue
import sys
import time
from collections.abc import Mapping
from logging.handlers import QueueHandler, QueueListener
from types import TracebackType
from typing import Any, Final, Literal, TextIO, cast

import orjson

from app.telemetry.records import RequestRecord

_ACCESS = logging.getLogger("visage.access")

_WAITING = 10_000
"""Most lines that wait for the writer; a log that nobody reads must not fill the memory."""

_GATHERING = 0.02
"""Seconds that a line may wait for others."""

_SIZES: Final = ((64 << 10, "64KB"), (256 << 10, "256KB"), (1 << 20, "1MB"), (5 << 20, "5MB"), (20 << 20, "20MB"))
_COLOURS: Final = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "31;1"}


def log_request(record: RequestRecord) -> None:
    """Writes the line of a request that is over."""
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
        "size": _bucket(record.size),
        "items": record.items,
        "format": record.picture_format,
        "faces": record.faces,
        "model": record.model,
        "error": record.error,
    }
    fields.update((name, value) for name, value in optional.items() if value is not None)
    return fields


def _bucket(size: int | None) -> str | None:
    if size is None:
        return None
    return next((f"<={name}" for bound, name in _SIZES if size <= bound), ">20MB")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {"time": _utc(record.created), "level": record.levelname.lower()}
        request = getattr(record, "request", None)
        if isinstance(request, RequestRecord):
            fields.update(request_fields(request))
        else:
            fields["logger"] = record.name
            fields["message"] = record.getMessage()
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(fields, default=str).decode()


class TextFormatter(logging.Formatter):
    """A line for people."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        request = getattr(record, "request", None)
        said = _sentence(request_fields(request)) if isinstance(request, RequestRecord) else record.getMessage()
        level = record.levelname.lower()
        shown = f"\033[{_COLOURS.get(level, '0')}m{level:<7}\033[0m" if self._colour else f"{level:<7}"
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        line = f"{clock} {shown} {said}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _sentence(fields: Mapping[str, Any]) -> str:
    head = f"{fields['method']} {fields['route']} {fields['status']} {fields['ms']:.1f} ms"
    stages = " ".join(f"{name} {value:.1f}" for name, value in fields.get("stages_ms", {}).items() if name != "total")
    rest = " ".join(
        f"{name}={fields[name]}"
        for name in ("size", "items", "format", "faces", "model", "error", "request_id")
        if name in fields
    )
    return " · ".join(part for part in (head, stages, rest) if part)


def _utc(seconds: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03d}Z"


class _Sender(QueueHandler):
    """Hands records to the writer's thread, which formats them; counts what finds the queue full."""

    def __init__(self, lines: queue.Queue[Any]) -> None:
        super().__init__(lines)
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        # The writer lives in this process: nothing needs to be flattened for a pipe.
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _Writer(logging.StreamHandler[TextIO]):
    """Writes lines and leaves it to the listener when they go out."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(self.format(record) + self.terminator)
        except Exception:
            self.handleError(record)


class _Listener(QueueListener):
    """A listener that lets lines gather for a moment: to be woken for each cost as much as to write it.

    It can be told to end while its queue is full.
    """

    def __init__(self, lines: queue.Queue[Any], writer: _Writer) -> None:
        super().__init__(lines, writer)
        self._writer = writer

    def dequeue(self, block: bool) -> Any:
        lines = cast("queue.Queue[Any]", self.queue)
        if block and lines.empty():
            self._writer.flush()
            line = lines.get()
            time.sleep(_GATHERING)
            return line
        return super().dequeue(block)

    def enqueue_sentinel(self) -> None:
        cast("queue.Queue[Any]", self.queue).put(None)


class LogWriter:
    """Every logger of the process, writing through one thread.

    Nothing that was logged before :meth:`stop` is lost, unless the reader of the stream is too slow.
    """

    def __init__(
        self, level: str, form: Literal["json", "text"], stream: TextIO | None = None, *, waiting: int = _WAITING
    ) -> None:
        stream = stream or sys.stdout
        self._writer = _Writer(stream)
        self._writer.setFormatter(JsonFormatter() if form == "json" else TextFormatter(colour=stream.isatty()))
        self._lines: queue.Queue[Any] = queue.Queue(waiting)
        self._sender = _Sender(self._lines)
        self._listener = _Listener(self._lines, self._writer)
        self._level = level.upper()
        self._before: tuple[list[logging.Handler], int] = ([], logging.WARNING)

    def start(self) -> None:
        """Takes the root logger and uvicorn's over."""
        root = logging.getLogger()
        self._before = (root.handlers[:], root.level)
        root.handlers[:] = [self._sender]
        root.setLevel(self._level)
        for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.propagate = name != "uvicorn.access"
        # The multipart parser quotes the bytes that it cannot read.
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
        logging.captureWarnings(True)
        self._listener.start()

    def stop(self) -> None:
        """Writes what waits, ends the thread and gives the root logger its handlers back."""
        logging.captureWarnings(False)
        root = logging.getLogger()
        root.handlers[:], level = self._before
        root.setLevel(level)
        self._listener.stop()
        if self._sender.dropped:
            lost = logging.makeLogRecord(
                {"name": "visage.log", "levelname": "WARNING", "msg": f"{self._sender.dropped} log lines were dropped."}
            )
            self._listener.handle(lost)
        self._writer.flush()

    def __enter__(self) -> LogWriter:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
