"""Generates hostile files: decompression bombs, wrong headers, polyglots, damaged files and other formats.

``python -m tests.hostile FOLDER`` writes them to a folder.
"""

from __future__ import annotations

import functools
import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.pictures import encoded, faceless

REFUSALS = frozenset(
    {
        "empty_file",
        "unsupported_media_type",
        "invalid_image",
        "image_too_large",
        "image_too_small",
        "file_too_large",
        "no_face_detected",
        "multiple_faces",
    }
)
"""The errors that a hostile file may cause."""


@dataclass(frozen=True)
class HostileFile:
    """A hostile file. ``readable`` files are unusual but valid: they may be accepted or refused."""

    name: str
    data: bytes
    readable: bool = False


@functools.cache
def hostile_files() -> tuple[HostileFile, ...]:
    """All hostile files, the same every time."""
    return tuple(_all())


def _all() -> Iterator[HostileFile]:
    yield from _nothing()
    yield from _other_formats()
    yield from _bombs()
    yield from _greedy()
    yield from _wrong_headers()
    yield from _damage()
    yield from _animations()
    yield from _odd()


def _nothing() -> Iterator[HostileFile]:
    yield HostileFile("empty", b"")
    yield HostileFile("one-byte", b"\xff")
    yield HostileFile("zeros", bytes(100_000))
    yield HostileFile("text", b"This is not a picture. " * 100)
    for name, magic in (("jpeg", b"\xff\xd8\xff"), ("png", b"\x89PNG\r\n\x1a\n"), ("bmp", b"BM"), ("webp", b"RIFF")):
        yield HostileFile(f"only-magic-{name}", magic)
        yield HostileFile(f"magic-then-noise-{name}", magic + bytes(range(256)) * 40)


def _other_formats() -> Iterator[HostileFile]:
    small = Image.new("RGB", (64, 64))
    for form in ("GIF", "TIFF", "ICO", "PPM", "TGA", "PCX", "PDF", "EPS"):
        yield HostileFile(f"other-{form.lower()}", encoded(small, form))
    yield HostileFile("other-heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    yield HostileFile("other-avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(200))
    yield HostileFile("other-svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    yield HostileFile("other-html", b"<!doctype html><img src=x onerror=alert(1)>")


def _bombs() -> Iterator[HostileFile]:
    yield HostileFile("bomb-png-13000", _png(13_000, 13_000))
    yield HostileFile("bomb-png-20000", _png(20_000, 20_000))
    yield HostileFile("bomb-png-long", _png(1, 2_000_000))
    # Small pictures with large metadata, which need not be decompressed.
    weight = b"\0\0" + zlib.compress(bytes(30_000_000))
    for name, kind in (("text", b"zTXt"), ("profile", b"iCCP")):
        yield HostileFile(f"bomb-png-{name}", _png(64, 64, extra=_chunk(kind, b"k" + weight)), readable=True)
    yield HostileFile("bomb-jpeg-65500", _jpeg_of_size(65_500, 65_500))
    yield HostileFile("bomb-jpeg-scans", _many_scans(2_000), readable=True)
    yield HostileFile("bomb-jpeg-segments", _with_segments(b"\xff\xfe\x00\x04ab" * 100_000))
    yield HostileFile("bomb-webp-6000", encoded(Image.new("L", (6_000, 6_000)), "WEBP", lossless=True, method=0))


def _greedy() -> Iterator[HostileFile]:
    """Small files of a size that is accepted, which take much memory or time to decode."""
    for name, side in (("", 3_999), ("-largest", 4_080)):
        size = struct.pack("<I", (side - 1) | (side - 1) << 14)
        frame = b"\x2f" + size + bytes.fromhex("0750c00216b0ff8188e87f00")
        chunk = b"VP8L" + struct.pack("<I", len(frame)) + frame + bytes(len(frame) % 2)
        data = b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk
        yield HostileFile(f"greedy-webp{name}", data, readable=True)
    yield HostileFile("greedy-webp-codes", webp_of_codes(1_024))
    yield HostileFile("greedy-webp-codes-accepted", webp_of_codes(440), readable=True)
    yield from _hidden_codes()
    grey = (127, 127, 127, 127)
    for name, mode, size, options in (
        ("cmyk-passes", "CMYK", (7_071, 7_071), {"progressive": True}),
        ("cmyk-grey", "CMYK", (20_000, 1_023), {}),
        ("cmyk-grey-passes", "CMYK", (10_000, 1_023), {"progressive": True}),
        ("passes", "RGB", (7_071, 7_071), {"progressive": True, "subsampling": 2}),
    ):
        picture = Image.new(mode, size, grey[: len(mode)])
        yield HostileFile(f"greedy-jpeg-{name}", encoded(picture, "JPEG", quality=20, **options), readable=True)
    data = encoded(Image.new("L", (7_071, 7_071), 128), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    yield HostileFile("greedy-jpeg-29-scans", data[:-2] + data[last:-2] * 23 + data[-2:])
    # After a marker without a length, the first bytes of a scan look like one.
    hidden = data[last:-2] * (0xFFDA // len(data[last:-2]))
    yield HostileFile("greedy-jpeg-hidden-scans", data[:-2] + b"\xff\x01" + hidden.ljust(0xFFDA, b"\0") + data[-2:])
    for name, marker in (("arithmetic", 0xC9), ("arithmetic-passes", 0xCA), ("lossless", 0xC3), ("differential", 0xC5)):
        data = _small_jpeg().replace(b"\xff\xc0", bytes([0xFF, marker]), 1)
        yield HostileFile(f"greedy-jpeg-{name}", data)
    yield HostileFile("greedy-png-16-bit-interlaced", _deep_png(7_071))
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", 7_071, 7_071, 8, 6, 0, 0, 0))
    yield HostileFile("greedy-png-two-headers", _png(7_071, 7_071, extra=header))
    for name, mode, size in (
        ("rgba", "RGBA", (7_071, 7_071)),
        ("p", "P", (7_071, 7_071)),
        ("wide", "RGBA", (20_000, 2_499)),
    ):
        picture = Image.new(mode, size, 1)
        yield HostileFile(f"greedy-png-{name}", encoded(picture, "PNG", compress_level=1), readable=True)


def _hidden_codes() -> Iterator[HostileFile]:
    """Animated WebPs whose first frame has many prefix codes, behind something else."""
    codes = webp_of_codes(1_024)[12:]
    frames = _animation(1_024, [(1_024, 0, b""), (1_024, 0, codes)])
    yield HostileFile("greedy-webp-codes-behind-an-empty-frame", frames)
    # The decoder skips what the unknown chunk covers, and so the second frame.
    small = _animation(1_024, [(64, 0, encoded(Image.new("RGB", (64, 64)), "WEBP", lossless=True)[12:])])[44:]
    unknown = b"XXXX" + struct.pack("<I", len(small))
    frames = _animation(1_024, [(1_024, 0, unknown)]) + small + _animation(1_024, [(1_024, 0, codes)])[44:]
    yield HostileFile("greedy-webp-codes-behind-a-chunk", frames[:4] + struct.pack("<I", len(frames) - 8) + frames[8:])
    lossy = encoded(Image.new("RGBA", (1_024, 1_024), (9, 9, 9, 128)), "WEBP")
    frame = _riff(b"ALPH", b"\1" + codes[13:]) + lossy[lossy.index(b"VP8 ") :]
    yield HostileFile("greedy-webp-codes-of-alpha", _animation(1_024, [(1, 0, frame)]))


def _wrong_headers() -> Iterator[HostileFile]:
    jpeg = _small_jpeg()
    yield HostileFile("lie-jpeg-larger", _jpeg_of_size(4_000, 4_000))
    yield HostileFile("lie-jpeg-empty", _jpeg_of_size(0, 0))
    yield HostileFile("lie-png-empty", _png(0, 0))
    yield HostileFile("lie-png-huge", _png(2**31 - 1, 2**31 - 1, rows=1))
    yield HostileFile("lie-png-negative", _png(2**32 - 1, 10, rows=1))
    yield HostileFile(
        "lie-bmp-size", b"BM" + struct.pack("<IHHIIiiHH", 10, 0, 0, 54, 40, 30_000, 30_000, 1, 24) + bytes(24)
    )
    yield HostileFile(
        "lie-bmp-negative", b"BM" + struct.pack("<IHHIIiiHH", 10, 0, 0, 54, 40, -64, -(2**31), 1, 24) + bytes(24)
    )
    yield HostileFile("lie-webp-canvas", b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "x" * 1000)
    yield HostileFile("polyglot-jpeg-zip", jpeg + buffer.getvalue(), readable=True)
    yield HostileFile("polyglot-jpeg-script", jpeg + b"<script>alert(1)</script>", readable=True)
    yield HostileFile("polyglot-gif-script", b"GIF89a/*" + bytes(10) + b"*/=1;alert(1)")
    yield HostileFile("polyglot-png-jpeg", _png(64, 64)[:40] + jpeg)
    yield HostileFile("lie-png-palette", _without_palette())
    yield HostileFile("polyglot-pdf-jpeg", b"%PDF-1.4\n" + jpeg)


def _damage() -> Iterator[HostileFile]:
    picture = Image.open(io.BytesIO(_small_jpeg()))
    for form in ("JPEG", "PNG", "WEBP", "BMP"):
        whole = encoded(picture, form)
        for percent in range(5, 100, 5):
            data = whole[: len(whole) * percent // 100]
            yield HostileFile(f"truncated-{form.lower()}-{percent}", data, readable=form == "WEBP")
        for position in range(0, min(len(whole), 800), 40):
            flipped = bytearray(whole)
            flipped[position] ^= 0x55
            yield HostileFile(f"flipped-{form.lower()}-{position}", bytes(flipped), readable=True)


def _animations() -> Iterator[HostileFile]:
    large, small = (encoded(Image.new("RGB", (side, side)), "WEBP", lossless=True)[12:] for side in (3_000, 64))
    yield HostileFile("animated-webp-frames", _animation(3_000, [(3_000, 0, large)] * 300), readable=True)
    yield HostileFile("animated-webp-canvas", _animation(16_383, [(64, 0, small)]))
    yield HostileFile("animated-webp-larger-frame", _animation(64, [(3_000, 0, large)]))
    yield HostileFile("animated-webp-frame-outside", _animation(64, [(64, 5_000, small)]))
    yield HostileFile("animated-webp-no-frame", _animation(500, []))
    inner = _animation(64, [(64, 0, small)])[12:]
    yield HostileFile("animated-webp-nested", _animation(64, [(64, 0, inner)]), readable=True)
    count = _chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    frame = _chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 2**31 - 1, 2**31 - 1, 0, 0, 1, 1, 0, 0))
    yield HostileFile("animated-png-frames", _png(64, 64, extra=count + frame), readable=True)


def _animation(side: int, frames: Sequence[tuple[int, int, bytes]]) -> bytes:
    """An animated WebP; each frame has a side, a position and its chunks."""
    chunks = _riff(b"VP8X", b"\2\0\0\0" + _u24(side - 1) * 2) + _riff(b"ANIM", bytes(6))
    for size, left, data in frames:
        chunks += _riff(b"ANMF", _u24(left) + bytes(3) + _u24(size - 1) * 2 + bytes(4) + data)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def _riff(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _u24(number: int) -> bytes:
    return number.to_bytes(3, "little")


def _odd() -> Iterator[HostileFile]:
    yield HostileFile("odd-1x1", encoded(Image.new("RGB", (1, 1)), "PNG"))
    yield HostileFile("odd-thin", encoded(Image.new("RGB", (10_000, 1)), "PNG"))
    yield HostileFile("odd-16-bit", encoded(Image.new("I;16", (100, 100)), "PNG"), readable=True)
    yield HostileFile("odd-cmyk", encoded(Image.new("CMYK", (100, 100)), "JPEG"), readable=True)
    yield HostileFile("odd-palette", encoded(Image.new("P", (100, 100)), "PNG", transparency=0), readable=True)
    frames = [Image.new("RGB", (100, 100), (n, 0, 0)) for n in range(50)]
    for form in ("WEBP", "PNG"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        yield HostileFile(f"odd-animated-{form.lower()}", data, readable=True)
    for name, exif in (
        ("loop", b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" * 200),
        ("orientation", b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\xff\xff\0\0\0\0\0\0"),
        ("noise", b"Exif\0\0" + bytes(range(256)) * 20),
    ):
        yield HostileFile(f"odd-exif-{name}", _with_segments(_segment(0xE1, exif)), readable=True)
    profile = b"ICC_PROFILE\0\x01\x01" + bytes(range(256)) * 10
    yield HostileFile("odd-profile", _with_segments(_segment(0xE2, profile)), readable=True)


@functools.cache
def _small_jpeg() -> bytes:
    return faceless(128)


class _Bits:
    """A stream of bits, the lowest of each byte first."""

    def __init__(self) -> None:
        self._value = self._count = 0
        self._bytes = bytearray()

    def put(self, *pairs: tuple[int, int]) -> None:
        """Adds values, each with its number of bits."""
        for value, count in pairs:
            self._value |= value << self._count
            self._count += count
            whole = self._count // 8
            self._bytes += (self._value & (1 << 8 * whole) - 1).to_bytes(whole, "little")
            self._value >>= 8 * whole
            self._count -= 8 * whole

    def data(self) -> bytes:
        return bytes(self._bytes) + self._value.to_bytes(8, "little")


@functools.cache
def webp_of_codes(side: int) -> bytes:
    """A lossless WebP of one colour with as many groups of prefix codes as fit: one for each 4 x 4 pixels."""
    bits = _Bits()
    one_symbol = ((1, 1), (0, 3))
    # The format's mark and the size; no transform, no cache, and a group for each block of 4 pixels a side.
    bits.put((0x2F, 8), (side - 1, 14), (side - 1, 14), (0, 4), (0, 1), (0, 1), (1, 1), (0, 3), (0, 1))
    # Green has 256 symbols of 8 bits, and 24 lengths without a code. So does red, without the lengths.
    bits.put((0, 1), (8, 4), (0, 3), (0, 3), (1, 3), *((0, 3),) * 8, (1, 3), (0, 1), *((1, 1),) * 256, (0, 24))
    bits.put((0, 1), (8, 4), *((0, 3),) * 11, (1, 3), (0, 1), *one_symbol * 3)
    groups = (side // 4) ** 2
    for group in range(groups):
        for part in (group & 255, group >> 8):
            bits.put((int(f"{part:08b}"[::-1], 2), 8))
    bits.put(*one_symbol * 5 * groups)
    chunk = b"VP8L" + struct.pack("<I", len(bits.data())) + bits.data() + bytes(len(bits.data()) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *, rows: int | None = None, extra: bytes = b"") -> bytes:
    """A grey PNG of zeros, one bit a pixel; with ``rows``, one with fewer rows than its header says."""
    row = bytes(1 + (min(width, 100_000) + 7) // 8)
    squeeze = zlib.compressobj(9)
    body = b"".join(squeeze.compress(row) for _ in range(height if rows is None else rows)) + squeeze.flush()
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _deep_png(side: int) -> bytes:
    """An interlaced PNG with 16 bits a channel, as long as its header says."""
    squeeze = zlib.compressobj(1)
    length = side * side * 8 + 15 * side
    body = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range((length >> 20) + 1)) + squeeze.flush()
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 1))
    return b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _without_palette() -> bytes:
    """A PNG with a transparent palette entry but without a palette."""
    data = encoded(Image.new("P", (100, 100)), "PNG", transparency=0)
    return data.replace(b"PLTE", b"pLTe")


def _jpeg_of_size(width: int, height: int) -> bytes:
    """A JPEG whose header has a wrong size."""
    data = bytearray(_small_jpeg())
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def _with_segments(segments: bytes) -> bytes:
    jpeg = _small_jpeg()
    return jpeg[:2] + segments + jpeg[2:]


def _many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated, and decoded each time."""
    data = encoded(Image.open(io.BytesIO(_small_jpeg())).resize((2048, 2048)), "JPEG", progressive=True, quality=5)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * min(count, 900_000 // max(len(data) - last, 1)) + data[-2:]


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file in hostile_files():
        (folder / file.name).write_bytes(file.data)


if __name__ == "__main__":
    main()
