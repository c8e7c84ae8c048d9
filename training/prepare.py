"""Prepares the training arrays: removes duplicates, turns votes into targets, crops photos."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from app.pipeline import Pipeline
from training import data_report, duplicates, photos
from training.data import EMOTIONS, NO_LABEL, SIDE, Faces, is_face, vote_targets
from training.dataset import (
    ARRAYS,
    SPLITS,
    MissingData,
    Photo,
    Split,
    build_arrays,
    data_folder,
    has_photos,
    read_photos,
    read_split,
)
from training.labels import FERPLUS


def targets(split: Split) -> Faces:
    """A split with its training targets."""
    return Faces(split.images, vote_targets(split.votes), split.fer2013, split.ids)


def clean(splits: dict[str, Split]) -> dict[str, Faces]:
    """The splits without pictures of no face; the training split also without pictures of the other splits."""
    train = splits["train"]
    held = np.concatenate([splits["valid"].images, splits["test"].images])
    duplicated = duplicates.exact(train.images, held) | (duplicates.similarity(train.images, held) > duplicates.NEAR)
    kept = {name: is_face(split.votes) for name, split in splits.items()}
    kept["train"] &= ~duplicated
    return {name: targets(split.subset(kept[name])) for name, split in splits.items()}


def photo_faces(pipeline: Pipeline, labelled: Iterable[Photo]) -> Faces:
    """The largest face of each photo, cropped as in the service; photos without a face are left out."""
    images, votes, ids = [], [], []
    for number, photo in enumerate(labelled):
        if photo.label not in FERPLUS:
            raise MissingData(f"{photo.name} has the label {photo.label}, which is none of {', '.join(FERPLUS)}.")
        found = photos.find_face(pipeline, photo)
        if found is None:
            continue
        images.append(photos.training_face(found.detected))
        votes.append(np.eye(EMOTIONS, dtype=np.float32)[FERPLUS.index(photo.label)])
        ids.append(number)
    return Faces(
        np.array(images, dtype=np.uint8).reshape(-1, SIDE, SIDE),
        np.array(votes, dtype=np.float32).reshape(-1, EMOTIONS),
        np.full(len(images), NO_LABEL, dtype=np.int64),
        np.array(ids, dtype=np.int64),
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training prepare", description=__doc__)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--to", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--report", type=Path, help="folder for data.md and its plots")
    parser.add_argument("--limit", type=int, help="use only this many faces of each split, and photos")
    options = parser.parse_args(arguments)
    if not (options.data / ARRAYS).exists():
        build_arrays(options.data)
    splits = {name: read_split(options.data, name).subset(slice(options.limit)) for name in SPLITS}
    options.to.mkdir(parents=True, exist_ok=True)
    prepared = clean(splits)
    extra = Faces.empty()
    if has_photos(options.data, "train"):
        with photos.open_pipeline() as pipeline:
            extra = photo_faces(pipeline, itertools.islice(read_photos(options.data, "train"), options.limit))
    for name, faces in {**prepared, "photos": extra}.items():
        faces.save(options.to / f"{name}.npz")
        print(f"{name}: {len(faces)} faces")
    if options.report:
        data_report.write(options.report, splits, {name: len(faces) for name, faces in prepared.items()}, len(extra))


if __name__ == "__main__":
    main()
