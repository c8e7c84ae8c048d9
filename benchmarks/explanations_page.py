"""Writes ``docs/explanations.md`` and its pictures from what :mod:`benchmarks.explanations` measured."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

import cv2
import matplotlib
import numpy as np
from matplotlib import cbook
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import NDArray
from skimage import data as pictures

from app.inference.classifier import Classifier, load_classifier
from app.inference.explain import Method, explain, methods_of, overlay_png
from app.inference.session import SessionSpec
from app.pipeline import ClassifyOptions, DetectOptions, Pipeline, go_on
from app.vision.decode import ImageLimits
from app.vision.detectors import make_detector
from benchmarks.explanations import STEPS, FaceFigures, Results, fitted
from training import heatmaps
from training.gradients import Agreement
from training.heatmaps import TITLES

matplotlib.use("Agg")

ROOT: Final = Path(__file__).parents[1]
TEMPLATE: Final = Path(__file__).with_name("explanations.md.template")
DOCUMENT: Final = ROOT / "docs" / "explanations.md"
IMAGES: Final = ROOT / "docs" / "images"
_DRAWN: Final = ("contrast", "cam", "occlusion", "integrated_gradients", "lime", "shap_partition", "centre", "random")
_FACES_OF_AN_AVERAGE: Final = 15


def write(
    folder: Path, faces: Sequence[NDArray[np.uint8]], results: Results, agreement: Agreement, repeats: int
) -> None:
    """Writes the page. Times predictions with and without heatmaps first."""
    cv2.setNumThreads(1)
    model = load_classifier(folder, SessionSpec(("cpu",)))
    pipeline = Pipeline(make_detector(ROOT / "models", 0.5), ImageLimits(max_pixels=50_000_000))
    photos = sample_photos()
    costs = {
        (photo, method): cost(pipeline, model, data, method, repeats)
        for photo, data in photos.items()
        for method in methods_of(model.manifest)
    }
    IMAGES.mkdir(parents=True, exist_ok=True)
    draw_curves(results, IMAGES / "explanations-curves.png")
    draw_photos(pipeline, model, photos, IMAGES / "explanations-photos.png")
    draw_average(model, faces, IMAGES / "explanations-average.png")
    manifest = model.manifest
    areas = {name: _areas(results.figures[name]) for name in TITLES}
    document = TEMPLATE.read_text().format(
        name=manifest.name,
        version=manifest.version,
        sha256=manifest.sha256[:12],
        faces=len(results.figures["cam"]),
        checked=sum(figures.mirrored is not None for figures in results.figures["cam"]),
        steps=len(STEPS) - 1,
        rise=heatmaps.RISE_MASKS,
        lime=heatmaps.LIME_SAMPLES,
        shap=heatmaps.SHAP_EVALUATIONS,
        compared=agreement.faces,
        same=agreement.same_label,
        minutes=results.seconds / 60,
        date=datetime.datetime.now(datetime.UTC).date(),
        machine=f"{os.cpu_count()} cores, {platform.machine()}",
        rows="\n".join(_rows(results, areas)),
        ahead=_with_interval(areas["contrast"][:, 2] - areas["cam"][:, 2]),
        costs="\n".join(_cost_rows(costs)),
    )
    DOCUMENT.write_text(document)
    print(f"wrote {DOCUMENT}")


def _rows(results: Results, areas: dict[str, NDArray[np.float64]]) -> list[str]:
    """By method: the areas under its curves, the correlations under flip and under shuffled weights, and its cost."""
    rows = []
    for name, values in areas.items():
        figures = results.figures[name]
        mirrored = [each.mirrored for each in figures if each.mirrored is not None]
        shuffled = [each.shuffled for each in figures if each.shuffled is not None]
        cells = (
            _title(name),
            *(f"{mean:.3f}" for mean in values[:, :2].mean(axis=0)),
            _with_interval(values[:, 2]),
            f"{np.mean(mirrored):.2f}",
            f"{np.mean(shuffled):.2f}",
            f"{np.median([each.milliseconds for each in figures]):.1f}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _cost_rows(costs: dict[tuple[str, Method], float]) -> list[str]:
    """By method, the ratio on each photo."""
    rows: dict[str, list[str]] = {}
    for (_, method), ratio in costs.items():
        rows.setdefault(method, []).append(f"{ratio:.2f}")
    return [f"| `{method}` | {' | '.join(ratios)} |" for method, ratios in rows.items()]


def _title(name: str) -> str:
    """What the tables call a method. Those of the service have the name that it takes."""
    return f"`{name}`" if name in get_args(Method) else TITLES[name]


def _areas(figures: Sequence[FaceFigures]) -> NDArray[np.float64]:
    """Areas under both curves and insertion less deletion: (faces, 3)."""
    deletion = np.trapezoid([each.deletion for each in figures], STEPS)
    insertion = np.trapezoid([each.insertion for each in figures], STEPS)
    return np.stack([deletion, insertion, insertion - deletion], axis=1)


def _with_interval(values: NDArray[np.float64]) -> str:
    """A mean with its 95 % bootstrap interval."""
    draws = np.random.default_rng(2).integers(0, len(values), (2000, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def cost(pipeline: Pipeline, model: Classifier, picture: bytes, method: Method, repeats: int) -> float:
    """CPU time of a prediction with a heatmap, as a multiple of one without: the median of pairs that were measured in
    turns, under the same load of the machine."""

    def once(*, heatmap: bool) -> float:
        started = time.process_time()
        detected = pipeline.detect(picture, DetectOptions("largest"), go_on)
        options = ClassifyOptions(explain=heatmap, explain_method=method)
        for face in pipeline.predict(detected, model, options, go_on).faces:
            if face.heatmap is not None:
                overlay_png(face.crop, face.heatmap.grid)
        return (time.process_time() - started) * 1000

    for _ in range(5):
        once(heatmap=False), once(heatmap=True)
    pairs = np.array([(once(heatmap=False), once(heatmap=True)) for _ in range(repeats)])
    return float(np.median(pairs[:, 1] / pairs[:, 0]))


def sample_photos() -> dict[str, bytes]:
    """Two public-domain photos of people from scikit-image and Matplotlib."""
    astronaut = cv2.imencode(".png", cv2.cvtColor(pictures.astronaut(), cv2.COLOR_RGB2BGR))[1].tobytes()
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        return {"astronaut": astronaut, "grace_hopper": file.read()}


def draw_curves(results: Results, path: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
    for name in _DRAWN:
        figures, title = results.figures[name], TITLES[name]
        axes[0].plot(STEPS, np.mean([each.deletion for each in figures], axis=0), label=title)
        axes[1].plot(STEPS, np.mean([each.insertion for each in figures], axis=0), label=title)
    axes[0].set(title="deletion: lower is better", xlabel="share of pixels removed", ylabel="probability", ylim=(0, 1))
    axes[1].set(title="insertion: higher is better", xlabel="share of pixels added")
    axes[1].legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_photos(pipeline: Pipeline, model: Classifier, photos: dict[str, bytes], path: Path) -> None:
    """The face of each photo with its heatmap by each served method, and the heatmap of the second label."""
    methods = methods_of(model.manifest)
    size = (9, 1.9 * len(photos))
    figure, axes = plt.subplots(len(photos), len(methods) + 2, figsize=size, layout="constrained", squeeze=False)
    for row, photo in zip(axes, photos.values(), strict=True):
        face = pipeline.predict(
            pipeline.detect(photo, DetectOptions("largest"), go_on), model, ClassifyOptions(), go_on
        ).faces[0]
        labels, outputs = model.manifest.labels, model.infer(model.prepare([face.crop]), with_features=True)
        best, second = outputs.probabilities[0].argsort()[::-1][:2]
        asked = [*((labels[best], method) for method in methods), (labels[second], methods[0])]
        row[0].imshow(face.crop)
        row[0].set_title(f"{labels[best]} {outputs.probabilities[0, best]:.0%}", fontsize=9)
        for axis, (label, method) in zip(row[1:], asked, strict=True):
            overlay(axis, face.crop, explain(model, [face.crop], outputs, label, method)[0].grid)
            axis.set_title(f"{method}: {label}", fontsize=9)
    for axis in axes.ravel():
        axis.set_axis_off()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_average(model: Classifier, faces: Sequence[NDArray[np.uint8]], path: Path) -> None:
    """The average face and map of each label, where enough faces are averaged that nobody is recognisable."""
    crops = [fitted(model, face) for face in faces]
    heatmaps_of = explain(model, crops, model.infer(model.prepare(crops), with_features=True))
    counts = {label: sum(each.label == label for each in heatmaps_of) for label in model.manifest.labels}
    labels = [label for label, count in counts.items() if count >= _FACES_OF_AN_AVERAGE]
    figure, axes = plt.subplots(1, len(labels), figsize=(1.5 * len(labels), 2), layout="constrained", squeeze=False)
    for axis, label in zip(axes[0], labels, strict=True):
        chosen = [index for index, each in enumerate(heatmaps_of) if each.label == label]
        face = np.mean([crops[index] for index in chosen], axis=0).astype(np.uint8)
        overlay(axis, face, np.mean([heatmaps_of[index].grid for index in chosen], axis=0))
        axis.set_title(f"{label} ({len(chosen)})", fontsize=9)
        axis.set_axis_off()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def overlay(axis: Axes, crop: NDArray[np.uint8], grid: NDArray[np.float32]) -> None:
    """Draws a heatmap of values up to 1 over a crop."""
    height, width = crop.shape[:2]
    fine = np.clip(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    axis.imshow(crop)
    axis.imshow(fine, cmap="inferno", alpha=0.15 + 0.5 * fine, vmin=0, vmax=1)
