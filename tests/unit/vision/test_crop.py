from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from skimage import data as skimage_data

from app.vision.crop import BoxFraming, CropRegion, EyeFraming, extract, extract_large, region_of
from app.vision.geometry import Box, Face

GOLDEN = [
    [102.6, 128.6, 129.1, 47.4],
    [98.5, 180.4, 166.9, 80.9],
    [186.0, 187.3, 162.7, 159.9],
    [57.1, 187.0, 156.3, 175.4],
]
"""Mean brightness of the sixteen parts of the crop of the astronaut's face."""

FRAMING = EyeFraming(eye_distance=0.37, eye_center=(0.5, 0.395))


def face_with_eyes(right: tuple[float, float], left: tuple[float, float], width: float = 100) -> Face:
    middle = ((right[0] + left[0]) / 2, (right[1] + left[1]) / 2)
    box = Box(middle[0] - width / 2, middle[1] - width / 2, width, width)
    return Face(box, 0.9, (right, left, middle, middle, right, left))


def dots(size: tuple[int, int], *points: tuple[float, float], sigma: float = 4.0) -> np.ndarray:
    """Soft white dots on black; their centres of mass are exact to a hundredth of a pixel."""
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    light = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points)
    return np.rint(np.clip(light, 0, 1)[..., None] * 255).astype(np.uint8).repeat(3, axis=2)


def centre_of_mass(grey: np.ndarray, left: int, right: int) -> tuple[float, float]:
    part = grey[:, left:right].astype(float)
    y, x = np.mgrid[: part.shape[0], left:right] + 0.5
    return float((x * part).sum() / part.sum()), float((y * part).sum() / part.sum())


@pytest.mark.parametrize("roll", [0, 7, -23, 45, 90, 170])
@pytest.mark.parametrize(("distance", "side"), [(60.0, 96), (147.3, 96), (33.0, 224)])
def test_eyes_come_to_lie_where_the_manifest_wants_them(roll: float, distance: float, side: int) -> None:
    half = distance / 2
    turn = math.radians(roll)
    right = (300.3 - half * math.cos(turn), 300.7 - half * math.sin(turn))
    left = (300.3 + half * math.cos(turn), 300.7 + half * math.sin(turn))
    picture = dots((600, 600), right, left, sigma=distance / 12)

    crop = extract(picture, region_of(face_with_eyes(right, left), FRAMING), side, side)[..., 0]

    for found, expected in (
        (centre_of_mass(crop, 0, side // 2), (0.5 - 0.185, 0.395)),
        (centre_of_mass(crop, side // 2, side), (0.5 + 0.185, 0.395)),
    ):
        assert found[0] / side == pytest.approx(expected[0], abs=0.25 / side)
        assert found[1] / side == pytest.approx(expected[1], abs=0.25 / side)


def test_the_box_framing_counts_in_box_widths() -> None:
    face = Face(Box(100, 50, 80, 80), 0.9, ())

    assert region_of(face, BoxFraming(1.25, -0.1, -0.2)) == CropRegion(92, 34, 100)


def test_an_assumed_face_is_its_box() -> None:
    face = Face(Box(10, 20, 80, 80), 0.0, (), assumed=True)

    assert region_of(face, FRAMING) == CropRegion(10, 20, 80)


def test_a_profile_does_not_shrink_to_an_eye() -> None:
    face = face_with_eyes((200.0, 100.0), (201.0, 100.0), width=100)

    assert region_of(face, FRAMING).side == pytest.approx(0.2 * 100 / 0.37)


def test_a_square_at_whole_pixels_is_the_picture_itself() -> None:
    picture = skimage_data.astronaut()

    assert (extract(picture, CropRegion(200, 100, 48), 48, 48) == picture[100:148, 200:248]).all()


def test_corners_go_round_with_the_roll() -> None:
    corners = CropRegion(10, 20, 8, math.pi / 2).corners

    assert np.allclose(corners, [(10, 20), (10, 28), (2, 28), (2, 20)])


@pytest.mark.parametrize(("left", "top"), [(-16, 40), (500, 40), (40, -16), (40, 500), (-20, -20), (496, 496)])
def test_beyond_the_edge_the_picture_is_mirrored(left: int, top: int) -> None:
    picture = skimage_data.astronaut()
    mirrored = np.pad(picture, ((64, 64), (64, 64), (0, 0)), mode="reflect")

    crop = extract(picture, CropRegion(left, top, 48), 48, 48)

    assert (crop == mirrored[top + 64 : top + 112, left + 64 : left + 112]).all()


def test_beyond_the_edge_a_large_face_is_mirrored_too() -> None:
    picture = cv2.resize(skimage_data.astronaut(), (1024, 1024), interpolation=cv2.INTER_CUBIC)
    padded = np.pad(picture, ((256, 256), (256, 256), (0, 0)), mode="reflect")

    crop = extract(picture, CropRegion(-128, -128, 480), 48, 48).astype(int)

    expected = cv2.resize(padded[128:608, 128:608], (48, 48), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(crop - expected).mean() < 6


@pytest.mark.parametrize("side", [130, 480, 1000])
@pytest.mark.parametrize("roll", [0.0, 0.4])
def test_fine_stripes_average_out_rather_than_make_patterns(side: int, roll: float) -> None:
    stripes = np.zeros((1200, 1200, 3), np.uint8)
    stripes[:, ::2] = 255

    crop = extract(stripes, CropRegion(500, 80, side, roll), 48, 48)[4:-4, 4:-4]

    assert np.abs(crop.astype(float) - 127.5).max() <= 26


@pytest.mark.parametrize("factor", [2, 5, 8])
def test_a_shrunk_crop_is_the_average_of_what_it_shows(factor: int) -> None:
    side = 48 * factor
    picture = cv2.resize(skimage_data.astronaut(), (1024, 1024), interpolation=cv2.INTER_CUBIC)

    crop = extract(picture, CropRegion(300, 100, side), 48, 48).astype(int)

    plain = picture[100 : 100 + side, 300 : 300 + side].reshape(48, factor, 48, factor, 3).mean(axis=(1, 3))
    assert np.abs(crop - plain).mean() < 4


def test_a_tiny_picture_and_a_square_beside_it_still_give_a_crop() -> None:
    picture = np.full((2, 2, 3), 77, np.uint8)

    assert (extract(picture, CropRegion(-500, -500, 300, 0.3), 48, 32) == 77).all()


def test_the_golden_crop() -> None:
    """Fixes the geometry of a crop: another framing or resampling costs accuracy without any error."""
    face = face_with_eyes((201.5, 104.9), (245.8, 109.1))

    crop = extract(skimage_data.astronaut(), region_of(face, FRAMING), 48, 48)

    assert crop.shape == (48, 48, 3)
    means = crop.reshape(4, 12, 4, 12, 3).mean(axis=(1, 3, 4))
    assert np.allclose(means, GOLDEN, atol=1.0), np.round(means, 1).tolist()


@pytest.mark.parametrize(
    "region",
    [
        CropRegion(60.3, 40.7, 120, 0.2),
        CropRegion(-30, -20, 150, -0.3),
        CropRegion(180, 140, 190, 0.1),
        CropRegion(10, 10, 230, 0.4),
        CropRegion(-500, 300, 40, 0.4),
    ],
)
def test_a_large_crop_continues_the_edge(region: CropRegion) -> None:
    picture, side = skimage_data.astronaut()[100:356:2, 100:356], 256
    crop = extract_large(picture, region, side).astype(int)
    steps = (np.arange(side) + 0.5) * region.side / side
    cos, sin = math.cos(region.roll), math.sin(region.roll)
    x = region.x + cos * steps[None, :] - sin * steps[:, None] - 0.5
    y = region.y + sin * steps[None, :] + cos * steps[:, None] - 0.5
    wanted = cv2.remap(picture, *np.float32([x, y]), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(int)
    assert np.abs(crop - wanted).mean() < 1


def test_a_large_crop_of_more_pixels_is_averaged_as_a_small_one_is() -> None:
    picture, region = skimage_data.astronaut(), CropRegion(100.3, 80.7, 300, 0.2)
    assert np.abs(extract_large(picture, region, 128).astype(int) - extract(picture, region, 128, 128)).max() <= 1
