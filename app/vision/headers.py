"""Reads the header of a picture's file without a decoder: format, size, orientation.

The readers are strict and small on purpose. They pass on to the decoder only what the pixels need: no thumbnails,
comments, colour profiles, or further frames of an animated PNG.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from app.errors import InvalidImage, UnsupportedMediaType
from app.vision.webp_lossless import prefix_code_bytes

PictureFormat = Literal["jpeg", "png", "webp", "bmp"]

READABLE: Final[tuple[PictureFormat, ...]] = ("jpeg", "png", "webp", "bmp")
"""The formats that are decoded. :func:`sniff` names others too, for messages of errors."""

_PREFIXES: Final = {
    "jpeg": (b"\xff\xd8\xff",),
    "png": (b"\x89PNG\r\n\x1a\n",),
    "gif": (b"GIF87a", b"GIF89a"),
    "tiff": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    "pdf": (b"%PDF-",),
    "jpeg xl": (b"\xff\x0a", b"\x00\x00\x00\x0cJXL "),
}
_BRANDS: Final = {
    "avif": {b"avif", b"avis"},
    "heic": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"},
    "heif": {b"mif1", b"msf1", b"mif2"},
}
"""Brands in the header of an ISO media file. AVIF and HEIC files often carry those of HEIF too."""

_MAX_SEGMENTS = 20_000
"""Most segments of a JPEG or chunks of a PNG. A hostile file may have millions."""

_SCAN, _END, _EXIF = 0xDA, 0xD9, 0xE1
_SEQUENTIAL, _PROGRESSIVE = frozenset({0xC0, 0xC1}), 0xC2
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
"""A marker after the data of a scan that has a length."""
_BARE_MARKERS = frozenset({0x00, 0x01, 0xFF, *range(0xD0, 0xD9)})
"""Markers without a length, and the fill bytes between segments."""

_JPEG_METADATA = frozenset({0xFE, *range(0xE1, 0xF0)} - {0xEE})
"""Comments and application data, except Adobe's marker, which says how the colours are stored."""

_PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row and steps of the passes of an interlaced PNG."""

_SCAN_NS, _ROW_NS, _WEBP_NS = 2.5, 6.0, 40.0
"""Nanoseconds at worst: for a sample in one scan of a JPEG, a byte of a PNG's rows, and a pixel of a WebP. To see
whether they are whole, a JPEG may be decoded twice, and a PNG unpacked twice."""

_FRAME_HEADER = 16
"""Bytes of a frame of an animated WebP before its chunks."""

_UNPACKED_AT_ONCE = 1 << 20
_SEARCHED_AT_ONCE = 1 << 18
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})


@dataclass(frozen=True, slots=True)
class Header:
    """A picture's stored size, its EXIF orientation (1 to 8), the bytes to decode, and what decoding them takes."""

    width: int
    height: int
    orientation: int
    body: bytes
    depth: int = 4
    """Bytes a pixel that Pillow decodes to."""
    scratch: int = 0
    """Bytes that the decoder holds besides until it ends, such as all coefficients of a JPEG with several scans."""
    work: float = 0.0
    """Nanoseconds that the decoder takes at worst, on an ordinary core."""

    @property
    def pixels(self) -> int:
        return self.width * self.height


def sniff(data: bytes) -> str | None:
    """The format by the first bytes, supported or not: ``jpeg``, ``heic``, ``pdf``…; None if unknown."""
    for name, prefixes in _PREFIXES.items():
        if data.startswith(prefixes):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    if data[4:8] == b"ftyp":
        size = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, size, 4))}
        return next((name for name, known in _BRANDS.items() if brands & known), None)
    text = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "svg" if text.startswith(b"<") and b"<svg" in text else None


def read_header(data: bytes, name: str) -> Header:
    """The header of a file of a supported format. Raises :class:`InvalidImage` when it has none."""
    readers = {"jpeg": _jpeg, "png": _png, "webp": _webp, "bmp": _bmp}
    try:
        header = readers[name](data)
    except (struct.error, IndexError):
        raise InvalidImage from None
    if header.width <= 0 or header.height <= 0:
        raise InvalidImage
    return header


def orientation(exif: bytes) -> int:
    """The orientation (1 to 8) in an EXIF block; 1 when it has no valid one."""
    block = exif.removeprefix(b"Exif\x00\x00")
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(block[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, at)
        for entry in range(min(count, 512)):
            tag, kind, values, value = struct.unpack_from(order + "HHIH", block, at + 2 + 12 * entry)
            if tag == 0x0112:
                return value if kind == 3 and values == 1 and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _jpeg(data: bytes) -> Header:
    """Reads the segments up to the first scan. Keeps tables, frame, Adobe's marker, and all from the scan on."""
    kept = [data[:2]]
    exif = b""
    width = height = frame = 0
    shares: dict[int, float] = {}
    for marker, at, end in _jpeg_segments(data):
        if marker == _SCAN:
            break
        if _is_frame(marker):
            frame = marker
            height, width = struct.unpack_from(">HH", data, at + 5)
            shares = _component_shares(data, at, frame)
        if marker == _EXIF and not exif and data[at + 4 : at + 10] == b"Exif\x00\x00":
            exif = data[at + 4 : end]
        if marker not in _JPEG_METADATA:
            kept.append(data[at:end])
    if data.rfind(b"\xff\xd9") < at:
        raise InvalidImage
    kept.append(data[at:])
    depth = 1 if len(shares) == 1 else 4
    scratch, work = 0, 0.0
    # A sequential JPEG with all components in its first scan has no other. What follows may be a phone's video.
    if frame not in _SEQUENTIAL or data[at + 4] != len(shares):
        scratch = round(2 * sum(shares.values()) * width * height)
        work = _SCAN_NS * _passes(data, at, shares) * width * height
    return Header(width, height, orientation(exif), b"".join(kept), depth, scratch, work)


def _component_shares(data: bytes, at: int, frame: int) -> dict[int, float]:
    """The components of a JPEG's frame, each with the share of the pixels for which it has a sample."""
    components = data[at + 9]
    if frame not in _SEQUENTIAL and frame != _PROGRESSIVE:
        raise UnsupportedMediaType("JPEGs with arithmetic or lossless coding are not supported. Save it as usual.")
    if data[at + 4] != 8 or components not in (1, 3, 4):
        raise UnsupportedMediaType("This kind of JPEG is not supported. Save it as an 8-bit JPEG or as PNG.")
    sampling = {data[place]: divmod(data[place + 1], 16) for place in range(at + 10, at + 10 + 3 * components, 3)}
    across, down = (max(factors) for factors in zip(*sampling.values(), strict=True))
    if len(sampling) != components or not across * down:
        raise InvalidImage
    return {name: x * y / (across * down) for name, (x, y) in sampling.items()}


def _passes(data: bytes, at: int, shares: dict[int, float]) -> float:
    """How often the scans of a JPEG together pass over all of its pixels."""
    passes = 0.0
    for _ in range(_MAX_SEGMENTS):
        # In pieces, because a search keeps other threads waiting.
        found = _MARKER.search(data, at, at + _SEARCHED_AT_ONCE)
        if found is None and at + _SEARCHED_AT_ONCE < len(data):
            at += _SEARCHED_AT_ONCE - 1
            continue
        if found is None or data[found.start() + 1] == _END:
            return passes
        at = found.end()
        if data[at - 1] == _SCAN:
            names = data[at + 3 : at + 3 + 2 * min(data[at + 2], 4) : 2]
            passes += sum(shares.get(name, 1.0) for name in names)
        at += int.from_bytes(data[at : at + 2], "big")
    raise InvalidImage


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The marker, start and end of each segment."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        at = data.find(b"\xff", at)
        marker = data[at + 1]
        if at < 0 or marker == _END:
            break
        if marker in _BARE_MARKERS:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(data):
            break
        yield marker, at, end
        at = end
    raise InvalidImage


def _is_frame(marker: int) -> bool:
    return 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)


def _png(data: bytes) -> Header:
    """Keeps the chunks of the first frame only."""
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    if data[12:16] != b"IHDR":
        raise InvalidImage
    kept = [data[:8]]
    exif = b""
    for count, (name, start, end) in enumerate(_png_chunks(data)):
        if count == _MAX_SEGMENTS or (count and name == b"IHDR"):
            # The decoder would take the last of several headers.
            raise InvalidImage
        if name in _PNG_CHUNKS:
            kept.append(data[start - 8 : end + 4])
        elif name == b"eXIf" and not exif:
            exif = data[start:end]
    bits *= _PNG_CHANNELS.get(colour, 4)
    depth = 1 if bits <= 8 else 2 if colour == 0 else 4
    work = width * height * bits / 8 * _ROW_NS
    return Header(width, height, orientation(exif), b"".join(kept), depth, work=work)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at, name = 8, b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        at += 8
        if at + length + 4 > len(data):
            raise InvalidImage
        yield name, at, at + length
        at += length + 4


def png_is_whole(data: bytes) -> bool:
    """Whether a PNG unpacks to the number of bytes in its header. Takes about as long as decoding it."""
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    bits = depth * _PNG_CHANNELS.get(colour, 1)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    missing = 0
    for left, top, step_x, step_y in passes:
        columns, rows = -(-(width - left) // step_x), -(-(height - top) // step_y)
        missing += rows * (1 + -(-columns * bits // 8)) if columns > 0 else 0
    unpack = zlib.decompressobj()
    for name, start, end in _png_chunks(data):
        packed = data[start:end] if name == b"IDAT" else b""
        while packed and missing > 0:
            missing -= len(unpack.decompress(packed, _UNPACKED_AT_ONCE))
            packed = unpack.unconsumed_tail
    return missing <= 0


def _webp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise InvalidImage
    kind, exif = data[12:16], b""
    if kind == b"VP8X":
        flags = data[20]
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        exif = _riff_chunk(data, b"EXIF") if flags & 0x08 else b""
    elif kind == b"VP8L" and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise InvalidImage
    # The decoder holds two frames of an animation, and either a lossless frame or the copy for Pillow.
    pixels = width * height
    scratch = 8 * pixels + _prefix_code_bytes(data)
    return Header(width, height, orientation(exif), data, scratch=scratch, work=_WEBP_NS * pixels)


def _prefix_code_bytes(data: bytes) -> int:
    """Bytes that the codes of the lossless parts of the first frame take."""
    alpha: bytes | None = None
    for name, start, stop in _riff_chunks(data):
        if name == b"VP8L":
            (bits,) = struct.unpack_from("<I", data, start + 1)
            return prefix_code_bytes(data[start + 5 : stop], (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        if name == b"VP8 ":
            # The alpha channel has the size of these pixels, whatever the frame around both says.
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, start + 6))
            return prefix_code_bytes(alpha[1:], width, height) if alpha and alpha[0] & 3 == 1 else 0
        if name == b"ALPH":
            if alpha is not None:
                raise InvalidImage
            alpha = data[start:stop]
    return 0


def _riff_chunk(data: bytes, wanted: bytes) -> bytes:
    return next((data[start:end] for name, start, end in _riff_chunks(data) if name == wanted), b"")


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The name, start and end of each chunk. As in the decoder, the chunks of a frame follow its header, and a frame
    may have none."""
    at = 12
    for _ in range(_MAX_SEGMENTS):
        if at + 8 > len(data):
            return
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, at + 8, min(at + 8 + length, len(data))
        at += 8 + (_FRAME_HEADER if name == b"ANMF" else length + (length & 1))
    raise InvalidImage


def _bmp(data: bytes) -> Header:
    (kind,) = struct.unpack_from("<I", data, 14)
    if kind == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return Header(width, height, 1, data)
    width, height = struct.unpack_from("<ii", data, 18)
    bits, compression = struct.unpack_from("<HI", data, 28)
    # 0: plain rows, 3: plain rows with bit masks. Others are run-length encoded, or embed another format.
    if compression not in (0, 3):
        raise UnsupportedMediaType("This BMP is compressed. Save it as an ordinary BMP, or as JPEG or PNG.")
    return Header(width, abs(height), 1, data, depth=1 if bits <= 8 else 4)
