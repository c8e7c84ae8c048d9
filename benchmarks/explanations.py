"""Compares heatmaps by every method, on the faces of a validation split. ``make explanations`` runs it.

    DATA=data python -m benchmarks.explanations --faces 200

Pixels are removed from a face, or added to a blurred one, in the order in which a map ranks them. The better the map,
the sooner the label's probability falls, or rises. A part of the faces is also explained mirrored, and by a network
with shuffled weights. What is measured of each face is kept in ``--results``, and the command goes on from there.
Writes ``docs/explanations.md`` and its pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from scipy import stats

from app.inference.classifier import Classifier, load_classifier
from app.inference.manifest import load_manifest
from app.inference.session import SessionSpec
from training import heatmaps
from training.heatmaps import Grid, Method, Target
from training.model_folder import publish

if TYPE_CHECKING:
    from training.gradients import Agreement

ROOT = Path(__file__).parents[1]
STEPS = np.linspace(0, 1, 11)
"""Shares of the pixels that are removed or added."""

_EMOTIONS = 8
_FACES_OF_THE_PAGE = 600
"""Faces whose predictions and maps are averaged for the page."""

_BINS = 12
"""Cells on a side over which two maps are compared."""


@dataclass(frozen=True)
class FaceFigures:
    """One method on one face: the label's probability by step as pixels are removed and as they are added, CPU
    milliseconds, and where they were measured the rank correlations with the map of the mirrored face and with that of
    the network with shuffled weights."""

    deletion: list[float]
    insertion: list[float]
    milliseconds: float
    mirrored: float | None = None
    shuffled: float | None = None


@dataclass(frozen=True)
class Subject:
    """A model and the methods that explain it."""

    model: Classifier
    methods: dict[str, Method]


def load_subject(folder: Path) -> Subject:
    """A model with every method."""
    # Needed here alone, so that the figures can be tested without them.
    import torch  # noqa: PLC0415

    from training import gradients  # noqa: PLC0415

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model = load_classifier(folder, SessionSpec(("cpu",)))
    by_gradients = gradients.methods(gradients.load_network(folder))
    return Subject(model, heatmaps.methods(model) | by_gradients)


def shuffle(folder: Path, to: Path) -> Path:
    """Writes the model of a folder with the values of each of its weights in random order. Biases stay."""
    manifest = load_manifest(folder)
    graph, random = onnx.load(folder / manifest.file), np.random.default_rng(5)
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim >= 2:
            tensor.CopyFrom(
                numpy_helper.from_array(random.permutation(values.ravel()).reshape(values.shape), tensor.name)
            )
    publish(to / folder.name, graph.SerializeToString(), manifest)
    return to / folder.name


def check_network(folder: Path, faces: Sequence[NDArray[np.uint8]]) -> Agreement:
    """How far the network whose gradients are used is from the shipped file. Ends the program if it is too far."""
    from training import gradients  # noqa: PLC0415

    model = load_classifier(folder, SessionSpec(("cpu",)))
    found = gradients.agreement(gradients.load_network(folder), model, [fitted(model, face) for face in faces])
    if not found.holds:
        raise SystemExit(
            f"The training network and {folder.name} differ too much to explain one by the other: {found}."
        )
    return found


def valid_faces(data: Path, count: int) -> list[NDArray[np.uint8]]:
    """Faces of the validation split of FER-2013 whose top vote is an emotion, as RGB."""
    with np.load(data / "ferplus.npz") as arrays:
        images, votes = arrays["valid_x"], arrays["valid_votes"]
    usable = np.flatnonzero(votes.argmax(axis=1) < _EMOTIONS)
    chosen = np.random.default_rng(0).permutation(usable)[:count]
    return [np.repeat(images[index][..., None], 3, axis=2) for index in chosen]


def measure(subject: Subject, shuffled: Subject | None, number: int, face: NDArray[np.uint8]) -> dict[str, FaceFigures]:
    """What every method shows of one face, for the predicted label. With ``shuffled``, compares maps too."""
    model, crop = subject.model, fitted(subject.model, face)
    target = Target(model, crop, int(model.infer(model.prepare([crop])).probabilities[0].argmax()))
    figures = {}
    for name, method in subject.methods.items():
        random = np.random.default_rng([1, number])
        started = time.process_time()
        grid = method(target, random)
        milliseconds = (time.process_time() - started) * 1000
        mirrored = other = None
        if shuffled is not None:
            flipped = method(Target(model, crop[:, ::-1].copy(), target.label), random)
            mirrored = correlation(grid, flipped[:, ::-1])
            other = correlation(grid, shuffled.methods[name](Target(shuffled.model, crop, target.label), random))
        figures[name] = FaceFigures(*curves(target, grid, random), milliseconds, mirrored, other)
    return figures


def fitted(model: Classifier, face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A face in the size that the model takes."""
    spec = model.manifest.input
    return np.asarray(cv2.resize(face, (spec.width, spec.height), interpolation=cv2.INTER_CUBIC), np.uint8)


def curves(target: Target, grid: Grid, random: np.random.Generator) -> tuple[list[float], list[float]]:
    """The label's probability at each step of deletion and of insertion."""
    crop = target.crop
    height, width = crop.shape[:2]
    fine = cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    # Ties are broken at random, not by the position of a pixel in memory.
    order = np.lexsort((random.random(fine.size), -fine.ravel()))
    rank = np.empty(fine.size)
    rank[order] = np.arange(fine.size) / fine.size
    blank = np.full_like(crop, round(float(crop.mean())))
    blurred = cv2.GaussianBlur(crop, (0, 0), width / 8)
    first = rank.reshape(height, width, 1)
    stages = [np.where(first < step, blank, crop) for step in STEPS]
    stages += [np.where(first < step, crop, blurred) for step in STEPS]
    found = target.probabilities_of(np.stack(stages)).tolist()
    return found[: len(STEPS)], found[len(STEPS) :]


def correlation(one: Grid, other: Grid) -> float:
    """The rank correlation of two maps over means of cells; 0 where one of them is flat."""
    means = [cv2.resize(np.ascontiguousarray(grid), (48, 48), interpolation=cv2.INTER_LINEAR) for grid in (one, other)]
    cells = [cv2.resize(fine, (_BINS, _BINS), interpolation=cv2.INTER_AREA).ravel() for fine in means]
    if any(float(np.ptp(values)) == 0 for values in cells):
        return 0.0
    return float(stats.spearmanr(*cells).statistic)


_Job = tuple[int, NDArray[np.uint8], bool]
_Measured = tuple[int, float, dict[str, FaceFigures]]

_subjects: list[Subject] = []
"""What a worker process explains: the model, and the one with shuffled weights."""


def _open(folders: Sequence[Path]) -> None:
    _subjects[:] = [load_subject(folder) for folder in folders]
    # Packages compile some of their code on the first call.
    grey = np.random.default_rng(0).integers(0, 256, (48, 48, 1), np.uint8).repeat(3, axis=2)
    measure(_subjects[0], None, 0, grey)


def _measure(job: _Job) -> _Measured:
    number, face, checked = job
    started = time.process_time()
    figures = measure(_subjects[0], _subjects[1] if checked else None, number, face)
    return number, time.process_time() - started, figures


def measure_all(
    folders: Sequence[Path], faces: Sequence[NDArray[np.uint8]], checked: int, workers: int, results: Path
) -> None:
    """Measures the faces that ``results`` has not yet, and adds a line for each."""
    header = {"sha256": load_manifest(folders[0]).sha256, "checked": checked}
    lines = results.read_text().splitlines() if results.exists() else []
    if not lines or json.loads(lines[0]) != header:
        results.parent.mkdir(parents=True, exist_ok=True)
        results.write_text(json.dumps(header) + "\n")
        lines = []
    done = {json.loads(line)["face"] for line in lines[1:]}
    jobs = [(number, face, number < checked) for number, face in enumerate(faces) if number not in done]
    if not jobs:
        return
    with results.open("a") as file:
        for number, seconds, figures in _measured(jobs, folders, workers):
            line: dict[str, Any] = {"face": number, "seconds": seconds}
            line["figures"] = {name: asdict(each) for name, each in figures.items()}
            file.write(json.dumps(line) + "\n")
            file.flush()
            print(f"face {number + 1} of {len(faces)}, {seconds:.1f} s of CPU", flush=True)


def _measured(jobs: Sequence[_Job], folders: Sequence[Path], workers: int) -> Iterator[_Measured]:
    """What is measured of each face, in the order of the faces."""
    if workers == 1:
        _open(folders)
        yield from map(_measure, jobs)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _open, (folders,)) as pool:
        yield from pool.map(_measure, jobs)


@dataclass(frozen=True)
class Results:
    """By method, the figures of every face, and the CPU seconds that all of it took."""

    figures: dict[str, list[FaceFigures]]
    seconds: float


def read_results(results: Path, faces: int) -> Results:
    """What is kept of the first faces."""
    found: dict[str, list[FaceFigures]] = {}
    seconds = 0.0
    for line in results.read_text().splitlines()[1:]:
        kept = json.loads(line)
        if kept["face"] < faces:
            seconds += kept["seconds"]
            for name, figures in kept["figures"].items():
                found.setdefault(name, []).append(FaceFigures(**figures))
    return Results(found, seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default", help="a folder of models/")
    parser.add_argument("--faces", type=int, default=200, help="number of faces to explain")
    parser.add_argument("--checked", type=int, default=40, help="number of faces to explain mirrored and shuffled too")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="number of processes")
    parser.add_argument("--repeats", type=int, default=100, help="number of predictions to time")
    parser.add_argument("--results", type=Path, default=Path("build/explanations.jsonl"), help="file for the figures")
    parser.add_argument("--no-page", action="store_true", help="measure only, and write no document")
    options = parser.parse_args(arguments)
    data, folder = Path(os.environ.get("DATA", "data")), ROOT / "models" / options.model
    faces = valid_faces(data, max(options.faces, _FACES_OF_THE_PAGE))
    agreement = check_network(folder, faces)
    with tempfile.TemporaryDirectory() as temporary:
        folders = (folder, shuffle(folder, Path(temporary)))
        measure_all(folders, faces[: options.faces], options.checked, options.workers, options.results)
    if not options.no_page:
        from benchmarks import explanations_page  # noqa: PLC0415 - matplotlib and the sample photos

        results = read_results(options.results, options.faces)
        explanations_page.write(folder, faces, results, agreement, options.repeats)


if __name__ == "__main__":
    main()
