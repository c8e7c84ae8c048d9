"""Plots as SVG text: bars, lines and points, with their values written beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 760, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 30, 60, 52
_OURS, _OTHERS, _INK, _FAINT = "#0b6e4f", "#8a94a6", "#1c2430", "#d8dde6"
_LINES = (_OURS, "#b5541c", "#3b5bdb", "#8a94a6")


@dataclass(frozen=True, slots=True)
class Bar:
    """One value with the least and the most of its rounds."""

    label: str
    value: float
    least: float
    most: float
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Mark:
    """One point of a scatter; a hollow one is not measured as the others are."""

    label: str
    x: float
    y: float
    ours: bool
    hollow: bool


def bars(title: str, unit: str, values: Sequence[Bar]) -> str:
    """Horizontal bars, in the order given."""
    step = 46
    height = _TOP + step * len(values) + 16
    left, right = 230, 110
    longest = max(bar.most for bar in values) or 1.0
    scale = (_WIDTH - left - right) / longest
    parts = []
    for number, bar in enumerate(values):
        y = _TOP + number * step + 8
        width = bar.value * scale
        colour = _OURS if bar.ours else _OTHERS
        middle = y + 13
        parts += [
            _text(left - 12, middle + 5, bar.label, anchor="end"),
            f'<rect x="{left}" y="{y}" width="{width:.1f}" height="26" rx="3" fill="{colour}"/>',
            _path([(left + bar.least * scale, middle), (left + bar.most * scale, middle)], _INK, 1.5),
            _text(left + max(width, bar.most * scale) + 10, middle + 5, f"{_short(bar.value)} {unit}"),
        ]
    return _document(title, parts, height)


def lines(title: str, x_title: str, y_title: str, drawn: Sequence[Line]) -> str:
    """Lines over a logarithmic axis of connections or arrivals."""
    xs = sorted({x for line in drawn for x, _ in line.points})
    top = _round_up(max(y for line in drawn for _, y in line.points))
    plot_width, plot_height = _WIDTH - _LEFT - _RIGHT - 120, _HEIGHT - _TOP - _BOTTOM
    low, high = math.log(min(xs)), math.log(max(xs) * 1.0001)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log(x) - low) / ((high - low) or 1.0)
        return _LEFT + across * plot_width, _TOP + (1 - y / top) * plot_height

    parts = _grid(top, plot_width, plot_height)
    parts += [_text(place(x, 0)[0], _HEIGHT - _BOTTOM + 20, _short(x), anchor="middle") for x in xs]
    parts.append(_text(_LEFT + plot_width / 2, _HEIGHT - 10, x_title, anchor="middle"))
    parts.append(_text(_LEFT, _TOP - 8, y_title))
    for line, colour in zip(drawn, _LINES, strict=False):
        points = [place(x, y) for x, y in line.points]
        parts.append(_path(points, colour, 2.5))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points]
        parts.append(_text(points[-1][0] + 10, points[-1][1] + 5, line.label, colour=colour))
    return _document(title, parts, _HEIGHT)


def scatter(title: str, x_title: str, y_title: str, marks: Sequence[Mark]) -> str:
    """Points over a logarithmic axis of milliseconds; ``y`` is a share."""
    xs = [mark.x for mark in marks]
    ys = [mark.y for mark in marks]
    low_x, high_x = math.log(min(xs) / 1.6), math.log(max(xs) * 2.6)
    low_y, high_y = min(ys) - 0.01, max(ys) + 0.01
    plot_width, plot_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log(x) - low_x) / (high_x - low_x)
        return _LEFT + across * plot_width, _TOP + (high_y - y) / (high_y - low_y) * plot_height

    parts = []
    for x in (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
        if low_x <= math.log(x) <= high_x:
            at = place(x, low_y)[0]
            parts.append(_path([(at, _TOP), (at, _TOP + plot_height)], _FAINT, 1))
            parts.append(_text(at, _HEIGHT - _BOTTOM + 20, _short(x), anchor="middle"))
    for number in range(math.ceil(low_y * 100), math.floor(high_y * 100) + 1):
        at = place(xs[0], number / 100)[1]
        parts.append(_path([(_LEFT, at), (_LEFT + plot_width, at)], _FAINT, 1))
        parts.append(_text(_LEFT - 10, at + 5, f"{number} %", anchor="end"))
    parts.append(_text(_LEFT + plot_width / 2, _HEIGHT - 10, x_title, anchor="middle"))
    parts.append(_text(_LEFT, _TOP - 8, y_title))
    for mark in marks:
        x, y = place(mark.x, mark.y)
        colour = _OURS if mark.ours else _OTHERS
        fill = "white" if mark.hollow else colour
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{fill}" stroke="{colour}" stroke-width="2.5"/>')
        parts.append(_text(x + 13, y + 5, mark.label))
    return _document(title, parts, _HEIGHT)


def _grid(top: float, plot_width: float, plot_height: float) -> list[str]:
    parts = []
    for quarter in range(5):
        y = _TOP + plot_height * (1 - quarter / 4)
        parts.append(_path([(_LEFT, y), (_LEFT + plot_width, y)], _FAINT, 1))
        parts.append(_text(_LEFT - 10, y + 5, _short(top * quarter / 4), anchor="end"))
    return parts


def _document(title: str, parts: Sequence[str], height: int) -> str:
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
            'font-family="system-ui, sans-serif" font-size="14">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{_WIDTH}" height="{height}" rx="6" fill="white"/>',
            f'<text x="20" y="24" font-size="16" font-weight="600" fill="{_INK}">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        )
    )


def _text(x: float, y: float, words: str, *, anchor: str = "start", colour: str = _INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def _path(points: Sequence[tuple[float, float]], colour: str, width: float) -> str:
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'


def _short(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def _round_up(value: float) -> float:
    """The next number that reads well on an axis."""
    step = 10.0 ** math.floor(math.log10(value or 1))
    return next(step * factor for factor in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10) if step * factor >= value)
