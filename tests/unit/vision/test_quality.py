from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image
from skimage import data as skimage_data

from app.vision.decode import Picture
from app.vision.face_search import assumed
from app.vision.geometry import Box, Face
from app.vision.quality import THRESHOLDS, assess

ASTRONAUT = Face(
    Box(177, 82, 95, 95),
    0.92,
    ((201.5, 104.9), (245.8, 109.1), (220.4, 127.3), (219.8, 148.6), (178.2, 115.7), (272.2, 123.9)),
)


def shown(pixels: np.ndarray) -> Picture:
    return Picture(np.ascontiguousarray(pixels), pixels.shape[1], pixels.shape[0], "jpeg")


def codes(picture: Picture, face: Face = ASTRONAUT, faces_detected: int = 1) -> list[str]:
    return [warning.code for warning in assess(picture, face, faces_detected)]


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return skimage_data.astronaut()


def test_an_ordinary_portrait_gets_no_warning(astronaut: np.ndarray) -> None:
    assert codes(shown(astronaut)) == []


def test_nor_does_one_in_uniform(astronaut: np.ndarray) -> None:
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        pixels = np.asarray(Image.open(file))
    eyes_nose = ((226.0, 164.0), (300.0, 170.0), (262.0, 205.0), (262.0, 240.0), (190.0, 180.0), (340.0, 185.0))

    assert codes(shown(pixels), Face(Box(180, 110, 165, 165), 0.9, eyes_nose)) == []


@pytest.mark.parametrize("size", [512, 1024, 300])
def test_blur_is_seen_at_every_size(astronaut: np.ndarray, size: int) -> None:
    blurred = cv2.resize(cv2.GaussianBlur(astronaut, (0, 0), 3), (size, size), interpolation=cv2.INTER_AREA)
    sharp = cv2.resize(astronaut, (size, size), interpolation=cv2.INTER_AREA)
    face = ASTRONAUT.scaled(size / 512, size / 512)

    assert codes(shown(blurred), face) == ["blurred"]
    assert codes(shown(sharp), face) == []


@pytest.mark.parametrize("light", [0.3, 1.0, 1.2])
def test_light_alone_is_no_blur(astronaut: np.ndarray, light: float) -> None:
    assert "blurred" not in codes(shown(np.clip(astronaut * light, 0, 255).astype(np.uint8)))


def test_darkness(astronaut: np.ndarray) -> None:
    assert codes(shown((astronaut * 0.3).astype(np.uint8))) == ["too_dark"]


def test_dark_skin_is_no_darkness(astronaut: np.ndarray) -> None:
    face = np.full((512, 512, 3), (70, 48, 38), np.uint8)
    lit = astronaut > 205  # highlights stay where they are
    assert "too_dark" not in codes(shown(np.where(lit, astronaut, face)))


def test_too_much_light(astronaut: np.ndarray) -> None:
    assert codes(shown(np.clip(astronaut * 2.0, 0, 255).astype(np.uint8))) == ["too_bright"]


def test_a_small_face(astronaut: np.ndarray) -> None:
    small = cv2.resize(astronaut, (240, 240), interpolation=cv2.INTER_AREA)

    assert codes(shown(small), ASTRONAUT.scaled(240 / 512, 240 / 512)) == ["face_too_small"]


@pytest.mark.parametrize(("width", "small"), [(47.4, True), (47.6, False)])
def test_a_face_is_as_small_as_its_box_in_the_result(astronaut: np.ndarray, width: float, small: bool) -> None:
    scale = width / ASTRONAUT.box.width
    side = round(512 * scale)
    reduced = cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA)

    assert ("face_too_small" in codes(shown(reduced), ASTRONAUT.scaled(scale, scale))) == small


def test_a_face_is_as_large_as_in_the_full_picture(astronaut: np.ndarray) -> None:
    reduced = cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA)

    assert codes(Picture(reduced, 512, 512, "jpeg")) == []


@pytest.mark.parametrize("side", [-1, 1])
def test_a_face_that_looks_aside(astronaut: np.ndarray, side: int) -> None:
    landmarks = list(ASTRONAUT.landmarks)
    landmarks[2] = (223.6 + side * 20, 127.3)

    assert codes(shown(astronaut), replace(ASTRONAUT, landmarks=tuple(landmarks))) == ["turned_away"]


def test_a_tilted_head_does_not_look_aside(astronaut: np.ndarray) -> None:
    landmarks = ((200.0, 150.0), (230.0, 110.0), (232.0, 145.0), (250.0, 160.0), (190.0, 160.0), (240.0, 100.0))

    assert "turned_away" not in codes(shown(astronaut), replace(ASTRONAUT, landmarks=landmarks))


@pytest.mark.parametrize(
    "box", [Box(-30, 80, 95, 95), Box(450, 80, 95, 95), Box(80, -30, 95, 95), Box(80, 450, 95, 95)]
)
def test_a_face_that_is_cut_off(astronaut: np.ndarray, box: Box) -> None:
    assert "at_edge" in codes(shown(astronaut), replace(ASTRONAUT, box=box))


def test_several_faces(astronaut: np.ndarray) -> None:
    assert codes(shown(astronaut), faces_detected=2) == ["multiple_faces"]


def test_an_assumed_face_says_so_first(astronaut: np.ndarray) -> None:
    picture = shown(astronaut)

    warnings = assess(picture, assumed(picture), 0)

    assert warnings[0].code == "face_assumed"
    assert "middle" in warnings[0].message


@pytest.mark.parametrize("box", [Box(-300, -300, 95, 95), Box(511.9, 511.9, 95, 95), Box(40, 40, 0.4, 0.4)])
def test_a_face_of_no_pixels_is_no_accident(astronaut: np.ndarray, box: Box) -> None:
    assert codes(shown(astronaut), replace(ASTRONAUT, box=box))


def test_one_colour_has_no_blur_to_speak_of() -> None:
    assert "blurred" in codes(shown(np.full((512, 512, 3), 120, np.uint8)))


def test_every_warning_has_its_threshold_and_its_advice(astronaut: np.ndarray) -> None:
    bad = Face(Box(-20, -20, 40, 40), 0.5, ((0.0, 0.0),) * 6)
    given = [
        *assess(shown(astronaut // 8), bad, 2),
        *assess(shown(np.full((512, 512, 3), 250, np.uint8)), ASTRONAUT, 1),
        *assess(shown(astronaut), assumed(shown(astronaut)), 0, mesh_unsure=True),
    ]

    assert {warning.code for warning in given} == set(THRESHOLDS)
    assert all(warning.message.count(".") >= 2 or "," in warning.message for warning in given)


@pytest.mark.parametrize(("yaw", "expected"), [(None, False), (29.0, False), (-31.0, True), (31.0, True)])
def test_the_yaw_of_a_mesh_decides_who_is_turned_away(astronaut: np.ndarray, yaw: float, expected: bool) -> None:
    codes = {warning.code for warning in assess(shown(astronaut), ASTRONAUT, 1, yaw=yaw)}
    assert ("turned_away" in codes) == expected
