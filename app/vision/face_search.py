"""Finds the faces of a picture: in the whole picture, then in smaller and smaller tiles until no more are found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from app.vision.decode import Picture
from app.vision.geometry import Box, Face

TILE_SHARES: Final = (0.6, 0.4, 0.25)
"""Sides of the tiles, coarse to fine. A detector finds faces from a quarter of its input reliably, and a face that is
too small at one level fits into one tile of the next."""

_OVERLAP = 0.25
"""Least share of a tile that overlaps its neighbour."""

_SMALL_FACE = 0.18
"""Share of a tile up to which a detected face suggests that others of its size were missed."""

_MOST_FACES = 200
"""Faces that are kept per level, so that a picture of a thousand faces does not occupy a worker for long."""

_SAME_FACE = 0.3
"""Intersection over union from which two boxes are the same face."""

_PART_OF = 0.6
"""Share of a box inside a larger one from which it is part of that face."""

_SURE_SCORE = 0.75
"""Score from which a face in the whole picture needs no confirmation."""

_CLOSE_UP = 2.2
"""Side of the close-up that confirms a face, in box widths. The detector works best at this size."""

_CONFIRMED_SCORE = 0.7
"""Least mean score of the close-up and its mirror image. One of 1,878 portraits scores less, and nearly all textures,
machines and cats that the detector takes for a face at first."""

_SURROUND = (128, 128, 128)
"""Colour around a picture in a close-up that extends beyond it."""

_ENOUGH_PIXELS = 1024
"""Longer side from which the detector's input is halved first. The detector itself scales with more aliasing."""

_ASSUMED_SHARE = 0.6
"""Side of an assumed face, as a share of the picture's shorter side."""


class FaceDetector(Protocol):
    """Finds large faces: at least a quarter of the pixels' width."""

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """The faces in uint8 (h, w, 3) RGB, in its pixels. A box may extend beyond them."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Tile:
    left: int
    top: int
    width: int
    height: int

    @property
    def side(self) -> int:
        return max(self.width, self.height)


def find(detector: FaceDetector, picture: Picture, *, thorough: bool) -> list[Face]:
    """The faces of a picture in its full-size pixels, largest first.

    ``thorough`` searches the coarse tiles even when the whole picture shows a face already.
    """
    pixels = picture.pixels
    height, width = pixels.shape[:2]
    whole = _Tile(0, 0, width, height)
    found = _merged([sure for face in _detect(detector, pixels, whole) if (sure := _sure(detector, pixels, face))])
    search_tiles = thorough or _suggests_more(found, whole)
    for share in TILE_SHARES:
        if not search_tiles:
            break
        tiles = list(_tiles(width, height, share))
        seen = _merged([face for tile in tiles for face in _detect(detector, pixels, tile)])
        fresh = [sure for face in seen if not _known(face, found) and (sure := _confirmed(detector, pixels, face))]
        search_tiles = not found + fresh or (bool(fresh) and _suggests_more(fresh, tiles[0]))
        found = _merged(found + fresh)
    found.sort(key=lambda face: face.box.area, reverse=True)
    return [face.scaled(picture.width / width, picture.height / height) for face in found]


def assumed(picture: Picture) -> Face:
    """The central region of a picture, for a caller who wants a result in any case."""
    side = _ASSUMED_SHARE * min(picture.width, picture.height)
    box = Box((picture.width - side) / 2, (picture.height - side) / 2, side, side)
    return Face(box, 0.0, (), assumed=True)


def _suggests_more(found: list[Face], tile: _Tile) -> bool:
    return not found or max(face.box.width for face in found) < _SMALL_FACE * tile.side


def _tiles(width: int, height: int, share: float) -> Iterator[_Tile]:
    # The height counts too, so that a very tall picture does not get too many tiles.
    side = max(round(share * max(width, 0.75 * height)), 1)
    across, down = min(side, width), min(side, height)
    for top in _starts(height, down):
        for left in _starts(width, across):
            yield _Tile(left, top, across, down)


def _starts(length: int, part: int) -> list[int]:
    """Starts of equally spaced parts that cover a length and overlap enough."""
    count = 1 + math.ceil((length - part) / (part * (1 - _OVERLAP)) - 0.05)
    return [round(number * (length - part) / max(count - 1, 1)) for number in range(count)]


def _detect(detector: FaceDetector, pixels: NDArray[np.uint8], tile: _Tile) -> list[Face]:
    part = pixels[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
    while max(part.shape) >= _ENOUGH_PIXELS:
        half = (max(part.shape[1] // 2, 1), max(part.shape[0] // 2, 1))
        part = np.asarray(cv2.resize(part, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    across, down = tile.width / part.shape[1], tile.height / part.shape[0]
    found = detector.detect(np.ascontiguousarray(part))
    return [face.scaled(across, down).moved(tile.left, tile.top) for face in found]


def _sure(detector: FaceDetector, pixels: NDArray[np.uint8], face: Face) -> Face | None:
    return face if face.score >= _SURE_SCORE else _confirmed(detector, pixels, face)


def _confirmed(detector: FaceDetector, pixels: NDArray[np.uint8], face: Face) -> Face | None:
    """The face as found in a close-up, or None if the close-up and its mirror image do not confirm it."""
    height, width = pixels.shape[:2]
    side = max(round(_CLOSE_UP * face.box.width), 2)
    left, top = (round(middle - side / 2) for middle in face.box.center)
    part = pixels[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    if not part.size:
        return None
    beyond = (max(-top, 0), max(top + side - height, 0), max(-left, 0), max(left + side - width, 0))
    # The surroundings of a large face may be many times as large as the picture.
    shrink = 1
    while side >= shrink * _ENOUGH_PIXELS:
        shrink *= 2
    if shrink > 1:
        smaller = (max(part.shape[1] // shrink, 1), max(part.shape[0] // shrink, 1))
        part = np.asarray(cv2.resize(part, smaller, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        beyond = (beyond[0] // shrink, beyond[1] // shrink, beyond[2] // shrink, beyond[3] // shrink)
    close_up = np.asarray(cv2.copyMakeBorder(part, *beyond, cv2.BORDER_CONSTANT, value=_SURROUND), dtype=np.uint8)
    tile = _Tile(0, 0, side, side)
    expected = face.moved(-left, -top).box
    again = _best(_detect(detector, close_up, tile), expected)
    if again is None:
        return None
    mirrored = _best(
        _detect(detector, np.asarray(close_up[:, ::-1]), tile), expected.moved(side - 2 * expected.center[0], 0)
    )
    if mirrored is None or again.score + mirrored.score < 2 * _CONFIRMED_SCORE:
        return None
    return again.moved(left, top)


def _best(found: list[Face], where: Box) -> Face | None:
    there = [face for face in found if face.box.overlap(where) > _SAME_FACE]
    return max(there, key=lambda face: face.score, default=None)


def _known(face: Face, found: list[Face]) -> bool:
    return any(face.box.overlap(other.box) > _SAME_FACE or face.box.covered_by(other.box) > _PART_OF for other in found)


def _merged(faces: list[Face]) -> list[Face]:
    """Non-maximum suppression: of each face the detection with the highest score, and no parts of larger faces."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: face.score, reverse=True):
        if len(kept) == _MOST_FACES:
            break
        if not any(face.box.overlap(other.box) > _SAME_FACE for other in kept):
            kept.append(face)
    return [face for face in kept if not any(_is_part(face.box, other.box) for other in kept)]


def _is_part(box: Box, other: Box) -> bool:
    return box.area < other.area and box.covered_by(other) > _PART_OF
