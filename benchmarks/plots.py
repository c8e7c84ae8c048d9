"""The plots of docs/performance.md: SVG files that come out the same for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, ScalarFormatter

mpl.use("Agg")
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "visage",
    "font.size": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
}
_OURS, _OTHERS = "#0b6e4f", "#8a94a6"


@dataclass(frozen=True, slots=True)
class Bar:
    """The median of a contestant, and the lowest and highest of its rounds."""

    label: str
    value: float
    least: float
    most: float
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One network. A hollow point was measured under another protocol than the others."""

    label: str
    milliseconds: float
    accuracy: float
    ours: bool
    hollow: bool


def bars(path: Path, title: str, values: Sequence[Bar]) -> None:
    """Horizontal bars, the first on top; a thin line spans the rounds."""
    with mpl.rc_context(_STYLE):
        figure, axes = _canvas(title, 0.4 * len(values) + 0.8)
        spans = [[bar.value - bar.least for bar in values], [bar.most - bar.value for bar in values]]
        drawn = axes.barh(
            [bar.label for bar in values],
            [bar.value for bar in values],
            xerr=spans,
            color=[_OURS if bar.ours else _OTHERS for bar in values],
        )
        axes.bar_label(drawn, fmt="%.0f", padding=6)
        axes.invert_yaxis()
        axes.set_xlabel("pictures a second")
        _save(figure, path)


def line(path: Path, title: str, points: Sequence[tuple[int, float]]) -> None:
    """Throughput over a logarithmic axis of connections."""
    with mpl.rc_context(_STYLE):
        figure, axes = _canvas(title, 3.0)
        connections, rates = zip(*points, strict=True)
        axes.plot(connections, rates, "o-", color=_OURS)
        for count, rate in points:
            axes.annotate(f"{rate:.0f}", (count, rate), (0, 7), textcoords="offset points", ha="center")
        axes.set(xscale="log", xlabel="connections", ylabel="pictures a second", ylim=(0, 1.15 * max(rates)))
        axes.set_xticks(connections, [str(count) for count in connections])
        axes.minorticks_off()
        _save(figure, path)


def scatter(path: Path, title: str, points: Sequence[Point], axis: str = "accuracy on FER+") -> None:
    """Accuracy over a logarithmic axis of milliseconds."""
    with mpl.rc_context(_STYLE):
        figure, axes = _canvas(title, 3.2)
        for point in points:
            color = _OURS if point.ours else _OTHERS
            fill = "white" if point.hollow else color
            place = (point.milliseconds, point.accuracy)
            axes.plot(*place, "o", markersize=8, markeredgecolor=color, markerfacecolor=fill)
            axes.annotate(point.label, place, (0, 7), textcoords="offset points", ha="center")
        axes.set(xscale="log", xlabel="milliseconds a face, one core", ylabel=axis)
        axes.margins(x=0.2, y=0.2)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
        _save(figure, path)


def _canvas(title: str, height: float) -> tuple[Figure, Axes]:
    figure, axes = pyplot.subplots(figsize=(7.0, height), layout="constrained")
    axes.set_title(title, fontsize=10)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
