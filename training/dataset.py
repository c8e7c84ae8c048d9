"""Reads the data folder: FER-2013 with the votes of FER+, and labelled photos."""

from __future__ import annotations

import csv
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.data import SIDE
from training.whole_files import written_whole

SPLITS: Final = ("train", "valid", "test")
ARRAYS: Final = "ferplus.npz"
_USAGES: Final = dict(zip(("Training", "PublicTest", "PrivateTest"), SPLITS, strict=True))


class MissingData(Exception):
    """The data folder lacks a file, or a file there is not as it must be; the message names it."""


@dataclass(frozen=True, slots=True)
class Split:
    """One official split.

    ``images`` (n, 48, 48) uint8; ``votes`` (n, 10) uint8, the FER+ votes of ten taggers; ``fer2013`` (n,) int64, the
    original labels; ``ids`` (n,) int64, the rows in the original file.
    """

    images: NDArray[np.uint8]
    votes: NDArray[np.uint8]
    fer2013: NDArray[np.int64]
    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, rows: NDArray[np.bool_] | slice) -> Split:
        return Split(self.images[rows], self.votes[rows], self.fer2013[rows], self.ids[rows])


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of one person: its bytes as published, and its label."""

    name: str
    label: str
    data: bytes


def data_folder() -> Path:
    """The data folder: the environment variable ``DATA``, or ``data``."""
    return Path(os.environ.get("DATA", "data"))


def read_split(data: Path, name: str) -> Split:
    """A split from the arrays in the data folder."""
    path = data / ARRAYS
    if not path.exists():
        raise MissingData(f"{path} is missing: `python -m training prepare` makes it from fer2013.csv.")
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return Split(
                arrays[f"{name}_x"],
                arrays[f"{name}_votes"],
                arrays[f"{name}_fer2013"].astype(np.int64),
                arrays[f"{name}_id"].astype(np.int64),
            )
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError):
        raise MissingData(f"{path} is damaged, or has not the arrays of {name}.") from None


def build_arrays(data: Path) -> None:
    """Builds the arrays from the two files in which FER-2013 and FER+ are published."""
    pictures, tags = data / "fer2013.csv", data / "fer2013new.csv"
    for path in (pictures, tags):
        if not path.exists():
            raise MissingData(f"{data} has neither {ARRAYS} nor {path.name}.")
    try:
        arrays = _arrays(pictures, tags)
    except (KeyError, ValueError) as error:
        raise MissingData(f"{pictures} or {tags.name} is not as it was published ({error}).") from None
    with written_whole(data / ARRAYS) as unfinished:
        np.savez_compressed(unfinished, **arrays)


def _arrays(pictures: Path, tags: Path) -> dict[str, Any]:
    rows: dict[str, list[tuple[NDArray[np.uint8], list[int], int, int]]] = {name: [] for name in SPLITS}
    with pictures.open(newline="") as pictures_file, tags.open(newline="") as tags_file:
        pairs = zip(csv.DictReader(pictures_file), csv.reader(_body(tags_file)), strict=True)
        for index, (picture, tagged) in enumerate(pairs):
            usage, image_name, *votes = tagged
            if usage != picture["Usage"]:
                raise MissingData(f"{tags.name} does not match {pictures.name}: row {index} belongs to another split.")
            # In FER+ a picture without a face has no name.
            if image_name:
                pixels = np.array(picture["pixels"].split(), dtype=np.uint8).reshape(SIDE, SIDE)
                rows[_USAGES[usage]].append((pixels, [int(vote) for vote in votes], int(picture["emotion"]), index))
    arrays: dict[str, Any] = {}
    for name, kept in rows.items():
        arrays[f"{name}_x"] = np.stack([row[0] for row in kept])
        arrays[f"{name}_votes"] = np.array([row[1] for row in kept], dtype=np.uint8)
        arrays[f"{name}_fer2013"] = np.array([row[2] for row in kept], dtype=np.int8)
        arrays[f"{name}_id"] = np.array([row[3] for row in kept], dtype=np.int32)
    return arrays


def _body(lines: Iterator[str]) -> Iterator[str]:
    next(lines)
    return lines


def has_photos(data: Path, name: str) -> bool:
    return (data / f"wild-{name}.zip").exists() and (data / f"wild-{name}.csv").exists()


def read_photos(data: Path, name: str) -> Iterator[Photo]:
    """The photos of ``wild-train`` or ``wild-dev``, in the order of their CSV file."""
    listing, photos = data / f"wild-{name}.csv", data / f"wild-{name}.zip"
    with listing.open(newline="") as lines, zipfile.ZipFile(photos) as archive:
        places = {Path(place).name: place for place in archive.namelist()}
        rows = csv.DictReader(lines)
        if not {"file", "label"} <= set(rows.fieldnames or ()):
            raise MissingData(f"{listing} has not the columns file and label.")
        for row in rows:
            if row["file"] not in places:
                raise MissingData(f"{listing} names {row['file']}, which {photos.name} does not have.")
            yield Photo(row["file"], row["label"], archive.read(places[row["file"]]))
