"""Two people who walk past each other: frames made of sample faces on paths, and whether tracks keep them apart."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from skimage import data

from app.api.streaming import FrameSearches
from app.pipeline import FrameOptions, Pipeline
from app.sessions.tracks import Tracker
from app.vision.decode import Picture
from app.vision.geometry import Face

WIDTH, HEIGHT, RATE, SECONDS = 640, 480, 15, 3.0
SAMPLES = Path(__file__).parents[1] / "sample_images"


@dataclass(frozen=True)
class Walker:
    """One person: a cut-out head, and the path of its centre. The later one walks in front."""

    head: Image.Image
    size: int
    start: float
    speed: float
    height: float
    sway: float
    phase: float

    def centre(self, t: float) -> tuple[float, float]:
        return self.start + self.speed * t, self.height + self.sway * math.sin(6 * t + self.phase)


@functools.cache
def heads() -> tuple[Image.Image, ...]:
    """Heads of two people, as ovals."""
    astronaut = Image.fromarray(data.astronaut()).crop((160, 40, 300, 215))
    other = Image.open(SAMPLES / "neutral_sample.jpg").convert("RGB")
    return tuple(_oval(head) for head in (astronaut, _face_of(other)))


def crossing(draw: int) -> list[Walker]:
    """Two walkers who meet in the middle. Sizes, speeds, heights and who is in front differ from draw to draw."""
    chance = random.Random(draw)
    first, second = chance.sample(heads(), 2)
    walkers = []
    for head, side in ((first, 1), (second, -1)):
        speed = side * chance.uniform(100, 170)
        walkers.append(
            Walker(
                head=head,
                size=chance.randint(100, 170),
                start=WIDTH / 2 - speed * SECONDS / 2,
                speed=speed,
                height=HEIGHT / 2 + chance.uniform(-40, 40),
                sway=chance.uniform(0, 12),
                phase=chance.uniform(0, 6),
            )
        )
    return walkers


def frames(walkers: Sequence[Walker]) -> Iterator[tuple[float, Picture]]:
    room = Image.fromarray(data.coffee()).resize((WIDTH, HEIGHT)).point(lambda value: value // 2 + 60)
    for number in range(round(SECONDS * RATE)):
        t = number / RATE
        frame = room.copy()
        for walker in walkers:
            x, y = walker.centre(t)
            tall = round(walker.size * walker.head.height / walker.head.width)
            head = walker.head.resize((walker.size, tall))
            frame.paste(head, (round(x - walker.size / 2), round(y - tall / 2)), head)
        yield t, Picture(np.asarray(frame, np.uint8), WIDTH, HEIGHT, "jpeg")


def numbers_kept(pipeline: Pipeline, draw: int) -> bool:
    """Whether both walkers have at the end the numbers that they had at the beginning."""
    walkers = crossing(draw)
    tracker = Tracker()
    seen: list[list[int]] = [[], []]
    searches = FrameSearches(FrameOptions(every_face=True))
    for t, picture in frames(walkers):
        faces, full = pipeline.search(picture, searches.options(t, tracker))
        searches.took(t, faces, len(faces), full=full)
        for track, face in zip(tracker.update(t, faces), faces, strict=True):
            number = _whose(face, walkers, t)
            if number is not None:
                seen[number].append(track.number)
    begun = [numbers[0] for numbers in seen]
    return begun[0] != begun[1] and all(numbers[-1] == number for numbers, number in zip(seen, begun, strict=True))


def _whose(face: Face, walkers: Sequence[Walker], t: float) -> int | None:
    """Whose face it is; None while they are so close that it cannot be said."""
    distances = [math.dist(face.box.center, walker.centre(t)) for walker in walkers]
    nearest = min(range(2), key=distances.__getitem__)
    clear = distances[1 - nearest] > walkers[1 - nearest].size
    return nearest if clear and distances[nearest] < walkers[nearest].size else None


def _face_of(photo: Image.Image) -> Image.Image:
    width, height = photo.size
    side = min(width, height)
    return photo.crop(
        (width // 2 - side // 3, height // 2 - side // 2, width // 2 + side // 3, height // 2 + side // 3)
    )


def _oval(head: Image.Image) -> Image.Image:
    mask = Image.new("L", head.size, 0)
    ImageDraw.Draw(mask).ellipse((0, 0, *head.size), fill=255)
    head = head.convert("RGBA")
    head.putalpha(mask)
    return head
