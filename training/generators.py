"""Generated pictures of faces, each with the label that was asked for."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline import DetectOptions, Pipeline
from training import photos
from training.data import SIDE, Faces
from training.dataset import Photo
from training.labels import FERPLUS

LISTING: Final = "labels.csv"
DIFFUSERS: Final = "diffusers:"
MORPH: Final = "morph"
_SUFFIXES: Final = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
_PROMPT: Final = "a photo of the face of one person who looks {}, facing the camera"
_WORDS: Final = {"sad": "sad", "fear": "afraid", "disgust": "disgusted", "surprise": "surprised"}
_ENLARGED: Final = 4 * SIDE
_LEAST_SHARE: Final = 0.5


class BadInput(Exception):
    """What was asked for cannot be done; the message is one sentence."""


def read_folder(folder: Path, labels: Sequence[str]) -> list[tuple[Path, str]]:
    """The pictures of a folder with their labels: from its ``labels.csv``, or from the names of its subfolders."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder.")
    listing = folder / LISTING
    found = _listed(folder, listing) if listing.exists() else _by_subfolder(folder)
    if not found:
        raise BadInput(f"{folder} has no pictures: it needs {LISTING} (file,label) or a subfolder for each label.")
    for path, label in found:
        if label not in labels:
            raise BadInput(f"The label {label!r} of {path.name} is none of {', '.join(labels)}.")
        if not path.is_file():
            raise BadInput(f"{listing} lists {path.name}, which is not there.")
    return found


def _listed(folder: Path, listing: Path) -> list[tuple[Path, str]]:
    try:
        with listing.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not {"file", "label"} <= set(reader.fieldnames or ()):
                raise BadInput(f"{listing} needs the columns file and label.")
            return [(folder / (row["file"] or ""), row["label"] or "") for row in reader]
    except (csv.Error, UnicodeDecodeError):
        raise BadInput(f"{listing} is not a CSV file in UTF-8.") from None


def _by_subfolder(folder: Path) -> list[tuple[Path, str]]:
    paths = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    return [(path, path.parent.name) for path in paths]


def opened(folder: Path, listed: Sequence[tuple[Path, str]]) -> Iterator[Photo]:
    """The listed pictures, one after the other."""
    for path, label in listed:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}.") from None
        yield Photo(str(path.relative_to(folder)), label, data)


def generate(
    generator: str, to: Path, labels: Sequence[str], each: int, seed: int, *, prepared: Path, pipeline: Pipeline
) -> None:
    """Writes ``each`` pictures a label into subfolders of ``to``. Those that are there already are kept."""
    make: Any
    if generator.startswith(DIFFUSERS):
        make = _diffusers(Path(generator.removeprefix(DIFFUSERS)))
    elif generator == MORPH:
        make = _Morphs(Faces.load(prepared / "train.npz"), pipeline)
    else:
        raise BadInput(f"The generator {generator!r} is neither {MORPH} nor {DIFFUSERS}PATH.")
    for label in labels:
        (to / label).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            path = to / label / f"{number:05}.png"
            if not path.exists():
                pixels = make(label, _seed(seed, label, number))
                _write(path, pixels)


def _seed(seed: int, label: str, number: int) -> int:
    """Another one for each picture, the same whichever pictures are there already."""
    return int(np.random.SeedSequence([seed, FERPLUS.index(label), number]).generate_state(1)[0])


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Writes RGB or grey pixels as PNG; the file appears whole."""
    bgr = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_bytes(cv2.imencode(".png", bgr)[1].tobytes())
    unfinished.replace(path)


class _Diffusion:
    """A text-to-image pipeline of diffusers."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def __call__(self, label: str, seed: int) -> NDArray[np.uint8]:
        import torch  # noqa: PLC0415 - the other generators do not need it

        generator = torch.Generator().manual_seed(seed)
        prompt = _PROMPT.format(_WORDS.get(label, label))
        images = self._pipeline(prompt=prompt, generator=generator).images
        return np.asarray(images[0].convert("RGB"), np.uint8)


def _diffusers(path: Path) -> _Diffusion:
    try:
        from diffusers import DiffusionPipeline  # noqa: PLC0415 - an optional package
    except ImportError:
        raise BadInput("The generator needs `pip install diffusers transformers`.") from None
    if not (path / "model_index.json").is_file():
        raise BadInput(f"{path} is not the folder of a diffusers pipeline: it has no model_index.json.")
    try:
        pipeline = DiffusionPipeline.from_pretrained(path, local_files_only=True)
    except Exception as error:  # it raises errors of many kinds for a damaged folder
        raise BadInput(f"diffusers cannot load {path} ({type(error).__name__}).") from error
    pipeline.set_progress_bar_config(disable=True)
    return _Diffusion(pipeline)


class _Morphs:
    """Blends of two training faces with the same label, placed over each other, then moved and relit."""

    def __init__(self, faces: Faces, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._images = faces.images
        self._top = np.where(faces.votes.max(axis=1) >= _LEAST_SHARE, faces.votes.argmax(axis=1), -1)

    def __call__(self, label: str, seed: int) -> NDArray[np.uint8]:
        generator = np.random.default_rng(seed)
        rows = np.flatnonzero(self._top == FERPLUS.index(label))
        if len(rows) < 2:
            raise BadInput(f"There are fewer than two training faces of {label} to blend.")
        first, second = (self._enlarged(row) for row in generator.choice(rows, 2, replace=False))
        if generator.random() < 0.5:
            second = np.ascontiguousarray(second[:, ::-1])
        share = generator.uniform(0.35, 0.65)
        blended = cv2.addWeighted(first, share, self._placed(second, first), 1 - share, 0)
        return _changed(np.asarray(blended, np.uint8), generator)

    def _enlarged(self, row: int) -> NDArray[np.uint8]:
        size = (_ENLARGED, _ENLARGED)
        return np.asarray(cv2.resize(self._images[row], size, interpolation=cv2.INTER_CUBIC), np.uint8)

    def _placed(self, moved: NDArray[np.uint8], fixed: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A face with its eyes and mouth where another has them; unchanged where one of them is not found."""
        here, there = self._points(moved), self._points(fixed)
        if here is None or there is None:
            return moved
        matrix, _ = cv2.estimateAffinePartial2D(here, there)
        if matrix is None:
            return moved
        warped = cv2.warpAffine(moved, matrix, (_ENLARGED, _ENLARGED), borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(warped, np.uint8)

    def _points(self, face: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Both eyes, the nose tip and the middle of the mouth."""
        data = cv2.imencode(".png", face)[1].tobytes()
        options = DetectOptions(faces="largest", on_no_face="center")
        found = self._pipeline.detect(data, options, photos.never_cancel).faces[0]
        return None if found.assumed else np.array(found.landmarks[:4], np.float32)


def _changed(face: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """A face rolled, scaled, stretched and relit by chance, with the fine detail that blending takes."""
    angle, scale = math.radians(generator.uniform(-15, 15)), math.exp(generator.uniform(-0.15, 0.1))
    stretch = math.exp(generator.uniform(-0.08, 0.08))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = turn @ np.diag([scale * stretch, scale / stretch])
    middle = np.array([_ENLARGED / 2, _ENLARGED / 2])
    shift = middle - matrix @ middle + generator.uniform(-0.04, 0.04, 2) * _ENLARGED
    moved = cv2.warpAffine(
        face, np.column_stack([matrix, shift]), (_ENLARGED, _ENLARGED), borderMode=cv2.BORDER_REFLECT_101
    ).astype(np.float32)
    moved += 0.5 * (moved - cv2.GaussianBlur(moved, (0, 0), _ENLARGED / SIDE))
    lit = 255 * (np.clip(moved, 0, 255) / 255) ** math.exp(generator.uniform(-0.3, 0.3))
    contrast, brightness = math.exp(generator.uniform(-0.25, 0.25)), generator.uniform(-25, 25)
    return np.asarray(np.clip((lit - lit.mean()) * contrast + lit.mean() + brightness, 0, 255), np.uint8)
