"""Takes a picture out of ``{"image": "…"}`` while the body arrives.

It is base64 or a data URL, in the variants that browsers and other programs write.
"""

from __future__ import annotations

import binascii
import re
from typing import Any, Final

import orjson
from starlette.requests import Request

from app.api.parameters import refuse_parameter_in_body
from app.errors import EmptyFile, FileTooLarge, InvalidRequest, UnsupportedMediaType, VisageError

MAX_OUTLINE: Final = 16 * 1024
"""Most bytes of JSON besides the picture's text."""

_TYPES: Final = frozenset(
    {"image/jpeg", "image/jpg", "image/pjpeg", "image/png", "image/webp", "image/bmp", "image/x-ms-bmp"}
)
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_BLANK: Final = b" \t\r\n\f\v"
_LONGEST_HEADER: Final = 200
_SURELY_PLUS: Final = 1000
"""Bytes from which the text of a picture has a + or a -."""
_STRING: Final = re.compile(rb'(?:[^"\\]++|\\u.{4}|\\[^u])*+', re.DOTALL)
"""The inside of a JSON string up to its end or to an escape that is not complete."""


def longest_base64(size: int) -> int:
    """Characters in which a picture of so many bytes may arrive. JSON may escape a twelfth of them, and base64 may have
    line breaks."""
    return size * 3 // 2


async def read_picture(request: Request, *, max_bytes: int) -> bytes:
    """The picture in the body of a request."""
    picture = JsonPicture(max_bytes)
    async for chunk in request.stream():
        picture.feed(chunk)
    return picture.finish()


async def read_parts(request: Request, *, max_bytes: int) -> tuple[dict[str, Any], bytes | VisageError | None]:
    """The fields of a body that may have a picture, and its picture or why that cannot be one."""
    parts = JsonParts(max_bytes)
    async for chunk in request.stream():
        parts.feed(chunk)
    return parts.parts()


class JsonPicture:
    """The picture in a JSON body that arrives in chunks.

    Only the picture's text can be large, and it is decoded as it arrives. All other JSON is kept as the outline, whose
    size is bounded, and is parsed at the end, with an empty string in place of the picture.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._outline = bytearray()
        self._depth = 0
        self._in_string = False
        self._string = slice(0, 0)
        """Where the last string stands in the outline."""
        self._incomplete = b""
        self._picture: Base64Decoder | None = None
        self._in_picture = False

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the body. Raises an error as soon as they cannot be a picture."""
        chunk = self._incomplete + chunk
        self._incomplete = b""
        position = 0
        while position < len(chunk):
            position = self._feed_string(chunk, position) if self._in_string else self._feed_outline(chunk, position)

    def finish(self) -> bytes:
        """The picture, once the body is complete."""
        fields = self._fields()
        for name in fields if isinstance(fields, dict) else ():
            refuse_parameter_in_body(name)
        if self._picture is None or not isinstance(fields, dict) or not isinstance(fields.get("image"), str):
            raise InvalidRequest('The body has to be {"image": "…"} with a picture as base64 or as a data URL.')
        return self._picture.finish()

    def _fields(self) -> Any:
        """The JSON of the body, with an empty string in place of the picture."""
        try:
            return orjson.loads(self._outline)
        except orjson.JSONDecodeError:
            raise InvalidRequest("The body is not valid JSON.") from None

    def _feed_picture(self, picture: Base64Decoder, text: str) -> None:
        picture.feed(text)

    def _feed_outline(self, chunk: bytes, position: int) -> int:
        """Takes what stands between two strings. Returns the position after it."""
        quote = chunk.find(b'"', position)
        between = chunk[position : quote + 1 or len(chunk)]
        self._keep(between)
        self._depth += between.count(b"{") + between.count(b"[") - between.count(b"}") - between.count(b"]")
        if quote >= 0:
            self._in_string = True
            self._in_picture = self._begins_picture()
            if self._in_picture and self._picture is not None:
                raise InvalidRequest('The body has more than one "image".')
            if self._in_picture:
                self._picture = Base64Decoder(self._max_bytes)
            else:
                self._string = slice(len(self._outline) - 1, 0)
        return position + len(between)

    def _feed_string(self, chunk: bytes, position: int) -> int:
        """Takes a string, or what has arrived of it. Returns the position after it."""
        found = _STRING.match(chunk, position)
        end = found.end() if found else position
        if self._in_picture and self._picture is not None:
            self._feed_picture(self._picture, _unescaped(chunk[position:end]))
        else:
            self._keep(chunk[position:end])
        if chunk[end : end + 1] != b'"':
            self._incomplete = chunk[end:]
            return len(chunk)
        self._keep(b'"')
        self._in_string = False
        if not self._in_picture:
            self._string = slice(self._string.start, len(self._outline))
        return end + 1

    def _begins_picture(self) -> bool:
        """The string that begins is the value of ``image`` in the outermost object."""
        if self._depth != 1 or self._outline[self._string.stop : -1].strip() != b":":
            return False
        key = bytes(self._outline[self._string])
        return key == b'"image"' or (b"\\" in key and _unescaped(key[1:-1]) == "image")

    def _keep(self, text: bytes) -> None:
        if len(self._outline) + len(text) > MAX_OUTLINE:
            raise InvalidRequest(f'The body has more than {MAX_OUTLINE // 1024} KB besides the text of "image".')
        self._outline += text


class JsonParts(JsonPicture):
    """The picture in a JSON body and its other fields. What is wrong with the picture is kept, not raised."""

    _fault: VisageError | None = None

    def parts(self) -> tuple[dict[str, Any], bytes | VisageError | None]:
        fields = self._fields()
        if not isinstance(fields, dict):
            raise InvalidRequest("The body is not a JSON object.")
        if not isinstance(fields.pop("image", None), str | None):
            raise InvalidRequest("image: is no picture as base64 or as a data URL.")
        if self._picture is None:
            return fields, None
        try:
            return fields, self._fault or self._picture.finish()
        except VisageError as error:
            return fields, error

    def _feed_picture(self, picture: Base64Decoder, text: str) -> None:
        if self._fault is None:
            try:
                super()._feed_picture(picture, text)
            except VisageError as error:
                self._fault = error


class Base64Decoder:
    """Decodes base64 or a data URL in pieces. Accepts white space, the URL-safe alphabet and missing padding."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._header: str | None = ""
        self._rest = b""
        self._padded = False
        self._has_space = self._has_plus = False

    def feed(self, text: str) -> None:
        if self._header is None:
            self._decode(text)
            return
        self._header += text
        if len(self._header) >= _LONGEST_HEADER:
            self._end_header()

    def finish(self) -> bytes:
        """The bytes that the whole text stands for."""
        self._end_header()
        if self._has_space and not self._has_plus and len(self._data) > _SURELY_PLUS:
            raise InvalidRequest("image: its base64 has spaces in place of +; in a form or an address, send + as %2B.")
        self._append(self._rest + b"=" * (-len(self._rest) % 4))
        if not self._data:
            raise EmptyFile
        return bytes(self._data)

    def _end_header(self) -> None:
        if self._header is not None:
            text, self._header = _without_header(self._header), None
            self._decode(text)

    def _decode(self, text: str) -> None:
        try:
            written = text.encode("ascii")
        except UnicodeEncodeError:
            raise _not_base64() from None
        packed = written.translate(_URL_SAFE, _BLANK)
        self._has_space = self._has_space or b" " in written.strip()
        self._has_plus = self._has_plus or b"+" in packed
        packed, padding, after = packed.partition(b"=")
        if after.strip(b"=") or (packed and self._padded):
            raise _not_base64()
        self._padded = self._padded or bool(padding)
        packed = self._rest + packed
        whole = len(packed) - len(packed) % 4
        self._rest = packed[whole:]
        self._append(packed[:whole])

    def _append(self, packed: bytes) -> None:
        try:
            self._data += binascii.a2b_base64(packed, strict_mode=True)
        except binascii.Error:
            raise _not_base64() from None
        if len(self._data) > self._max_bytes:
            raise FileTooLarge


def _unescaped(text: bytes) -> str:
    """What a piece of a JSON string stands for."""
    try:
        return str(orjson.loads(b'"%b"' % text))
    except orjson.JSONDecodeError:
        raise InvalidRequest("The body is not valid JSON.") from None


def _not_base64() -> InvalidRequest:
    return InvalidRequest("image: this is not valid base64.")


def _without_header(text: str) -> str:
    """The data of a data URL; any other text as it is."""
    start = text[:_LONGEST_HEADER].lstrip()
    if start[:5].lower() != "data:":
        return text
    header, comma, _ = start.partition(",")
    if not comma:
        raise InvalidRequest("image: this data URL has no comma before its data.")
    kind, *options = header[5:].split(";")
    if kind.strip().lower() not in _TYPES:
        raise UnsupportedMediaType("The data URL is not of a JPEG, PNG, WebP or BMP picture.")
    if not options or options[-1].strip().lower() != "base64":
        raise InvalidRequest("image: this data URL is not in base64.")
    return text.partition(",")[2]
