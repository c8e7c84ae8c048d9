from __future__ import annotations

import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from skimage import data as skimage_data

from app.errors import (
    EmptyFile,
    ImageTooLarge,
    ImageTooSmall,
    InvalidImage,
    UnsupportedMediaType,
    VisageError,
)
from app.memory_budget import MemoryBudget, NotEnoughMemory
from app.vision.decode import LARGE_FACE_SIDE, ImageLimits, decode
from app.vision.headers import sniff
from tests.unit.vision.pictures import encoded, png, quadrants, turned

LIMITS = ImageLimits(max_pixels=50_000_000)
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """The colours near the four corners, in reading order."""
    height, width = pixels.shape[:2]
    return [
        tuple(int(v) for v in pixels[y, x])
        for y in (height // 5, height - height // 5)
        for x in (width // 5, width - width // 5)
    ]


def close(found: list[tuple[int, ...]], expected: list[tuple[int, ...]], within: int = 6) -> bool:
    return bool(np.abs(np.array(found) - np.array(expected)).max() <= within)


@pytest.mark.parametrize(
    ("form", "name", "options"),
    [
        ("JPEG", "jpeg", {"quality": 95}),
        ("JPEG", "jpeg", {"quality": 95, "progressive": True}),
        ("PNG", "png", {}),
        ("WEBP", "webp", {"quality": 95}),
        ("WEBP", "webp", {"lossless": True}),
        ("BMP", "bmp", {}),
    ],
)
def test_each_format_gives_its_picture(form: str, name: str, options: dict[str, object]) -> None:
    picture = decode(encoded(quadrants(), form, **options), LIMITS)

    assert (picture.width, picture.height, picture.format, picture.scale) == (96, 64, name, 1.0)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.flags.c_contiguous
    assert close(corners(picture.pixels), [RED, GREEN, BLUE, WHITE])


ORIENTED = {
    1: [RED, GREEN, BLUE, WHITE],
    2: [GREEN, RED, WHITE, BLUE],
    3: [WHITE, BLUE, GREEN, RED],
    4: [BLUE, WHITE, RED, GREEN],
    5: [RED, BLUE, GREEN, WHITE],
    6: [BLUE, RED, WHITE, GREEN],
    7: [WHITE, GREEN, BLUE, RED],
    8: [GREEN, WHITE, RED, BLUE],
}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", ORIENTED)
def test_orientation_shows_the_picture_upright(form: str, orientation: int) -> None:
    options = {"quality": 95} if form != "PNG" else {}

    picture = decode(encoded(quadrants(), form, exif=turned(orientation), **options), LIMITS)

    assert (picture.width, picture.height) == ((96, 64) if orientation < 5 else (64, 96))
    assert picture.pixels.shape == (picture.height, picture.width, 3)
    assert close(corners(picture.pixels), ORIENTED[orientation])


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_read_in_both_byte_orders(order: str) -> None:
    mark = b"Exif\0\0" + (b"II*\0" if order == "<" else b"MM\0*")
    exif = mark + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)

    picture = decode(encoded(quadrants(), "JPEG", exif=exif, quality=95), LIMITS)

    assert close(corners(picture.pixels), ORIENTED[6])


@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0nonsense" * 9],
)
def test_nonsense_in_exif_leaves_the_picture_as_it_is(exif: bytes) -> None:
    picture = decode(encoded(quadrants(), "JPEG", exif=exif, quality=95), LIMITS)

    assert close(corners(picture.pixels), ORIENTED[1])


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_is_none(orientation: int) -> None:
    picture = decode(encoded(quadrants(), "JPEG", exif=turned(orientation), quality=95), LIMITS)

    assert close(corners(picture.pixels), ORIENTED[1])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP"])
def test_grey_becomes_three_equal_channels(form: str) -> None:
    pixels = decode(encoded(quadrants().convert("L"), form), LIMITS).pixels

    assert pixels.shape == (64, 96, 3)
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()
    assert pixels[10, 10, 0] == pytest.approx(76, abs=2)


@pytest.mark.parametrize("form", ["PNG", "BMP"])
@pytest.mark.parametrize("mode", ["P", "1"])
def test_few_colours_are_looked_up(form: str, mode: str) -> None:
    source = quadrants().convert(mode, dither=Image.Dither.NONE)

    pixels = decode(encoded(source, form), LIMITS).pixels

    assert (pixels == np.asarray(source.convert("RGB"))).all()


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_what_is_transparent_shows_white_paper(form: str) -> None:
    source = quadrants().convert("RGBA")
    source.putalpha(Image.new("L", source.size, 0))
    source.paste((0, 0, 0, 128), (48, 0, 96, 32))
    options = {"lossless": True} if form == "WEBP" else {}

    found = corners(decode(encoded(source, form, **options), LIMITS).pixels)

    assert close(found, [WHITE, (127, 127, 127), WHITE, WHITE], within=1)


@pytest.mark.parametrize(("alpha", "expected"), [(0, 10), (51, 206)])
def test_an_empty_alpha_channel_of_a_bmp_is_none(alpha: int, expected: int) -> None:
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, 64, 64, 1, 32, 3, 64 * 64 * 4, 0, 0, 0, 0) + masks
    pixels = bytes((10, 10, 10, alpha)) * 64 * 64
    data = b"BM" + struct.pack("<IHHI", 122 + len(pixels), 0, 0, 122) + header.ljust(108, b"\0") + pixels

    assert (decode(data, LIMITS).pixels == expected).all()


@pytest.mark.parametrize("mode", ["P", "L", "I;16", "RGB"])
def test_one_transparent_colour_shows_white_paper(mode: str) -> None:
    source = Image.new(mode, (64, 64), 0 if mode != "RGB" else (0, 0, 0))
    transparent = 0 if mode != "RGB" else (0, 0, 0)

    pixels = decode(encoded(source, "PNG", transparency=transparent), LIMITS).pixels

    assert (pixels == 255).all()


def test_grey_with_alpha_shows_white_paper() -> None:
    pixels = decode(encoded(Image.new("LA", (64, 64), (0, 51)), "PNG"), LIMITS).pixels

    assert (pixels == 204).all()


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65_535, 256).astype(np.uint16)[None].repeat(64, axis=0)

    pixels = decode(encoded(ramp, "PNG"), LIMITS).pixels

    assert (pixels[0, :, 0] == np.arange(256)).all()


def test_sixteen_bits_of_colour_are_scaled() -> None:
    row = b"\0" + struct.pack(">HHH", 65_535, 32_896, 0) * 64
    data = png(64, 64, (b"IDAT", zlib.compress(row * 64)), depth=16)

    assert decode(data, LIMITS).pixels[5, 5].tolist() == [255, 128, 0]


def test_cmyk_as_printers_write_it_has_the_colours_of_the_picture() -> None:
    pixels = decode(encoded(quadrants().convert("CMYK"), "JPEG", quality=95), LIMITS).pixels

    assert close(corners(pixels), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_an_animation_shows_its_first_frame(form: str) -> None:
    second = Image.new("RGB", (96, 64), "black")
    options = {"lossless": True} if form == "WEBP" else {}

    data = encoded(quadrants(), form, save_all=True, append_images=[second], duration=100, **options)

    assert close(corners(decode(data, LIMITS).pixels), [RED, GREEN, BLUE, WHITE])


def test_a_large_jpeg_is_decoded_as_small_as_detection_allows() -> None:
    data = encoded(quadrants(2048, 1536), "JPEG", exif=turned(6))

    picture = decode(data, LIMITS)

    assert picture.pixels.shape == (1024, 768, 3)
    assert (picture.width, picture.height, picture.scale) == (1536, 2048, 2.0)
    assert close(corners(picture.pixels), ORIENTED[6])


@pytest.mark.parametrize(("at_most", "scale"), [(1.0, 1), (1.9, 1), (2.0, 2), (5.5, 4), (100, 8)])
def test_a_caller_may_ask_for_more_detail(at_most: float, scale: int) -> None:
    data = encoded(quadrants(2048, 1536), "JPEG")

    assert decode(data, LIMITS, at_most=at_most).scale == scale


@pytest.mark.parametrize(("form", "scale"), [("JPEG", 8), ("PNG", 4)])
def test_what_is_decoded_whole_keeps_what_the_whole_search_needs(form: str, scale: float) -> None:
    """A picture whose small size takes as long to decode as its large one is not decoded again for that."""
    wide = encoded(Image.new("L", (8000, 2016), 7), form)
    assert decode(wide, LIMITS, side=LARGE_FACE_SIDE).scale == scale


def test_a_huge_png_is_reduced_like_a_jpeg() -> None:
    data = encoded(quadrants(5001, 3301), "PNG", compress_level=1)

    picture = decode(data, LIMITS)

    assert picture.scale == pytest.approx(4, abs=0.01)
    assert picture.pixels.shape == (826, 1251, 3)
    assert corners(picture.pixels) == [RED, GREEN, BLUE, WHITE]
    assert decode(data, LIMITS, at_most=1).pixels.shape == (3301, 5001, 3)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x14ftypmif1\0\0\0\0mif1", "HEIF"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "AVIF"),
        (b"GIF89a" + bytes(40), "GIF"),
        (b"II*\0" + bytes(40), "TIFF"),
        (b"MM\0*" + bytes(40), "TIFF"),
        (b"%PDF-1.7\n", "PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\xff\x0a" + bytes(40), "JPEG XL"),
    ],
)
def test_other_pictures_are_refused_by_name_with_what_to_send(data: bytes, name: str) -> None:
    with pytest.raises(UnsupportedMediaType) as refused:
        decode(data, LIMITS)

    assert name in refused.value.message
    assert "JPEG, PNG, WebP or BMP" in refused.value.message


@pytest.mark.parametrize(
    "data", [b"hello", b"BM but no picture at all", b"PK\x03\x04", b"\0\0\0\x18ftypmp42", bytes(99)]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    assert sniff(data) is None
    with pytest.raises(UnsupportedMediaType):
        decode(data, LIMITS)


def test_no_bytes_at_all() -> None:
    with pytest.raises(EmptyFile):
        decode(b"", LIMITS)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP"])
def test_formats_are_told_by_their_first_bytes(form: str) -> None:
    assert sniff(encoded(quadrants(), form)) == form.lower()


def test_too_many_pixels_are_refused_on_the_header_alone() -> None:
    with pytest.raises(ImageTooLarge, match="20000 x 20000"):
        decode(png(20_000, 20_000), LIMITS)


def test_a_webp_that_would_take_too_much_memory_is_refused() -> None:
    data = (
        bytes.fromhex("524946461a000000574542505650384c11000000")
        + b"\x2f"
        + struct.pack("<I", 4999 | 4999 << 14)
        + bytes(12)
    )

    with pytest.raises(ImageTooLarge, match="MB of memory"):
        decode(data, LIMITS)


def test_a_webp_that_would_take_seconds_is_refused() -> None:
    size = struct.pack("<I", 6999 | 6999 << 14)
    data = bytes.fromhex("524946461a000000574542505650384c11000000") + b"\x2f" + size + bytes(12)
    with pytest.raises(ImageTooLarge, match="too long"):
        decode(data, ImageLimits(50_000_000, memory=MemoryBudget(1_000_000_000)))


def test_a_side_may_not_be_endless() -> None:
    with pytest.raises(ImageTooLarge, match="on a side"):
        decode(png(20_001, 64), LIMITS)


@pytest.mark.parametrize("size", [(1, 1), (31, 400), (400, 31)])
def test_a_picture_too_small_for_a_face(size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooSmall, match=f"{size[0]} x {size[1]}"):
        decode(encoded(Image.new("RGB", size), "PNG"), LIMITS)


def test_a_jpeg_of_endless_passes_is_refused() -> None:
    data = encoded(Image.new("RGB", (3000, 2000)), "JPEG", progressive=True)
    last = data[data.rfind(b"\xff\xda") : -2]

    with pytest.raises(ImageTooLarge, match="too long"):
        decode(data[:-2] + last * 400 + data[-2:], LIMITS)


def test_the_video_behind_a_phone_s_photo_counts_for_no_passes() -> None:
    data = encoded(quadrants(3000, 2000), "JPEG") + b"\0\0\0\x18ftypmp42" + b"\xff\xda\0\7" * 2000

    assert close(corners(decode(data, LIMITS).pixels), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize("filler", [b"\xff\xfe\0\2", b"\xff"])
def test_a_jpeg_of_endless_segments_is_refused(filler: bytes) -> None:
    data = encoded(quadrants(), "JPEG")

    with pytest.raises(InvalidImage):
        decode(data[:2] + filler * 500_000 + data[2:], LIMITS)


def test_a_png_of_endless_chunks_is_refused() -> None:
    with pytest.raises(InvalidImage):
        decode(png(64, 64, *[(b"tEXt", b"")] * 30_000), LIMITS)


@pytest.mark.parametrize("compression", [1, 2, 4, 5])
def test_a_compressed_bmp_is_refused_by_name(compression: int) -> None:
    data = bytearray(encoded(quadrants(), "BMP"))
    data[30] = compression

    with pytest.raises(UnsupportedMediaType, match="BMP"):
        decode(bytes(data), LIMITS)


def test_a_twelve_bit_jpeg_is_refused_by_name() -> None:
    data = bytearray(encoded(quadrants(), "JPEG"))
    data[data.find(b"\xff\xc0") + 4] = 12

    with pytest.raises(UnsupportedMediaType, match="8-bit JPEG"):
        decode(bytes(data), LIMITS)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("percent", range(5, 100, 5))
def test_a_truncated_file_is_never_half_a_picture(form: str, percent: int) -> None:
    data = encoded(skimage_data.astronaut()[:200, :200], form, exif=turned(3))
    with pytest.raises((InvalidImage, UnsupportedMediaType)):
        decode(data[: len(data) * percent // 100], LIMITS)


def test_a_thumbnail_does_not_make_a_truncated_jpeg_whole() -> None:
    data = encoded(quadrants(), "JPEG", exif=b"Exif\0\0" + encoded(quadrants(32, 32), "JPEG"))

    with pytest.raises(InvalidImage):
        decode(data[:-40], LIMITS)


def test_what_follows_a_picture_does_not_matter() -> None:
    data = encoded(quadrants(), "JPEG", quality=95) + b"<script>alert(1)</script>PK\x03\x04" * 100

    assert close(corners(decode(data, LIMITS).pixels), ORIENTED[1])


@pytest.mark.parametrize("rows", [0, 64, 3999])
def test_a_header_that_promises_more_than_there_is(rows: int) -> None:
    row = b"\0" + bytes([200]) * 3 * 64

    with pytest.raises(InvalidImage):
        decode(png(64, 4000, (b"IDAT", zlib.compress(row * rows))), LIMITS)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P"])
def test_a_png_that_is_black_at_its_end_is_whole(mode: str) -> None:
    picture = decode(encoded(Image.new(mode, (97, 61)), "PNG"), LIMITS)

    assert picture.pixels.shape == (61, 97, 3)


def interlaced(sides: tuple[int, int], rows: int) -> bytes:
    """A black, interlaced PNG of which only so many rows of the last pass are there."""
    width, height = sides
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
    packed = b"".join(
        bytes(1 + 3 * len(range(left, width, dx))) * len(range(top, height, dy)) for left, top, dx, dy in steps
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    whole = bytearray(png(width, height, (b"IDAT", zlib.compress(packed + bytes(1 + 3 * width) * rows))))
    whole[16:29] = header
    whole[29:33] = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return bytes(whole)


def test_an_interlaced_png_is_whole_with_its_last_pass() -> None:
    assert not decode(interlaced((45, 64), 32), LIMITS).pixels.any()
    with pytest.raises(InvalidImage):
        decode(interlaced((45, 64), 31), LIMITS)


def test_a_text_chunk_that_unpacks_to_a_gigabyte_is_never_unpacked() -> None:
    rows = zlib.compress((b"\0" + bytes(3 * 64)) * 64)
    bomb = b"note\0\0" + zlib.compress(bytes(1 << 24))

    picture = decode(png(64, 64, (b"zTXt", bomb), (b"iCCP", bomb), (b"IDAT", rows)), LIMITS)

    assert not picture.pixels.any()


def seeds() -> list[bytes]:
    small = Image.fromarray(skimage_data.astronaut()[100:164, 150:214])
    glass = small.convert("RGBA")
    glass.putalpha(128)
    return [
        encoded(small, "JPEG", exif=turned(6)),
        encoded(small, "JPEG", progressive=True),
        encoded(small.convert("CMYK"), "JPEG"),
        encoded(small, "PNG", exif=turned(6)),
        encoded(small.convert("P"), "PNG", transparency=3),
        encoded(glass, "PNG"),
        encoded(small, "PNG", save_all=True, append_images=[small.rotate(9)]),
        encoded(small, "WEBP", exif=turned(6)),
        encoded(glass, "WEBP", lossless=True),
        encoded(small, "WEBP", save_all=True, append_images=[small.rotate(9)]),
        encoded(small, "BMP"),
        encoded(small.convert("P"), "BMP"),
    ]


def test_damage_gives_a_picture_or_an_error_of_the_catalogue() -> None:
    chance = random.Random(1)  # one fixed series, so that a finding can be repeated
    damaged = 0
    for seed in seeds():
        assert decode(seed, LIMITS).pixels.shape == (64, 64, 3)
        for _ in range(120):
            data = bytearray(seed)
            for _ in range(chance.randint(1, 8)):
                reach = len(data) if chance.random() < 0.5 else min(len(data), 120)
                data[chance.randrange(reach)] = chance.choice((0, 255, 127, 128, 1, chance.randrange(256)))
            damaged += not is_read(bytes(data))
    assert damaged > 300


def is_read(data: bytes) -> bool:
    try:
        decode(data, LIMITS)
    except VisageError:
        return False
    return True


def test_a_picture_that_does_not_fit_beside_others_takes_nothing() -> None:
    data = encoded(Image.new("L", (2000, 2000), 90), "PNG")
    memory = MemoryBudget(60_000_000)
    limits = ImageLimits(50_000_000, memory=memory)
    with memory.take(50_000_000), pytest.raises(NotEnoughMemory):
        decode(data, limits)
    assert memory.used == 0
    assert decode(data, limits).width == 2000


def test_pixels_count_as_used_until_they_are_gone() -> None:
    limits = ImageLimits(50_000_000)
    picture = decode(encoded(quadrants(1000, 600), "PNG"), limits)
    assert limits.memory.used == 4 * 1000 * 600
    del picture
    assert limits.memory.used == 0


def test_a_picture_that_takes_more_memory_than_there_is_is_refused_by_name() -> None:
    limits = ImageLimits(50_000_000, memory=MemoryBudget(100_000_000))
    with pytest.raises(ImageTooLarge, match="MB of memory"):
        decode(encoded(Image.new("CMYK", (4000, 4000)), "JPEG", progressive=True), limits)
    assert decode(encoded(Image.new("CMYK", (4000, 4000)), "JPEG"), limits).width == 4000


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_picture_that_fits_only_when_reduced_is_reduced(form: str) -> None:
    data = encoded(quadrants(4000, 3000), form)
    limits = ImageLimits(50_000_000, memory=MemoryBudget(90_000_000))
    picture = decode(data, limits, at_most=1)
    assert (picture.scale, picture.width) == (2, 4000)
    assert decode(data, LIMITS, at_most=1).scale == 1


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCF])
def test_a_jpeg_with_an_unusual_coding_is_refused_by_name(marker: int) -> None:
    data = encoded(quadrants(), "JPEG").replace(b"\xff\xc0", bytes([0xFF, marker]), 1)
    with pytest.raises(UnsupportedMediaType, match="arithmetic or lossless"):
        decode(data, LIMITS)


def test_scans_behind_a_marker_in_a_table_are_counted() -> None:
    data = encoded(Image.new("RGB", (3000, 2000)), "JPEG", progressive=True)
    last = data[data.rfind(b"\xff\xda") : -2]
    with pytest.raises(ImageTooLarge, match="too long"):
        decode(data[:-2] + b"\xff\xfe\0\4\xff\xd9" + last * 400 + data[-2:], LIMITS)


def test_the_video_behind_a_progressive_photo_counts_for_no_passes() -> None:
    data = encoded(quadrants(3000, 2000), "JPEG", progressive=True) + b"\xff\xda\0\7" * 2000 + b"\xff\xd9"
    assert decode(data, LIMITS).width == 3000


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_jpeg_that_is_cut_and_closed_again_is_refused(mode: str, share: float) -> None:
    whole = encoded(Image.fromarray(skimage_data.astronaut()).convert(mode), "JPEG")
    start = whole.rfind(b"\xff\xda") + 12
    cut = whole[: start + int((len(whole) - start) * share)] + b"\xff\xd9"
    with pytest.raises(InvalidImage):
        decode(cut, LIMITS)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_really_ends_in_grey_is_read(mode: str) -> None:
    picture = Image.fromarray(skimage_data.astronaut())
    picture.paste((128, 128, 128), (0, 400, 512, 512))
    assert decode(encoded(picture.convert(mode), "JPEG"), LIMITS).width == 512
    grey = Image.new("RGB", (2000, 2000), (128, 128, 128))
    assert decode(encoded(grey.convert(mode), "JPEG"), LIMITS).scale > 1
