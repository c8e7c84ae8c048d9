"""How much memory libwebp takes for the prefix codes of a lossless WebP picture.

A file may define 65,536 groups of them in 300 KB, for which the decoder takes hundreds of megabytes. How many there are
at most stands behind the data of the transforms. So that data is read here, but no pixel is computed from it.

The format: https://developers.google.com/speed/webp/docs/webp_lossless_bitstream_specification
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.errors import ImageTooLarge, InvalidImage

_MOST_PIXELS: Final = 250_000
"""Most pixels of the transforms' data that are read. Encoders store one for 256 of the picture's, or fewer."""

_PREDICTOR, _CROSS_COLOUR, _SUBTRACT_GREEN, _COLOUR_INDEXING = range(4)
_ORDER: Final = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
"""In which order the lengths of the codes of code lengths are stored."""
_REPEATS: Final = {16: (3, 2), 17: (3, 3), 18: (11, 7)}
"""Least count and extra bits of the code lengths that repeat others."""
_LITERALS, _LENGTHS, _DISTANCES = 256, 24, 40

_TABLE_ENTRIES: Final = (2954, 2956, 2958, 2962, 2970, 2986, 3018, 3082, 3212, 3468, 3980, 5004)
"""Entries of four bytes that libwebp has for the codes of a group, by the bits of the colour cache."""
_GROUP_BYTES: Final = 600
_MOST_GROUPS: Final = 65_536

_Code = tuple[int, Sequence[tuple[int, int]]]
"""The longest code's bits, and for each value of so many bits the symbol and the length of its code."""


def prefix_code_bytes(stream: bytes, width: int, height: int) -> int:
    """Bytes that the decoder takes at most for the codes of a stream, which begins with its first transform."""
    reader = _Reader(stream)
    kinds: set[int] = set()
    while reader.bits(1):
        kind = reader.bits(2)
        if kind in kinds:
            raise InvalidImage
        kinds.add(kind)
        if kind in (_PREDICTOR, _CROSS_COLOUR):
            size = reader.bits(3) + 2
            _skip_image(reader, _blocks(width, size) * _blocks(height, size))
        elif kind == _COLOUR_INDEXING:
            colours = reader.bits(8) + 1
            _skip_image(reader, colours)
            width = _blocks(width, 3 if colours <= 2 else 2 if colours <= 4 else 1 if colours <= 16 else 0)
    cache = _cache_bits(reader)
    groups = 1
    if reader.bits(1):
        size = reader.bits(3) + 2
        groups = min(_blocks(width, size) * _blocks(height, size), _MOST_GROUPS)
    return groups * (4 * _TABLE_ENTRIES[cache] + _GROUP_BYTES)


class _Reader:
    """Reads bits, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.pixels = 0

    def bits(self, count: int) -> int:
        if not count:
            return 0
        value = self._peek() & (1 << count) - 1
        self._skip(count)
        return value

    def symbol(self, code: _Code) -> int:
        longest, table = code
        symbol, length = table[self._peek() & (1 << longest) - 1 if longest else 0]
        self._skip(length)
        return symbol

    def _peek(self) -> int:
        start = self._at >> 3
        return int.from_bytes(self._data[start : start + 5], "little") >> (self._at & 7)

    def _skip(self, count: int) -> None:
        self._at += count
        if self._at > 8 * len(self._data):
            raise InvalidImage


def _blocks(side: int, bits: int) -> int:
    return -(-side >> bits)


def _cache_bits(reader: _Reader) -> int:
    if not reader.bits(1):
        return 0
    bits = reader.bits(4)
    if not 1 <= bits < len(_TABLE_ENTRIES):
        raise InvalidImage
    return bits


def _skip_image(reader: _Reader, pixels: int) -> None:
    """Reads a picture that is stored with one group of codes."""
    reader.pixels += pixels
    if reader.pixels > _MOST_PIXELS:
        raise ImageTooLarge("This WebP takes too long to decode. Save it as an ordinary WebP, JPEG or PNG.")
    cache = _cache_bits(reader)
    green = _read_code(reader, _LITERALS + _LENGTHS + (1 << cache if cache else 0))
    others = [_read_code(reader, _LITERALS) for _ in range(3)]
    others = [code for code in others if code[0]]
    distance = _read_code(reader, _DISTANCES)
    while pixels > 0:
        symbol = reader.symbol(green)
        if symbol < _LITERALS:
            for code in others:
                reader.symbol(code)
            pixels -= 1
        elif symbol < _LITERALS + _LENGTHS:
            pixels -= _number(reader, symbol - _LITERALS)
            _number(reader, reader.symbol(distance))
        else:
            pixels -= 1


def _number(reader: _Reader, prefix: int) -> int:
    """A length or a distance."""
    if prefix < 4:
        return prefix + 1
    extra = (prefix - 2) >> 1
    return ((2 + (prefix & 1)) << extra) + reader.bits(extra) + 1


def _read_code(reader: _Reader, symbols: int) -> _Code:
    lengths = [0] * symbols
    if reader.bits(1):
        two = reader.bits(1)
        # A simple code may name a symbol that the alphabet does not have. No data can use it.
        named = [reader.bits(8 if reader.bits(1) else 1), *([reader.bits(8)] if two else [])]
        for symbol in named:
            if symbol < symbols:
                lengths[symbol] = 1
        return _code(lengths)
    of_lengths = [0] * len(_ORDER)
    for place in _ORDER[: 4 + reader.bits(4)]:
        of_lengths[place] = reader.bits(3)
    code = _code(of_lengths)
    left = 2 + reader.bits(2 + 2 * reader.bits(3)) if reader.bits(1) else symbols
    at, previous = 0, 8
    while at < symbols and left > 0:
        left -= 1
        length = reader.symbol(code)
        if length in _REPEATS:
            least, extra = _REPEATS[length]
            count = least + reader.bits(extra)
            if at + count > symbols:
                raise InvalidImage
            if length == 16:
                lengths[at : at + count] = [previous] * count
            at += count
        else:
            lengths[at] = length
            previous = length or previous
            at += 1
    return _code(lengths)


def _code(lengths: Sequence[int]) -> _Code:
    """The canonical prefix code of these lengths. One symbol alone takes no bits."""
    used = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
    if not used:
        raise InvalidImage
    if len(used) == 1:
        return 0, [(used[0][1], 0)]
    longest = used[-1][0]
    table: list[tuple[int, int]] = [(-1, 0)] * (1 << longest)
    code = 0
    for place, (length, symbol) in enumerate(used):
        if code >> length:
            raise InvalidImage
        first = int(f"{code:0{length}b}"[::-1], 2)
        table[first :: 1 << length] = [(symbol, length)] * (1 << longest - length)
        following = used[place + 1][0] if place + 1 < len(used) else length
        code = code + 1 << following - length
    if code != 1 << longest:
        # libwebp refuses codes that are not complete.
        raise InvalidImage
    return longest, table
