"""Forms of every kind, however they are cut into chunks, give their files or one error."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tracemalloc
import weakref
from collections.abc import Iterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

import app.api.dependencies  # noqa: F401 - it has the queries of all routes
from app.api.uploads import Upload, _Form, files, one_file, safe_name
from app.errors import EmptyFile, FileTooLarge, InvalidRequest, TooManyFiles, UnsupportedMediaType, VisageError

BOUNDARY = "----visage"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(data: bytes, *, name: str = "file", filename: str | None = "photo.jpg", extra: str = "") -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'Content-Disposition: form-data; name="{name}"{file}\r\nContent-Type: image/jpeg\r\n{extra}\r\n'
    return f"--{BOUNDARY}\r\n{head}".encode() + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def request(body: bytes, content_type: str | None = TYPE, *, chunk: int = 65_536) -> Request:
    headers = [] if content_type is None else [(b"content-type", content_type.encode("latin-1"))]
    pieces: Iterator[bytes] = iter([body[i : i + chunk] for i in range(0, len(body), chunk)])

    async def receive() -> Message:
        piece = next(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def take(asked: Request, *, max_files: int = 5, max_bytes: int = 10_000) -> list[Upload]:
    async with aclosing(files(asked, "file", max_files=max_files, max_bytes=max_bytes)) as uploads:
        return [upload async for upload in uploads]


async def one(asked: Request, *, max_bytes: int = 10_000) -> bytes:
    return await one_file(asked, "file", max_bytes=max_bytes)


async def test_one_file_comes_back_as_it_was_sent() -> None:
    assert await one(request(part(b"bytes of a picture") + END)) == b"bytes of a picture"


@given(data=st.binary(max_size=300), chunk=st.integers(1, 80))
def test_bytes_survive_any_cut_into_chunks(data: bytes, chunk: int) -> None:
    body = part(data + b"\r\n--" + BOUNDARY.encode()[:5]) + part(data) + END
    first, second = asyncio.run(take(request(body, chunk=chunk)))
    assert first.data == data + b"\r\n--" + BOUNDARY.encode()[:5]
    assert second.data == data


NAMED = b'Content-Disposition: form-data; name="file"'
PIECES = st.sampled_from([b"--" + BOUNDARY.encode(), b"--", b"\r\n", b"\r", b"\n", b": ", b";", b"=", b'"', NAMED])


@given(pieces=st.lists(PIECES | st.binary(max_size=12), max_size=20), chunk=st.integers(1, 60))
def test_whatever_arrives_is_a_file_or_a_declared_error(pieces: list[bytes], chunk: int) -> None:
    with contextlib.suppress(VisageError):
        assert asyncio.run(take(request(b"".join(pieces), chunk=chunk)))


async def test_what_only_begins_like_the_end_of_a_part_belongs_to_it() -> None:
    data = f"a\r\n--{BOUNDARY}b\r\n--{BOUNDARY}-".encode()
    for chunk in (1, 7, 1000):
        assert await one(request(part(data) + END, chunk=chunk)) == data


async def test_blank_lines_before_a_form_are_skipped_and_what_follows_it_is_ignored() -> None:
    assert await one(request(b"\r\n\n" + part(b"picture") + END + b"what follows", chunk=3)) == b"picture"


async def test_a_part_without_headers_is_no_file() -> None:
    with pytest.raises(InvalidRequest, match="Content-Disposition"):
        await one(request(f"--{BOUNDARY}\r\n\r\n\r\nno headers\r\n".encode() + END))


async def test_a_file_is_given_before_the_rest_has_arrived() -> None:
    arrived = 0
    body = [part(b"first"), part(b"second") + END]

    async def receive() -> Message:
        nonlocal arrived
        arrived += 1
        return {"type": "http.request", "body": body[arrived - 1], "more_body": arrived < 2}

    asked = Request({"type": "http", "method": "POST", "headers": [(b"content-type", TYPE.encode())]}, receive)
    seen = []
    async with aclosing(files(asked, "file", max_files=5, max_bytes=100)) as uploads:
        async for upload in uploads:
            seen.append((upload.data, arrived))
    # The first file ends where the second part's boundary begins, which came with the second message.
    assert seen == [(b"first", 2), (b"second", 2)]


async def test_a_file_that_comes_byte_by_byte_takes_no_more_memory() -> None:
    asked = request(part(b"x" * 30_000) + END, chunk=1)
    tracemalloc.start()
    try:
        assert len(await one(asked, max_bytes=50_000)) == 30_000
        assert tracemalloc.get_traced_memory()[1] < 10 * 30_000
    finally:
        tracemalloc.stop()


async def test_a_file_that_is_too_large_does_not_touch_the_others() -> None:
    small, large, last = await take(request(part(b"a") + part(b"b" * 101) + part(b"c" * 100) + END), max_bytes=100)
    assert (small.content(), last.content()) == (b"a", b"c" * 100)
    assert large.size == 101
    with pytest.raises(FileTooLarge):
        large.content()


async def test_a_single_file_that_is_too_large_is_an_error() -> None:
    with pytest.raises(FileTooLarge):
        await one(request(part(b"b" * 101) + END), max_bytes=100)


async def test_an_empty_file_is_an_error() -> None:
    with pytest.raises(EmptyFile):
        await one(request(part(b"", filename="") + END))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("photo", "There is no form field 'photo'. The only form field is 'file'."),
        ("Files", "There is no form field 'Files'. Did you mean 'file'? The only form field is 'file'."),
        ("x" * 99, f"There is no form field '{'x' * 39}…'. The only form field is 'file'."),
        ("faces", "'faces' goes into the address, as in ?faces=…, not into the body."),
    ],
)
async def test_another_field_is_an_error_that_names_the_right_one(name: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await one(request(part(b"picture") + part(b"x", name=name, filename=None) + END))
    assert caught.value.message == message


async def test_a_form_without_fields_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match=r"no file.*'file'"):
        await one(request(END))


async def test_two_files_where_one_is_asked_for_are_an_error() -> None:
    with pytest.raises(InvalidRequest, match="/predict/batch"):
        await one(request(part(b"a") + part(b"b") + END))


async def test_more_files_than_allowed_are_an_error() -> None:
    with pytest.raises(TooManyFiles, match="2 files"):
        await take(request(part(b"a") * 3 + END), max_files=2)


@pytest.mark.parametrize(
    "content_type", [None, "", "image/jpeg", "application/json", "application/x-www-form-urlencoded"]
)
async def test_what_is_no_form_is_unsupported(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType, match="multipart/form-data"):
        await one(request(b"bytes", content_type))


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'b' * 71}"],
)
async def test_a_form_without_a_usable_boundary_is_an_error(content_type: str) -> None:
    with pytest.raises(InvalidRequest, match="boundary"):
        await one(request(part(b"a") + END, content_type))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        part(b"cut short")[:-10],
        part(b"no end"),
        b"garbage that is no form",
        part(b"a", extra="Bad Header: x\r\n") + END,
        part(b"a", extra=f"X-Long: {'x' * 10_000}\r\n") + END,
        part(b"a", extra="X-Many: x\r\n" * 50) + END,
        f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\nno name\r\n".encode() + END,
        f"--{BOUNDARY}\r\n\r\nno header\r\n".encode() + END,
    ],
)
async def test_a_broken_form_is_one_declared_error(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        await one(request(body))


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"photo.jpg", "photo.jpg"),
        (b"../../etc/passwd", "passwd"),
        (b"C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("Grüße 😀.png".encode(), "Grüße 😀.png"),
        (b"line\r\nbreak\x00\x1b[31m.jpg", "linebreak[31m.jpg"),
        ("gpj.\u202eexe".encode(), "gpj.exe"),
        (b"\xff\xfe.jpg", "\ufffd\ufffd.jpg"),
        (b"", None),
        (b"  /", None),
    ],
)
def test_file_names_are_safe_to_echo(raw: bytes, name: str | None) -> None:
    assert safe_name(raw) == name


def test_a_long_file_name_is_cut() -> None:
    name = safe_name(b"x" * 5000)
    assert name is not None
    assert len(name) == 120
    assert name.endswith("…")


async def test_a_name_that_is_not_latin_comes_through() -> None:
    (upload,) = await take(request(part(b"a", filename="笑顔.jpg") + END))
    assert upload.name == "笑顔.jpg"


async def test_what_a_client_has_sent_that_left_is_let_go_without_the_garbage_collector() -> None:
    form = _Form(request(b""), {"file": 10_000})
    form.write(part(b"half a picture")[:-20])
    fields = weakref.ref(form._fields)
    gc.disable()
    try:
        del form
        assert fields() is None
    finally:
        gc.enable()
