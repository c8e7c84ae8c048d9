"""Base64 as programs write it, in JSON that arrives in chunks, and what is said of anything else."""

from __future__ import annotations

import base64
import binascii
import json
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.api.base64_image import MAX_OUTLINE, Base64Decoder, JsonPicture
from app.api.parameters import refuse_parameter_in_body
from app.errors import EmptyFile, FileTooLarge, InvalidRequest, UnsupportedMediaType, VisageError

DATA = bytes(range(256)) + b"\xfb\xff\xfe?"
PLAIN = base64.b64encode(DATA).decode()
MB = 1024 * 1024


def decode(text: str, size: int = 7) -> bytes:
    decoder = Base64Decoder(1000)
    for start in range(0, len(text), size):
        decoder.feed(text[start : start + size])
    return decoder.finish()


def picture_of(body: bytes, size: int = 997, max_bytes: int = 1000) -> bytes:
    """The picture in a body that arrives in chunks of a size."""
    picture = JsonPicture(max_bytes)
    for start in range(0, len(body), size):
        picture.feed(body[start : start + size])
    return picture.finish()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 10_000])
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
def test_every_usual_spelling_gives_the_same_bytes(text: str, size: int) -> None:
    assert decode(text, size) == DATA
    assert picture_of(json.dumps({"image": text}).encode(), size) == DATA


@pytest.mark.parametrize("size", [1, 10_000])
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", EmptyFile),
        ("data:image/png;base64,", EmptyFile),
        ("not base64!", InvalidRequest),
        ("AAAAA", InvalidRequest),
        ("AA=A", InvalidRequest),
        ("AA==AA==", InvalidRequest),
        ("Ünïcode", InvalidRequest),
        ("data:image/png,plain", InvalidRequest),
        ("data:image/png;base64", InvalidRequest),
        ("data:image/svg+xml;base64,AAAA", UnsupportedMediaType),
        ("data:text/html;base64,AAAA", UnsupportedMediaType),
        ("data:;base64,AAAA", UnsupportedMediaType),
        (base64.b64encode(DATA * 5).decode(), FileTooLarge),
    ],
)
def test_anything_else_is_one_declared_error(text: str, error: type[VisageError], size: int) -> None:
    with pytest.raises(error):
        decode(text, size)
    with pytest.raises(error):
        picture_of(json.dumps({"image": text}).encode(), size)


def test_base64_whose_plus_became_a_space_is_told_from_other_text() -> None:
    text = base64.b64encode(DATA * 5).decode()
    decoder = Base64Decoder(MB)
    decoder.feed(text.replace("A", " A"))
    assert decoder.finish() == DATA * 5
    decoder = Base64Decoder(MB)
    decoder.feed(text.replace("+", " "))
    with pytest.raises(InvalidRequest, match="has spaces in place of"):
        decoder.finish()


@pytest.mark.parametrize("size", [1, 10_000])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"image": 5}',
        b'{"image": null}',
        b'{"picture": "AAAA"}',
        b"\xff",
        b'{"image": "AAAA"',
        b'{"image": "AAAA',
        b'{"image": "AA\\u00',
        b'{"image": "AA\nAA"}',
        b'{"image": "AAAA"} x',
        b'{"image": "AAAA", "image": 5}',
        b'{"image": "AAAA", "image": "AAAA"}',
        b'["image": "AAAA"]',
        b'{"more": {"image": "AAAA"}}',
        b'{"more": ["image", "AAAA"]}',
        b'{"more": "image", "AAAA": 1}',
    ],
)
def test_a_body_without_a_picture_is_an_invalid_request(body: bytes, size: int) -> None:
    with pytest.raises(InvalidRequest):
        picture_of(body, size)


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize(
    "body",
    [
        orjson.dumps({"image": PLAIN, "more": 1}),
        orjson.dumps({"more": {"image": ["{", 'a"\\', {"image": None}]}, "image": PLAIN}, option=orjson.OPT_INDENT_2),
        b'{"\\u0069m\\u0061ge" :\t"%b"}' % PLAIN.replace("+", "\\u002b").replace("/", "\\/").encode(),
        b'{"":"image","image":"%b","x":"\xc3\xbc"}' % PLAIN.encode(),
    ],
)
def test_the_picture_of_a_body_is_found(body: bytes, size: int) -> None:
    assert picture_of(body, size) == DATA


@pytest.mark.parametrize("size", [64 * 1024, 256 * 1024])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 7 * MB,
        b'{"image":' * MB,
        b'{"more":' + b"[]," * 3 * MB,
        b'{"' + b"k" * 7 * MB + b'":1}',
        b'{"more":"' + b"\\u0041" * MB + b'","image":"AAAA"}',
        b'{"image":' + b" " * 7 * MB + b'"AAAA"}',
        b'{"":"",' * MB,
    ],
)
def test_json_besides_the_picture_is_bounded(body: bytes, size: int) -> None:
    """Nothing of it is built: the memory stays within a few chunks."""
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest, match="16 KB"):
            picture_of(body, size, 10 * MB)
        assert tracemalloc.get_traced_memory()[1] < 2 * MB
    finally:
        tracemalloc.stop()


def test_the_deepest_json_that_fits_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        body = b'{"image":"AAAA","more":[%b{}]}' % (b'{"":0},' * (MAX_OUTLINE // 7 - 20))
        assert picture_of(body) == b"\0\0\0"
        assert tracemalloc.get_traced_memory()[1] < 2 * MB
    finally:
        tracemalloc.stop()


def test_a_picture_that_is_too_large_is_refused_while_it_arrives() -> None:
    picture = JsonPicture(1000)
    picture.feed(b'{"image": "')
    with pytest.raises(FileTooLarge):
        picture.feed(b"A" * 1500)


def reference(body: bytes) -> bytes:
    """The same with everything in memory at once."""
    fields: Any = orjson.loads(body)
    text = fields["image"].removeprefix("data:image/png;base64,")
    for name in fields:
        refuse_parameter_in_body(name)
    packed = text.encode("ascii").translate(bytes.maketrans(b"-_", b"+/"), b" \t\r\n\f\v").rstrip(b"=")
    return binascii.a2b_base64(packed + b"=" * (-len(packed) % 4), strict_mode=True)


def spelled(text: str, escaped: set[int]) -> str:
    """A JSON string in which some characters are written as escapes."""
    return '"' + "".join(f"\\u{ord(c):04x}" if n in escaped else json.dumps(c)[1:-1] for n, c in enumerate(text)) + '"'


_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=6), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)
_texts = st.builds(
    lambda data, header, cut: header + base64.b64encode(data).decode()[: None if not cut else -cut],
    st.binary(max_size=300),
    st.sampled_from(["", "", "data:image/png;base64,", " \n"]),
    st.integers(0, 2),
) | st.text('AQgw=+-_/ \n!\\"ü', max_size=12)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """JSON with a picture among other fields, at times damaged."""
    fields = [(json.dumps(key), json.dumps(value)) for key, value in draw(st.dictionaries(st.text(), _values)).items()]
    picture = ('"image"', spelled(draw(_texts), draw(st.sets(st.integers(0, 30), max_size=3))))
    fields.insert(draw(st.integers(0, len(fields))), picture)
    blank = draw(st.sampled_from(["", " ", "\n\t"]))
    body = ("{" + ",".join(f"{blank}{key}{blank}:{blank}{value}" for key, value in fields) + "}").encode()
    if draw(st.booleans()):
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=2) | st.sampled_from([b'"', b"\\", b"{", b"]"])) + body[at:]
    return body


@given(body=bodies(), size=st.integers(1, 40))
def test_a_stream_gives_what_the_whole_body_gives(body: bytes, size: int) -> None:
    assume(len(body) < MAX_OUTLINE)
    try:
        expected = reference(body) or None
    except (ValueError, KeyError, TypeError, AttributeError, VisageError):
        expected = None
    try:
        found = picture_of(body, size)
    except VisageError:
        found = None
    assert found == expected
