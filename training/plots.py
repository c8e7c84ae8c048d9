"""The plots of the reports: small SVG files that are identical for identical data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.metrics import ReliabilityBin

mpl.use("Agg")
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "visage", "font.size": 9, "axes.spines.right": False})
mpl.rcParams["axes.spines.top"] = False

_MAIN, _SECOND = "#2b6cb0", "#c05621"


def bars(path: Path, title: str, series: Mapping[str, Sequence[float]], names: Sequence[str], axis: str) -> None:
    """A group of bars for each name, a colour for each series."""
    figure, axes = _canvas(title, 6.0, 3.0)
    width = 0.8 / len(series)
    for index, (label, values) in enumerate(series.items()):
        axes.bar(np.arange(len(names)) + (index - (len(series) - 1) / 2) * width, values, width, label=label)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel(axis)
    if len(series) > 1:
        axes.legend(frameon=False)
    _save(figure, path)


def lines(path: Path, title: str, xs: Sequence[float], series: Mapping[str, Sequence[float]], axis: str) -> None:
    figure, axes = _canvas(title, 6.0, 3.0)
    for label, values in series.items():
        axes.plot(xs, values, label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel(axis)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    _save(figure, path)


def matrix(path: Path, title: str, counts: NDArray[np.int64], rows: Sequence[str], columns: Sequence[str]) -> None:
    """Counts as shares of their row, in percent."""
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = _canvas(title, 4.6, 4.2)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(*shares.shape):
        shade = "white" if shares[row, column] > 55 else "black"
        axes.text(column, row, f"{shares[row, column]:.0f}", ha="center", va="center", color=shade, fontsize=8)
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    _save(figure, path)


def reliability(path: Path, title: str, bins: Sequence[ReliabilityBin]) -> None:
    figure, axes = _canvas(title, 4.0, 3.6)
    widths = [part.high - part.low for part in bins]
    axes.bar(
        [part.low for part in bins], [part.accuracy for part in bins], widths, align="edge", color=_MAIN, alpha=0.6
    )
    axes.plot([part.confidence for part in bins], [part.accuracy for part in bins], "o", color=_SECOND, markersize=3)
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    axes.set_xlabel("confidence")
    axes.set_ylabel("accuracy")
    _save(figure, path)


def _canvas(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    figure, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    axes.set_title(title, fontsize=10)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
