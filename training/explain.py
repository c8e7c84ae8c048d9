"""Draws one face with its heatmaps by every method, as a sheet."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from app.errors import NoFaceDetected, VisageError
from app.inference.classifier import Classifier, load_classifier
from app.inference.explain import overlay_png
from app.inference.manifest import BadModel
from app.inference.session import SessionSpec
from app.pipeline import ClassifyOptions, DetectOptions, go_on
from training import gradients, heatmaps
from training.heatmaps import TITLES, Grid, Target
from training.photos import open_pipeline

_COLUMNS: Final = 4


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training explain", description=__doc__)
    parser.add_argument("face", type=Path, help="a picture; its largest face is explained")
    parser.add_argument("--model", type=Path, default=Path("models/default"), help="folder of the model")
    parser.add_argument("--label", help="the label that is explained; without it, the predicted one")
    parser.add_argument("--kept", type=Path, help="folder of NAME.run.json")
    parser.add_argument("--to", type=Path, default=Path("runs/explained.png"), help="file to write")
    options = parser.parse_args(arguments)
    try:
        model = load_classifier(options.model, SessionSpec(("cpu",)))
    except BadModel as error:
        raise SystemExit(str(error)) from None
    crop, probabilities = read_face(options.face, model)
    target = Target(model, crop, _label(model, options.label, probabilities))
    methods = heatmaps.methods(model)
    try:
        methods |= gradients.methods(gradients.load_network(options.model, options.kept))
    except (FileNotFoundError, ValueError) as error:
        print(f"Without gradients: the training network of this model cannot be built ({error}).")
    random = np.random.default_rng(0)
    grids = {name: methods[name](target, random) for name in TITLES if name in methods}
    name = model.manifest.labels[target.label]
    options.to.parent.mkdir(parents=True, exist_ok=True)
    draw(target, f"{name}, {probabilities[target.label]:.0%}", grids, options.to)
    print(f"{options.to}: {len(grids)} maps of {name}")


def read_face(path: Path, model: Classifier) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The crop of the largest face, and its probabilities. Ends the program with a sentence where there is none."""
    try:
        with open_pipeline() as pipeline:
            found = pipeline.detect(path.read_bytes(), DetectOptions("largest"), go_on)
            (face,) = pipeline.predict(found, model, ClassifyOptions(), go_on).faces
    except OSError as error:
        raise SystemExit(f"{path} cannot be read: {error.strerror}.") from None
    except NoFaceDetected:
        raise SystemExit(f"No face was found in {path}.") from None
    except VisageError as error:
        raise SystemExit(f"{path}: {error.message}") from None
    return face.crop, np.asarray(face.probabilities)


def draw(target: Target, title: str, grids: dict[str, Grid], path: Path) -> None:
    """Writes the crop and its maps in rows, each scaled to its own peak."""
    rows = -(-(len(grids) + 1) // _COLUMNS)
    figure = Figure(figsize=(2.3 * _COLUMNS, 2.5 * rows), layout="constrained")
    cells = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for cell in cells:
        cell.set_axis_off()
    cells[0].imshow(target.crop)
    cells[0].set_title(title, fontsize=9)
    for cell, (name, grid) in zip(cells[1:], grids.items(), strict=False):
        positive = np.maximum(grid, 0)
        scaled = positive / max(float(positive.max()), 1e-12)
        cell.imshow(imread(io.BytesIO(overlay_png(target.crop, scaled.astype(np.float32)))))
        cell.set_title(TITLES[name], fontsize=9)
    figure.savefig(path, dpi=110)


def _label(model: Classifier, name: str | None, probabilities: NDArray[np.float64]) -> int:
    labels = model.manifest.labels
    if name is None:
        return int(probabilities.argmax())
    if name not in labels:
        raise SystemExit(f"This model has no label of that name. It has {', '.join(labels)}.")
    return labels.index(name)


if __name__ == "__main__":
    main()
