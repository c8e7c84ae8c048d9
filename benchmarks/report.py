"""The page that a run writes: its tables and plots, between the words of ``performance.md.template``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks import svg
from benchmarks.ratios import Ratio, ratios
from benchmarks.results import CellResult, Results, Turn

_HERE = Path(__file__).parent
_TEMPLATE = _HERE / "performance.md.template"
_TRIED = _HERE / "tried.md"
_ONE = "640x480"
_NOT_MEASURED = "Not part of this run; `make bench` measures it."

_TITLES = {
    "limit": "The bare loop",
    "visage": "Visage",
    "visage-1-worker": "Visage, one worker",
    "visage-onnx": "Visage, ONNX detector",
    "litserve": "LitServe",
    "bentoml": "BentoML",
    "plain": "The plain way",
    "twin": "ResNet18 int8 in Visage",
}
_WORKS = {
    "640x480": "one face, 640×480",
    "1080p": "one face, 1920×1080",
    "12mp": "one face, 4000×3000",
    "group": "six faces, 1440×960",
    "no-face": "no face, 640×480",
}
_VERDICTS = {"goal": "goal reached", "floor": "floor reached", "below": "**below the floor**"}


def write_page(results: Results, path: Path) -> None:
    """Writes the page, and its plots into a folder beside it."""
    plots = path.parent / path.stem
    plots.mkdir(parents=True, exist_ok=True)
    for name, plot in _plots(results).items():
        (plots / f"{name}.svg").write_text(plot)
    text = _TEMPLATE.read_text()
    for name, words in _words(results).items():
        text = text.replace(f"{{{{{name}}}}}", words)
    missing = re.search(r"\{\{(\w+)\}\}", text)
    if missing:
        raise ValueError(f"the template asks for {missing[1]}, which nobody writes")
    path.write_text(text)


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
        "picture_640": f"a JPEG of {results.pictures[_ONE]['bytes'] / 1000:.0f} kB",
        "throughput": _cell_table(results.groups.get("throughput", ())),
        "wrong": str(results.wrong),
        "works": _works(results),
        "concurrency": _cell_table(results.groups.get("concurrency", ())),
        "batches": _cell_table(results.groups.get("batch", ())),
        "open": _open_table(results),
        "quotas": _quota_table(results),
        "stages": _stage_table(results),
        "networks": _network_table(results),
        "footprints": _footprint_table(results),
        "generator": _generator(results),
        "tried": _TRIED.read_text().strip(),
    }


def _trust(results: Results) -> str:
    load = float(results.machine["load_before"])
    if load > 0.5 * int(results.machine["cores"]):
        return (
            f"**The machine was busy with something else (load {load:.1f} before the run): do not trust the figures.**"
        )
    return "The machine had nothing else to do."


def _ratio_table(found: Iterable[Ratio]) -> str:
    rows = [
        (
            ratio.title,
            f"**{_number(ratio.value)}**{_unit(ratio)}",
            f"{_number(ratio.least)} – {_number(ratio.most)}",
            f"{ratio.floor:g}{_unit(ratio)}",
            f"{ratio.goal:g}{_unit(ratio)}",
            _VERDICTS[ratio.verdict],
        )
        for ratio in found
    ]
    return _table(("figure", "this run", "rounds", "floor", "goal", ""), rows)


def _unit(ratio: Ratio) -> str:
    return f" {ratio.unit}" if ratio.unit else ""


def _cell_table(cells: Iterable[CellResult]) -> str:
    rows = [
        (
            _TITLES[cell.contestant]
            if not cell.work.startswith("batch")
            else f"Visage, {cell.work.replace('-', ' of ')}",
            _crowd(cell),
            f"{cell.median('throughput'):.1f}",
            *(_number(cell.median(name)) for name in ("p50", "p95", "p99", "cpu_ms")),
            f"{cell.median('peak_mb'):.0f}" if cell.median("peak_mb") else "",
        )
        for cell in cells
    ]
    if not rows:
        return _NOT_MEASURED
    return _table(("", "", "pictures/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms a picture", "MB"), rows)


def _crowd(cell: CellResult) -> str:
    word = "thread" if cell.contestant == "limit" else "connection"
    return f"{cell.connections} {word}{'s' if cell.connections > 1 else ''}"


def _works(results: Results) -> str:
    parts = []
    for group, cells in results.groups.items():
        if group in {"throughput", "concurrency", "batch"}:
            continue
        work = cells[0].work
        connections = next(cell.connections for cell in cells if cell.contestant != "limit")
        size = results.pictures[work]["bytes"] / 1000
        parts.append(
            f"### {_WORKS[work].capitalize()} ({size:.0f} kB), {connections} connections\n\n{_cell_table(cells)}"
        )
    return "\n\n".join(parts)


def _open_table(results: Results) -> str:
    rows = [
        (
            f"{loop.share:.0%} of capacity, {loop.rate:.0f}/s",
            loop.arrivals,
            *(_number(loop.median(name)) for name in ("p50", "p95", "p99", "longest")),
            _number(median(turn.p99 / turn.p50 for turn in loop.turns)),
        )
        for loop in results.open
    ]
    head = ("", "arrivals", "p50 ms", "p95 ms", "p99 ms", "longest ms", "p99 / p50")
    return _table(head, rows) if rows else _NOT_MEASURED


def _quota_table(results: Results) -> str:
    rows = [
        (
            f"{held.cores:g} cores",
            held.how,
            f"{_median(held.turns, 'throughput'):.1f}",
            *(_number(_median(held.turns, name)) for name in ("p50", "p99", "cpu_ms")),
            f"{held.cold_start:.2f}",
        )
        for held in results.quotas
    ]
    head = ("", "held by", "pictures/s", "p50 ms", "p99 ms", "CPU ms a picture", "cold start, s")
    return _table(head, rows) if rows else _NOT_MEASURED


def _stage_table(results: Results) -> str:
    names = list(dict.fromkeys(name for stages in results.stages.values() for name in stages))
    rows = [
        (_WORKS[work], *(_number(stages[name]) if name in stages else "" for name in names))
        for work, stages in results.stages.items()
    ]
    return _table(("", *names), rows)


def _network_table(results: Results) -> str:
    rows = [
        (
            network.name,
            _number(median(network.milliseconds)),
            "" if network.accuracy is None else f"{network.accuracy:.1%}",
            network.protocol,
        )
        for network in results.networks
    ]
    return "One face on one core.\n\n" + _table(("", "ms", "accuracy", "on"), rows)


def _footprint_table(results: Results) -> str:
    rows = [
        (
            footprint.title,
            f"{footprint.idle_mb:.0f}",
            f"{footprint.idle_proportional_mb:.0f}",
            f"{footprint.peak_mb:.0f}",
            f"{median(footprint.cold_starts):.2f}",
        )
        for footprint in results.footprints
    ]
    return _table(("", "idle, MB", "idle, shared once, MB", "most under load, MB", "cold start, s"), rows)


def _generator(results: Results) -> str:
    cost = results.generator
    visage = next((cell for cell in results.cells if (cell.contestant, cell.work) == ("visage", _ONE)), None)
    share = ""
    if visage is not None:
        ratio = visage.median("generator_cpu_ms") / visage.median("cpu_ms")
        share = f" While it drove Visage, it took {ratio:.1%} of the CPU that Visage took."
    wrk = (
        f"wrk, with the script that checks every answer, sent {cost['wrk_most']:.0f} such pictures a second to a "
        f"server that does nothing, and took {cost['wrk_cpu_ms']:.3f} ms of CPU for each.{share}"
    )
    opened = (
        f"The open loop's generator took {cost['open_cpu_ms']:.3f} ms of CPU a request at {cost['open_rate']:.0f}/s, "
        f"and saw that server answer in {cost['open_p50']:.2f} ms (p50) and {cost['open_p99']:.2f} ms (p99): what it "
        "adds itself."
    )
    return f"{wrk}\n\n{opened} Both share the machine with what they measure."


def _plots(results: Results) -> dict[str, str]:
    plots = {}
    if "throughput" in results.groups:
        plots["throughput"] = svg.bars(
            "Pictures a second, one face at 640×480", "/s", [_bar(cell) for cell in _compared(results)]
        )
    cells = [cell for cell in results.groups.get("concurrency", ()) if cell.contestant == "visage"]
    if len(cells) > 1:
        cells.sort(key=lambda cell: cell.connections)
        drawn = [svg.Line("Visage", [(cell.connections, cell.median("throughput")) for cell in cells])]
        plots["concurrency"] = svg.lines("Pictures a second by connections, 640×480", "connections", "", drawn)
    marks = [
        svg.Mark(
            network.name,
            median(network.milliseconds),
            network.accuracy,
            network.ours,
            hollow="7 classes, plurality" not in network.protocol,
        )
        for network in results.networks
        if network.accuracy is not None
    ]
    plots["networks"] = svg.scatter(
        "Accuracy and time of networks",
        "milliseconds a face, one core",
        "accuracy on FER+, 7 classes (hollow: another protocol, or assumed)",
        marks,
    )
    return plots


def _compared(results: Results) -> list[CellResult]:
    """One cell a contestant: eight connections, and the limit on two threads."""
    return [cell for cell in results.groups["throughput"] if cell.contestant == "limit" or cell.connections == 8]


def _bar(cell: CellResult) -> svg.Bar:
    rates = cell.all("throughput")
    return svg.Bar(_TITLES[cell.contestant], median(rates), min(rates), max(rates), ours=cell.contestant == "visage")


def _median(turns: Sequence[Turn], name: str) -> float:
    return median(float(getattr(turn, name)) for turn in turns)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
