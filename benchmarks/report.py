"""Writes docs/performance.md: fills ``performance.md.template`` with the tables of a run, and draws its plots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks import baselines, plots
from benchmarks.contestants import TITLES
from benchmarks.ratios import Ratio, ratios
from benchmarks.results import CellResult, Footprint, Results, Turn

_HERE = Path(__file__).parent
_TEMPLATE = _HERE / "performance.md.template"
_ONE = "640x480"
_OURS = ("visage", _ONE)
_NOT_MEASURED = "Not part of this run; `make bench` measures it."
_BEGIN = "<!-- Written by make bench: begin -->"
_END = "<!-- Written by make bench: end -->"
_DISTURBED = 0.05

_PICTURES = {
    "640x480": "640×480",
    "1080p": "1920×1080",
    "12mp": "4000×3000",
    "group": "six faces, 1440×960",
    "no-face": "no face, 640×480",
    "seventh": "a face of a seventh of the width, 640×480",
}
_OTHER_PICTURES = ("1080p", "12mp", "group", "no-face")
_IN_ALL = ("limit", "visage", "litserve", "bentoml", "plain")


def write_page(results: Results, path: Path) -> None:
    """Writes the page, and its plots to a folder beside it."""
    _draw(results, path.parent / path.stem)
    text = _TEMPLATE.read_text()
    for name, words in _words(results).items():
        text = text.replace(f"{{{{{name}}}}}", words)
    missing = re.search(r"\{\{(\w+)\}\}", text)
    if missing:
        raise ValueError(f"the template has an unknown placeholder, {missing[1]}")
    path.write_text(text)


def write_readme(results: Results, path: Path) -> None:
    """Puts the most important ratios between the README's markers."""
    before, begin, rest = path.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{path} lacks the markers for the ratios")
    found = {
        ratio.key: f"**{_number(ratio.value)}** ({_number(ratio.least)}–{_number(ratio.most)})"
        for ratio in ratios(results)
    }
    visage = _best_rate(results)
    lines = (
        f"Measured on {results.machine['cores']} cores, {results.taken}, one face at 640×480 ({visage:.0f} a "
        "second at most), median and range of the rounds; [performance](docs/performance.md) has the rest.",
        "",
        f"- {found['limit']} of the throughput of the pipeline without HTTP, both at their best",
        f"- {found['litserve']} times that of LitServe and {found['bentoml']} times that of BentoML, which serve the "
        "same pipeline, at eight connections",
        f"- {found['plain']} times that of the FastAPI app that tutorials write; {found['plain-12mp']} times with a "
        "photo of 12 megapixels",
    )
    path.write_text(before + begin + "\n" + "\n".join(lines) + "\n" + end + after)


def _best_rate(results: Results) -> float:
    return max(
        cell.median("throughput") for cell in results.groups["throughput"] if (cell.contestant, cell.work) == _OURS
    )


def _words(results: Results) -> dict[str, str]:
    facts = results.machine
    return {
        "taken": results.taken,
        "plan": results.plan,
        "rounds": str(results.rounds),
        "seconds": f"{results.seconds:g}",
        "machine": f"{facts['cores']} cores ({facts['kind']}), {facts['system']}, Python {facts['python']}",
        "trust": _trust(results),
        "ratios": _ratio_table(ratios(results)),
        "throughput": _throughput_table(results),
        "wrong": str(results.wrong),
        "pictures": _picture_table(results),
        "open": _open_table(results),
        "quotas": _quota_table(results),
        "stages": _stage_table(results),
        "networks": _network_table(results),
        "baselines": _baseline_table(baselines.load()),
        "generator": _generator(results),
    }


def _trust(results: Results) -> str:
    """How much of the machine other processes took during the turns."""
    shares = [turn.elsewhere for turn in results.turns] or [0.0]
    disturbed = sum(share > _DISTURBED for share in shares)
    words = (
        f"Other processes took {median(shares):.1%} of the machine in the median of {len(shares)} turns, "
        f"{max(shares):.0%} at most; {results.repeated} turns were repeated."
    )
    if disturbed > 0.2 * len(shares):
        words = f"**In {disturbed} turns the machine was busy with something else: do not trust the figures.** {words}"
    if results.failures:
        words += f" Not measured: {'; '.join(results.failures)}."
    return words


def _ratio_table(found: Iterable[Ratio]) -> str:
    rows = [
        (
            ratio.title,
            f"{_marked(ratio)}{_unit(ratio)} ({_number(ratio.least)}–{_number(ratio.most)})",
            f"{ratio.floor:g}",
        )
        for ratio in found
    ]
    return _table(("figure", "median (rounds)", "floor"), rows)


def _marked(ratio: Ratio) -> str:
    return f"**{_number(ratio.value)}**" if ratio.level == "below" else _number(ratio.value)


def _unit(ratio: Ratio) -> str:
    return f" {ratio.unit}" if ratio.unit else ""


def _throughput_table(results: Results) -> str:
    memory = {footprint.contestant: footprint for footprint in results.footprints}
    rows = [
        (
            TITLES[cell.contestant],
            f"{cell.median('throughput'):.0f}",
            *(_number(cell.median(name)) for name in ("p50", "p99", "cpu_ms")),
            *_footprint(memory.get(cell.contestant)),
        )
        for cell in _compared(results)
    ]
    head = ("", "pictures/s", "p50 ms", "p99 ms", "CPU ms", "idle MB", "loaded MB", "start s")
    return _table(head, rows) if rows else _NOT_MEASURED


def _footprint(found: Footprint | None) -> tuple[str, str, str]:
    if found is None:
        return ("–", "–", "–")
    return (f"{found.idle_mb:.0f}", f"{found.peak_mb:.0f}", f"{median(found.cold_starts):.2f}")


def _picture_table(results: Results) -> str:
    """Throughput at eight connections: a row for each picture, a column for each contestant."""
    rates: dict[str, dict[str, str]] = {}
    for cell in results.cells:
        if cell.work in _OTHER_PICTURES:
            rates.setdefault(cell.work, {})[cell.contestant] = f"{cell.median('throughput'):.1f}"
    rows = [
        (
            f"{_PICTURES[picture]} ({results.pictures[picture]['bytes'] / 1000:.0f} kB)",
            *(found.get(contestant, "–") for contestant in _IN_ALL),
        )
        for picture, found in rates.items()
    ]
    return _table(("pictures/s", *(TITLES[name] for name in _IN_ALL)), rows) if rows else _NOT_MEASURED


def _open_table(results: Results) -> str:
    rates = {loop.share: loop.rate for loop in results.open}
    names = ("p50", "p99")
    latency = {(loop.share, loop.arrivals, name): _number(loop.median(name)) for loop in results.open for name in names}
    rows = [
        (
            f"{share:.0%} ({rate:.0f}/s)",
            *(latency.get((share, arrivals, name), "–") for arrivals in ("even", "random") for name in names),
        )
        for share, rate in rates.items()
    ]
    head = ("load", "even: p50", "p99", "random: p50", "p99")
    return _table(head, rows) if rows else _NOT_MEASURED


def _quota_table(results: Results) -> str:
    rows = [
        (
            f"{held.cores:g}",
            f"{_median(held.turns, 'throughput'):.0f}",
            *(_number(_median(held.turns, name)) for name in ("p50", "p99")),
            f"{held.cold_start:.2f}",
        )
        for held in results.quotas
    ]
    head = ("cores", "pictures/s", "p50 ms", "p99 ms", "start, s")
    return _table(head, rows) if rows else _NOT_MEASURED


def _stage_table(results: Results) -> str:
    names = list(dict.fromkeys(name for taken in results.stages.values() for stages in taken for name in stages))
    rows = [
        (_PICTURES[work], *(_number(median(stages[name] for stages in taken)) for name in names))
        for work, taken in results.stages.items()
    ]
    return _table(("ms", *names), rows)


def _network_table(results: Results) -> str:
    rows = [
        (
            network.name,
            _number(median(network.milliseconds)),
            "–" if network.accuracy is None else f"{network.accuracy:.1%}",
            network.protocol,
        )
        for network in results.networks
    ]
    return _table(("one face, one core", "ms", "accuracy", "protocol"), rows)


def _baseline_table(rows: Sequence[baselines.Row]) -> str:
    cells = [
        (row.name, row.crop, _number(row.milliseconds), _share(row.accuracy), _share(row.macro_recall)) for row in rows
    ]
    return _table(("network", "crop", "CPU ms", "accuracy", "macro recall"), cells)


def _share(figure: baselines.Figure) -> str:
    return f"{figure.value:.1%} ({100 * figure.low:.1f}–{100 * figure.high:.1f})"


def _generator(results: Results) -> str:
    cost = results.generator
    if not cost:
        return _NOT_MEASURED
    visage = next((cell for cell in results.cells if (cell.contestant, cell.work) == ("visage", _ONE)), None)
    share = ""
    if visage is not None:
        ratio = visage.median("generator_cpu_ms") / visage.median("cpu_ms")
        share = f", {ratio:.1%} of what Visage takes"
    return (
        f"wrk takes {cost['wrk_cpu_ms']:.3f} ms of CPU a request{share}; the open-loop generator takes "
        f"{cost['open_cpu_ms']:.3f} ms and adds {cost['open_p50']:.2f} ms (p50) to {cost['open_p99']:.2f} ms (p99). "
        "Both run on the measured machine."
    )


def _draw(results: Results, folder: Path) -> None:
    """Draws the plots for which the run has figures."""
    compared = _compared(results)
    if compared:
        drawn = [_bar(cell) for cell in compared]
        plots.bars(folder / "throughput.svg", "Throughput, one face at 640×480, 8 connections", drawn)
    cells = [cell for cell in results.groups.get("concurrency", ()) if cell.contestant == "visage"]
    if len(cells) > 1:
        points = sorted((cell.connections, cell.median("throughput")) for cell in cells)
        plots.line(folder / "concurrency.svg", "Throughput by connections, one face at 640×480", points)
    networks = [
        plots.Point(
            network.name,
            median(network.milliseconds),
            network.accuracy,
            network.ours,
            hollow="7 classes, plurality" not in network.protocol,
        )
        for network in results.networks
        if network.accuracy is not None
    ]
    if networks:
        title = "Accuracy and time of networks (hollow: another protocol, or assumed)"
        plots.scatter(folder / "networks.svg", title, networks)
    photos = [plots.Point(row.name, row.milliseconds, row.accuracy.value, row.ours, False) for row in baselines.load()]
    plots.scatter(folder / "wild-dev.svg", "Accuracy and time of networks on photos", photos, "accuracy on wild-dev")


def _compared(results: Results) -> list[CellResult]:
    """One cell for each contestant, with eight connections or two threads."""
    cells = results.groups.get("throughput", ())
    return [cell for cell in cells if cell.contestant == "limit" or cell.connections == 8]


def _bar(cell: CellResult) -> plots.Bar:
    rates = cell.all("throughput")
    return plots.Bar(TITLES[cell.contestant], median(rates), min(rates), max(rates), ours=cell.contestant == "visage")


def _median(turns: Sequence[Turn], name: str) -> float:
    return median(float(getattr(turn, name)) for turn in turns)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(line)} |" for line in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
