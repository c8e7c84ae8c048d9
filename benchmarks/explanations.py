"""Deletion and insertion tests of the heatmaps, against maps that do not depend on the model.

    DATA=data python -m benchmarks.explanations --sample 60

Pixels are removed from a face, or added to a blurred one, in the order in which a map ranks them. The better the map,
the sooner the label's probability falls, or rises. Writes ``docs/explanations.md`` and its pictures.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from matplotlib import cbook
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import NDArray
from skimage import data as pictures

from app.inference.classifier import Classifier, load_classifier
from app.inference.explain import Heatmap, activation_maps, explain, occlusion_map, overlay_png
from app.inference.session import SessionSpec
from app.pipeline import ClassifyOptions, DetectOptions, Pipeline
from app.vision.decode import ImageLimits
from app.vision.detectors import make_detector

matplotlib.use("Agg")

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "explanations.md"
IMAGES = ROOT / "docs" / "images"
STEPS = np.linspace(0, 1, 11)
"""Shares of the pixels that are removed or added."""

DIFFERENCE = "cam, others subtracted"
KINDS = {
    "cam": "class-activation map",
    "occlusion": "occlusion map",
    DIFFERENCE: "class-activation map minus those of the other labels, by probability",
    "blob": "blob in the centre",
    "random": "random map",
}
_EMOTIONS = 8


@dataclass(frozen=True)
class Curves:
    """The probability of the label, (faces, steps), as pixels are removed and as they are added."""

    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]

    @property
    def areas(self) -> NDArray[np.float64]:
        """Areas under both curves and insertion less deletion: (faces, 3)."""
        deletion, insertion = np.trapezoid(self.deletion, STEPS), np.trapezoid(self.insertion, STEPS)
        return np.stack([deletion, insertion, insertion - deletion], axis=1)


def valid_faces(data: Path, count: int) -> list[NDArray[np.uint8]]:
    """Faces of the validation split of FER-2013 whose top vote is an emotion, as RGB."""
    with np.load(data / "ferplus.npz") as arrays:
        images, votes = arrays["valid_x"], arrays["valid_votes"]
    usable = np.flatnonzero(votes.argmax(axis=1) < _EMOTIONS)
    chosen = np.random.default_rng(0).permutation(usable)[:count]
    return [np.repeat(images[index][..., None], 3, axis=2) for index in chosen]


def measure(model: Classifier, faces: Sequence[NDArray[np.uint8]]) -> dict[str, Curves]:
    """Deletion and insertion curves of the predicted label, by kind of map."""
    random = np.random.default_rng(1)
    curves: dict[str, list[NDArray[np.float32]]] = {}
    for face in faces:
        crop = _fitted(model, face)
        for kind, grid in _maps(model, crop, random).items():
            curves.setdefault(kind, []).append(_curve(model, crop, grid, random))
    count = len(STEPS)
    stacked = {kind: np.stack(rows).astype(np.float64) for kind, rows in curves.items()}
    return {kind: Curves(rows[:, :count], rows[:, count:]) for kind, rows in stacked.items()}


def _fitted(model: Classifier, face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    spec = model.manifest.input
    return np.asarray(cv2.resize(face, (spec.width, spec.height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _maps(model: Classifier, crop: NDArray[np.uint8], random: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    scores = model.infer(model.prepare([crop]), with_features=True)
    probabilities = scores.probabilities[0]
    label = int(probabilities.argmax())
    maps: dict[str, NDArray[np.float32]] = {}
    if scores.features is not None and model.class_weights is not None:
        weights = model.class_weights
        others = probabilities.astype(np.float64)
        others[label] = 0
        subtracted = (others / others.sum() if others.sum() else others) @ weights
        maps["cam"] = activation_maps(scores.features, weights[[label]])[0]
        maps[DIFFERENCE] = activation_maps(scores.features, (weights[label] - subtracted)[None].astype(np.float32))[0]
    maps["occlusion"] = occlusion_map(model, crop, label, float(probabilities[label]))
    down, across = np.mgrid[-1:1:13j, -1:1:13j]
    maps["blob"] = np.exp(-2 * (down**2 + across**2)).astype(np.float32)
    maps["random"] = random.random((7, 7), np.float32)
    return maps


def _curve(
    model: Classifier, crop: NDArray[np.uint8], grid: NDArray[np.float32], random: np.random.Generator
) -> NDArray[np.float32]:
    """The predicted label's probability at each step of deletion, then of insertion."""
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
    probabilities = model.infer(model.prepare(stages)).probabilities
    return probabilities[:, int(probabilities[0].argmax())]


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean."""
    draws = np.random.default_rng(2).integers(0, len(values), (2000, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Cost:
    """Median CPU milliseconds of one prediction through the whole pipeline, without and with a heatmap."""

    plain: float
    explained: float
    method: str

    @property
    def ratio(self) -> float:
        return self.explained / self.plain


def cost(pipeline: Pipeline, model: Classifier, picture: bytes, repeats: int) -> Cost:
    """What a heatmap adds to a prediction. Both are measured in turns, under the same load of the machine."""

    def once(*, heatmap: bool) -> float:
        started = time.process_time()
        detected = pipeline.detect(picture, DetectOptions("largest"), _go_on)
        for face in pipeline.predict(detected, model, ClassifyOptions(explain=heatmap), _go_on).faces:
            if face.heatmap is not None:
                overlay_png(face.crop, face.heatmap.grid)
        return (time.process_time() - started) * 1000

    for _ in range(5):
        once(heatmap=False), once(heatmap=True)
    pairs = [(once(heatmap=False), once(heatmap=True)) for _ in range(repeats)]
    plain, explained = np.median(pairs, axis=0)
    return Cost(float(plain), float(explained), "cam" if model.class_weights is not None else "occlusion")


def _go_on() -> None:
    """A checkpoint that never cancels: there is no client."""


def sample_photos() -> dict[str, bytes]:
    """Two public-domain photos of people from scikit-image and Matplotlib."""
    astronaut = cv2.imencode(".png", cv2.cvtColor(pictures.astronaut(), cv2.COLOR_RGB2BGR))[1].tobytes()
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        return {"astronaut": astronaut, "grace_hopper": file.read()}


def draw_curves(curves: dict[str, Curves], path: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    for kind, curve in curves.items():
        axes[0].plot(STEPS, curve.deletion.mean(axis=0), label=kind)
        axes[1].plot(STEPS, curve.insertion.mean(axis=0), label=kind)
    axes[0].set(title="deletion: lower is better", xlabel="share of pixels removed", ylabel="probability", ylim=(0, 1))
    axes[1].set(title="insertion: higher is better", xlabel="share of pixels added")
    axes[1].legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_photos(pipeline: Pipeline, model: Classifier, photos: dict[str, bytes], path: Path) -> None:
    """The face of each photo with its heatmap by both methods, and the heatmap of the second label."""
    figure, axes = plt.subplots(len(photos), 4, figsize=(9, 2.5 * len(photos)), layout="constrained", squeeze=False)
    for row, photo in zip(axes, photos.values(), strict=True):
        detected = pipeline.detect(photo, DetectOptions("largest"), _go_on)
        face = pipeline.predict(detected, model, ClassifyOptions(explain=True), _go_on).faces[0]
        probabilities = np.array(face.probabilities)
        best, second = probabilities.argsort()[::-1][:2]
        labels = model.manifest.labels
        scores = model.infer(model.prepare([face.crop]), with_features=True)
        runner_up = explain(model, [face.crop], scores, labels[second])[0]
        covered = occlusion_map(model, face.crop, int(best), float(probabilities[best]))
        row[0].set_title(f"{labels[best]} {probabilities[best]:.0%}", fontsize=9)
        row[0].imshow(face.crop)
        shown = (face.heatmap, Heatmap("occlusion", labels[best], covered), runner_up)
        for axis, heatmap in zip(row[1:], shown, strict=True):
            if heatmap is not None:
                _overlaid(axis, face.crop, heatmap.grid)
                axis.set_title(f"{heatmap.method}: {heatmap.label}", fontsize=9)
    for axis in axes.ravel():
        axis.set_axis_off()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_average(model: Classifier, faces: Sequence[NDArray[np.uint8]], path: Path) -> None:
    """The average face and map of each label, where enough faces are averaged that nobody is recognisable."""
    crops = [_fitted(model, face) for face in faces]
    scores = model.infer(model.prepare(crops), with_features=True)
    heatmaps = explain(model, crops, scores)
    labels = [label for label in model.manifest.labels if sum(map.label == label for map in heatmaps) >= 15]
    figure, axes = plt.subplots(1, len(labels), figsize=(1.5 * len(labels), 2), layout="constrained", squeeze=False)
    for axis, label in zip(axes[0], labels, strict=True):
        chosen = [index for index, heatmap in enumerate(heatmaps) if heatmap.label == label]
        face = np.mean([crops[index] for index in chosen], axis=0).astype(np.uint8)
        _overlaid(axis, face, np.mean([heatmaps[index].grid for index in chosen], axis=0))
        axis.set_title(f"{label} ({len(chosen)})", fontsize=9)
        axis.set_axis_off()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _overlaid(axis: Axes, crop: NDArray[np.uint8], grid: NDArray[np.float32]) -> None:
    height, width = crop.shape[:2]
    fine = np.clip(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    axis.imshow(crop)
    axis.imshow(fine, cmap="inferno", alpha=0.15 + 0.5 * fine, vmin=0, vmax=1)


def write(model: Classifier, curves: dict[str, Curves], costs: dict[str, Cost], command: str, document: Path) -> None:
    areas = {kind: curve.areas for kind, curve in curves.items()}
    rows = []
    for kind, values in areas.items():
        deletion, insertion, both = values.mean(axis=0)
        low, high = _interval(values[:, 2])
        rows.append(f"| {KINDS[kind]} | {deletion:.3f} | {insertion:.3f} | {both:.3f} ({low:.3f} to {high:.3f}) |")
    pairs = []
    best = "cam" if "cam" in areas else "occlusion"
    for kind in areas:
        if kind == best:
            continue
        gain = areas[best][:, 2] - areas[kind][:, 2]
        low, high = _interval(gain)
        pairs.append(f"| {KINDS[kind]} | {gain.mean():+.3f} ({low:+.3f} to {high:+.3f}) | {(gain > 0).mean():.0%} |")
    priced = [
        f"| {name} | {value.method} | {value.plain:.1f} | {value.explained:.1f} | {value.ratio:.2f} |"
        for name, value in costs.items()
    ]
    manifest = model.manifest
    document.write_text(
        _TEXT.format(
            name=manifest.name,
            version=manifest.version,
            sha256=manifest.sha256[:12],
            faces=len(next(iter(curves.values())).deletion),
            steps=len(STEPS) - 1,
            date=datetime.datetime.now(datetime.UTC).date(),
            machine=f"{os.cpu_count()} cores, {platform.machine()}",
            command=command,
            best=KINDS[best],
            rows="\n".join(rows),
            pairs="\n".join(pairs),
            costs="\n".join(priced),
        )
    )


_TEXT = """\
# Explanations

With `explain=true`, each face has a heatmap: which parts of the face raise the score of the predicted label, or of
the label in `explain_label`. The result names the method.

- **`cam`**: a class-activation map. Channels of the last feature map are weighted by their contribution to the label,
  negative values are set to 0, and the peak is scaled to 1. It needs the two tensors that the manifest names, and no
  further inference.
- **`occlusion`**, for other models: parts of the face are covered one by one. The map shows where that lowers the
  probability of the label. It costs 64 inferences a face.

A heatmap shows which pixels the network used. It does not show that the prediction is right, and it says nothing
about what a person feels.

## How faithful the maps are

Pixels of a face are replaced by its mean in the order in which a map ranks them. The sooner the probability of the
label falls, the better the map (**deletion**, lower is better). Or pixels are added to a blurred face: the sooner the
probability rises, the better (**insertion**, higher is better). The table has areas under these curves in {steps}
steps, for the predicted label, over {faces} faces of the validation split of FER-2013 whose top vote is an emotion:

| map | deletion | insertion | insertion − deletion (95 % interval) |
|---|---|---|---|
{rows}

The lead of the {best} in insertion − deletion, and the share of faces on which it leads:

| compared with | lead (95 % interval) | leads on |
|---|---|---|
{pairs}

![Probability as pixels are removed or added](images/explanations-curves.png)

The service does not return the map with the other labels subtracted, although it scores better: a map of one label is
easier to understand and to check.

## Examples

Two sample photos: the face as the network gets it, both methods for the predicted label, and the map of the second
label.

![Maps of two photos](images/explanations-photos.png)

The average face of each predicted label on the validation split, with the average map:

![Average maps](images/explanations-average.png)

## Cost

Median CPU milliseconds of one prediction, from bytes to probabilities, without and with the heatmap and its PNG,
measured in turns:

| photo | method | without | with | ratio |
|---|---|---|---|---|
{costs}

## Source of the figures

Model `{name}` {version} (SHA-256 {sha256}…), {date}, {machine}, one thread:

```sh
{command}
```
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default", help="a folder of models/")
    parser.add_argument("--sample", type=int, default=200, help="number of faces to test")
    parser.add_argument("--repeats", type=int, default=100, help="number of predictions to time")
    options = parser.parse_args(arguments)

    data = Path(os.environ.get("DATA", "data"))
    cv2.setNumThreads(1)
    model = load_classifier(ROOT / "models" / options.model, SessionSpec(("cpu",)))
    detector = make_detector(ROOT / "models", 0.5)
    pipeline = Pipeline(detector, ImageLimits(max_pixels=50_000_000))
    photos = sample_photos()
    curves = measure(model, valid_faces(data, options.sample))
    costs = {name: cost(pipeline, model, photo, options.repeats) for name, photo in photos.items()}

    IMAGES.mkdir(parents=True, exist_ok=True)
    draw_curves(curves, IMAGES / "explanations-curves.png")
    draw_photos(pipeline, model, photos, IMAGES / "explanations-photos.png")
    draw_average(model, valid_faces(data, 600), IMAGES / "explanations-average.png")
    command = f"DATA=data python -m benchmarks.explanations --model {options.model} --sample {options.sample}"
    write(model, curves, costs, command, DOCUMENT)
    print(f"wrote {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
