"""The memory that libwebp takes for the prefix codes of a lossless picture, read from its file."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from PIL import Image
from skimage import data

from app.errors import ImageTooLarge, InvalidImage, VisageError
from app.vision.decode import ImageLimits, decode
from app.vision.headers import read_header
from app.vision.webp_lossless import prefix_code_bytes
from tests.hostile import webp_of_codes
from tests.pictures import encoded

MOST_OF_ENCODERS = 2600 * 12_500
"""Bytes for the 2,600 groups that libwebp's encoder makes at most."""


def code_bytes(webp: bytes) -> int:
    header = read_header(webp, "webp")
    return header.scratch - 8 * header.pixels


@pytest.mark.parametrize("method", [0, 3, 4, 6])
@pytest.mark.parametrize("kind", ["photo", "graphic", "two colours", "noise", "animation"])
def test_what_encoders_write_takes_little(kind: str, method: int) -> None:
    photo = Image.fromarray(data.astronaut())
    noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8)
    pictures = {
        "photo": photo,
        "graphic": photo.quantize(16).convert("RGB"),
        "two colours": photo.convert("1").convert("RGB"),
        "noise": Image.fromarray(noise),
        "animation": photo,
    }
    options = {"save_all": True, "append_images": [photo.rotate(90)]} if kind == "animation" else {}
    webp = encoded(pictures[kind], "WEBP", lossless=True, method=method, **options)
    assert 0 < code_bytes(webp) < MOST_OF_ENCODERS
    assert decode(webp, ImageLimits(50_000_000)).width == pictures[kind].width


def test_a_lossless_alpha_channel_counts_and_a_lossy_picture_does_not() -> None:
    clear = Image.fromarray(data.astronaut()).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    assert 0 < code_bytes(encoded(clear, "WEBP")) < MOST_OF_ENCODERS
    assert code_bytes(encoded(clear.convert("RGB"), "WEBP")) == 0


def test_many_groups_of_codes_are_refused_before_they_are_built() -> None:
    webp = webp_of_codes(1024)
    assert code_bytes(webp) > 700_000_000
    with pytest.raises(ImageTooLarge, match="MB of memory"):
        decode(webp, ImageLimits(50_000_000))
    assert 100_000_000 < code_bytes(webp_of_codes(440)) < 200_000_000


def test_so_are_those_of_an_alpha_channel() -> None:
    webp = encoded(Image.new("RGBA", (1024, 1024), (9, 9, 9, 128)), "WEBP")
    start = webp.index(b"ALPH")
    (length,) = struct.unpack_from("<I", webp, start + 4)
    alpha = b"\x01" + webp_of_codes(1024)[25:]
    alpha += bytes(len(alpha) % 2)
    swapped = webp[:start] + b"ALPH" + struct.pack("<I", len(alpha)) + alpha + webp[start + 8 + length + length % 2 :]
    assert code_bytes(swapped[:4] + struct.pack("<I", len(swapped) - 8) + swapped[8:]) > 700_000_000


def test_of_two_alpha_channels_none_is_read() -> None:
    """Each takes the time of its transforms, in a few bytes of the file. The decoder accepts no second one."""
    clear = encoded(Image.new("RGBA", (64, 64), (9, 9, 9, 128)), "WEBP")
    start = clear.index(b"ALPH")
    stop = clear.index(b"VP8 ", start)
    twice = clear[:stop] + clear[start:]
    assert code_bytes(clear) > 0
    with pytest.raises(InvalidImage):
        read_header(twice[:4] + struct.pack("<I", len(twice) - 8) + twice[8:], "webp")


def test_damaged_streams_are_read_or_refused() -> None:
    chance = random.Random(3)
    webp = encoded(Image.fromarray(data.astronaut()).resize((96, 96)), "WEBP", lossless=True, method=6)
    for _ in range(500):
        damaged = bytearray(webp)
        for _ in range(chance.choice((1, 3, 20))):
            damaged[chance.randrange(21, 300)] = chance.randrange(256)
        try:
            read_header(bytes(damaged), "webp")
        except VisageError:
            continue


def test_the_transforms_may_not_take_long() -> None:
    """Blocks of 4 pixels a side, each read on its own."""
    bits = (1, 0, 0, 0, 0, 0)
    stream = bytes([sum(bit << place for place, bit in enumerate(bits))]) + bytes(100)
    with pytest.raises(ImageTooLarge, match="too long"):
        prefix_code_bytes(stream, 4000, 4000)
