"""Decodes pictures inside JSON: base64 or data URLs, in the variants that browsers and other programs write."""

from __future__ import annotations

import binascii
from typing import Any, Final

import orjson

from app.errors import EmptyFile, FileTooLarge, InvalidRequest, UnsupportedMediaType

_TYPES: Final = frozenset(
    {"image/jpeg", "image/jpg", "image/pjpeg", "image/png", "image/webp", "image/bmp", "image/x-ms-bmp"}
)
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_BLANK: Final = b" \t\r\n\f\v"
_LONGEST_HEADER: Final = 200


def picture_of(body: bytes, *, max_bytes: int) -> bytes:
    """The picture in a body ``{"image": "…"}``. Takes milliseconds for a large one, so a worker calls it."""
    try:
        fields: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidRequest("The body is not valid JSON.") from None
    text = fields.get("image") if isinstance(fields, dict) else None
    if not isinstance(text, str):
        raise InvalidRequest('The body has to be {"image": "…"} with a picture as base64 or as a data URL.')
    return decode(text, max_bytes=max_bytes)


def decode(text: str, *, max_bytes: int) -> bytes:
    """Decodes base64 or a data URL. Accepts white space, the URL-safe alphabet and missing padding."""
    text = _without_header(text)
    try:
        packed = text.encode("ascii").translate(_URL_SAFE, _BLANK).rstrip(b"=")
        data = binascii.a2b_base64(packed + b"=" * (-len(packed) % 4), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidRequest("image: this is not valid base64.") from None
    if not data:
        raise EmptyFile
    if len(data) > max_bytes:
        raise FileTooLarge
    return data


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
