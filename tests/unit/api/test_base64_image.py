"""Base64 as programs write it, and what is said of anything else."""

from __future__ import annotations

import base64

import orjson
import pytest

from app.api.base64_image import decode, picture_of
from app.errors import EmptyFile, FileTooLarge, InvalidRequest, UnsupportedMediaType, VisageError

DATA = bytes(range(256)) + b"\xfb\xff\xfe?"
PLAIN = base64.b64encode(DATA).decode()


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.rstrip("="),
        base64.urlsafe_b64encode(DATA).decode(),
        base64.encodebytes(DATA).decode(),
        f"  {PLAIN}\r\n",
        f"data:image/jpeg;base64,{PLAIN}",
        f"DATA:image/PNG;charset=utf-8;BASE64,{PLAIN}",
        f"\ndata:image/webp;base64,\n{PLAIN}",
    ],
)
def test_every_usual_spelling_gives_the_same_bytes(text: str) -> None:
    assert decode(text, max_bytes=1000) == DATA


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", EmptyFile),
        ("data:image/png;base64,", EmptyFile),
        ("not base64!", InvalidRequest),
        ("AAAAA", InvalidRequest),
        ("AA=A", InvalidRequest),
        ("Ünïcode", InvalidRequest),
        ("data:image/png,plain", InvalidRequest),
        ("data:image/png;base64", InvalidRequest),
        ("data:image/svg+xml;base64,AAAA", UnsupportedMediaType),
        ("data:text/html;base64,AAAA", UnsupportedMediaType),
        ("data:;base64,AAAA", UnsupportedMediaType),
        (base64.b64encode(DATA * 5).decode(), FileTooLarge),
    ],
)
def test_anything_else_is_one_declared_error(text: str, error: type[VisageError]) -> None:
    with pytest.raises(error):
        decode(text, max_bytes=1000)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"{}", b'{"image": 5}', b'{"image": null}', b'{"picture": "AAAA"}', b"\xff"]
)
def test_a_body_without_a_picture_is_an_invalid_request(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        picture_of(body, max_bytes=1000)


def test_the_picture_of_a_body_is_found() -> None:
    assert picture_of(orjson.dumps({"image": PLAIN, "more": 1}), max_bytes=1000) == DATA
