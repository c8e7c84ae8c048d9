"""Reads the files of multipart forms into memory.

Starlette's form parser writes large parts to temporary files and returns the form as a whole. This one never writes to
disk and yields each file as soon as it is complete, so that a batch is not in memory at once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from app.api.parameters import refuse_parameter_in_body, unknown
from app.errors import EmptyFile, FileTooLarge, InvalidRequest, TooManyFiles, UnsupportedMediaType

_HEADERS: Final = 8
_HEADER_BYTES: Final = 4096
_LONGEST_TYPE: Final = 512
"""Characters of a Content-Type. Parsing takes time that grows with their square."""
_NAME_LENGTH: Final = 120


@dataclass(frozen=True, slots=True)
class Upload:
    """One field of a form. ``name`` is that of its file and safe to show; ``data`` is None when it was larger than
    allowed."""

    name: str | None
    data: bytes | None
    size: int
    field: str
    is_file: bool

    def content(self) -> bytes:
        """The file's bytes. Raises FileTooLarge or EmptyFile."""
        if self.data is None:
            raise FileTooLarge
        if not self.data:
            raise EmptyFile
        return self.data

    def picture(self) -> bytes:
        """The file's bytes. Raises UnsupportedMediaType too, where there is text in place of a file."""
        data = self.content()
        # No picture is ASCII.
        if not self.is_file and data.isascii():
            raise UnsupportedMediaType(f"This is text, not a file. With curl, add an @: -F {self.field}=@photo.jpg")
        return data


async def one_file(request: Request, field: str, *, max_bytes: int) -> bytes:
    """The bytes of a form's one file."""
    form = _Form(request, {field: max_bytes})
    found: bytes | None = None
    async for chunk in request.stream():
        for upload in form.write(chunk):
            if found is not None:
                raise InvalidRequest(f"Send one picture as the field '{field}'; POST /predict/batch takes several.")
            found = upload.picture()
    form.require_end()
    if found is None:
        raise _no_file(field)
    return found


async def files(request: Request, field: str, *, max_files: int, max_bytes: int) -> AsyncGenerator[Upload]:
    """Yields the files of a form in their order, each as soon as it has arrived. A form without one is an error."""
    count = 0
    async with aclosing(_uploads(request, {field: max_bytes})) as uploads:
        async for upload in uploads:
            count += 1
            if count > max_files:
                raise TooManyFiles(
                    f"There are more than {max_files} files in this request. Send them in smaller batches."
                )
            yield upload
    if not count:
        raise _no_file(field)


async def fields(request: Request, max_bytes: Mapping[str, int]) -> dict[str, Upload]:
    """The fields of a form by name, each at most once. ``max_bytes`` has all names that there may be."""
    found: dict[str, Upload] = {}
    async with aclosing(_uploads(request, max_bytes)) as uploads:
        async for upload in uploads:
            if upload.field in found:
                raise InvalidRequest(f"{upload.field}: the form has this field twice.")
            found[upload.field] = upload
    return found


async def _uploads(request: Request, max_bytes: Mapping[str, int]) -> AsyncGenerator[Upload]:
    form = _Form(request, max_bytes)
    async for chunk in request.stream():
        for upload in form.write(chunk):
            yield upload
    form.require_end()


def _no_file(field: str) -> InvalidRequest:
    return InvalidRequest(f"The form has no file. Send it as the field '{field}'.")


def safe_name(raw: bytes) -> str | None:
    """A file name that is safe to show: without folders and control or invisible characters, of bounded length."""
    name = raw[-4 * _HEADER_BYTES :].decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C").strip()
    if len(name) > _NAME_LENGTH:
        name = name[: _NAME_LENGTH - 1] + "…"
    return name or None


def _boundary(content_type: str, field: str) -> bytes:
    if len(content_type) > _LONGEST_TYPE:
        raise InvalidRequest(f"The Content-Type has more than {_LONGEST_TYPE} characters.")
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise UnsupportedMediaType(f"Send multipart/form-data, for example with curl -F {field}=@photo.jpg.")
    boundary = options.get(b"boundary", b"")
    # RFC 2046 bounds it at 70 characters.
    if not 0 < len(boundary) <= 70:
        raise InvalidRequest("The Content-Type names no usable multipart boundary.")
    return boundary


class _Form:
    """Parses the form of a request. ``max_bytes`` has the names that its fields may have."""

    def __init__(self, request: Request, max_bytes: Mapping[str, int]) -> None:
        # The parser's callbacks do not lead back to the parser: a cycle would keep what a client that leaves has sent.
        self._fields = fields = _Fields(max_bytes)
        self._parser = MultipartParser(
            _boundary(request.headers.get("content-type", ""), next(iter(max_bytes))),
            {
                "on_part_begin": fields.part_begin,
                "on_header_field": fields.header_field,
                "on_header_value": fields.header_value,
                "on_header_end": fields.header_end,
                "on_headers_finished": fields.headers_finished,
                "on_part_data": fields.part_data,
                "on_part_end": fields.part_end,
                "on_end": fields.end,
            },
            max_header_count=_HEADERS,
            max_header_size=_HEADER_BYTES,
        )

    def write(self, chunk: bytes) -> list[Upload]:
        """Parses the next bytes. Returns the fields that end with them."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise InvalidRequest("The body is not well-formed multipart/form-data.") from None
        return self._fields.take()

    def require_end(self) -> None:
        """Raises InvalidRequest where the form has no end."""
        if not self._fields.complete:
            raise InvalidRequest("The upload ended before its last part did. Send the whole body.")


class _Fields:
    """What the parser calls: collects the fields of a form."""

    def __init__(self, max_bytes: Mapping[str, int]) -> None:
        self.complete = False
        self._limits = max_bytes
        self._ready: list[Upload] = []
        self._name_of_header = b""
        self._value_of_header = b""
        self._disposition = b""
        self._field = ""
        self._is_file = False
        self._name: str | None = None
        self._size = 0
        self._data: bytes | bytearray = b""

    def take(self) -> list[Upload]:
        """The fields that have ended since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def part_begin(self) -> None:
        self._disposition = b""
        self._size = 0
        self._data = b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name_of_header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value_of_header += data[start:end]

    def header_end(self) -> None:
        if self._name_of_header.lower() == b"content-disposition":
            self._disposition = self._value_of_header
        self._name_of_header = self._value_of_header = b""

    def headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        if kind != b"form-data" or name is None:
            raise InvalidRequest("A part of the form has no Content-Disposition with a name.")
        self._field = name.decode("utf-8", "replace")
        if self._field not in self._limits:
            refuse_parameter_in_body(self._field)
            raise unknown("form field", self._field, [*self._limits])
        self._is_file = b"filename" in options
        self._name = safe_name(options.get(b"filename", b""))

    def part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size > self._limits[self._field]:
            self._data = b""
        elif not self._data:
            # Most files come in one piece, which needs no further copy.
            self._data = data[start:end]
        else:
            # A list of pieces would take 400 times the size of a file that comes byte by byte.
            self._data = bytearray(self._data) if isinstance(self._data, bytes) else self._data
            self._data += memoryview(data)[start:end]

    def part_end(self) -> None:
        data = bytes(self._data) if self._size <= self._limits[self._field] else None
        self._data = b""
        self._ready.append(Upload(self._name, data, self._size, self._field, self._is_file))

    def end(self) -> None:
        self.complete = True
