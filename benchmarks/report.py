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
_OURS = ("visage", _ONE)
_NOT_MEASURED = "Not part of this run; `make bench` measures it."
_BEGIN = "<!-- Written by make bench: begin -->"
_END = "<!-- Written by make bench: end -->"
_DISTURBED = 0.05

_TITLES = {
    "limit": "The bare loop",
    "visage": "Visage",
    "visage-1-worker": "Visage, one worker",
    "visage-1-core": "Visage, one worker on one core",
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


def write_readme(results: Results, path: Path) -> None:
    """Puts three ratios between the README's markers."""
    before, begin, rest = path.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{path} lacks the markers between which the ratios go")
    found = {ratio.key: f"**{_number(ratio.value)}**" for ratio in ratios(results)}
    visage = _best_rate(results)
    lines = (
        f"Measured on {results.machine['cores']} cores, {results.taken}, one face in a photo of 640×480 "
        f"({visage:.0f} a second); [docs/performance.md](docs/performance.md) has the rest.",
        "",
        f"- {found['limit']} of the throughput of the bare pipeline, which has no HTTP around it",
        f"- {found['litserve']} times that of LitServe and {found['bentoml']} times that of BentoML, which serve this "
        "very pipeline",
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
        "picture_640": f"a JPEG of {results.pictures[_ONE]['bytes'] / 1000:.0f} kB",
        "throughput": _cell_table(results.groups.get("throughput", ())),
        "wrong": str(results.wrong),
        "works": _works(results),
        "concurrency": _cell_table(results.groups.get("concurrency", ())),
        "batches": _cell_table(results.groups.get("batch", ())),
        "open": _open_table(results),
        "quotas": _quota_table(results),
        "detectors": _detectors(results),
        "stages": _stage_table(results),
        "networks": _network_table(results),
        "footprints": _footprint_table(results),
        "generator": _generator(results),
        "tried": _TRIED.read_text().strip(),
    }


def _trust(results: Results) -> str:
    """What others did to the machine, in the turns that count."""
    shares = [turn.elsewhere for turn in results.turns] or [0.0]
    disturbed = sum(share > _DISTURBED for share in shares)
    words = (
        f"Others took {median(shares):.1%} of the machine in the median turn and {max(shares):.0%} in the worst of "
        f"{len(shares)}; {results.repeated} turns were taken again for it."
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
        crowd = next(_crowd(cell) for cell in cells if cell.contestant != "limit")
        size = results.pictures[work]["bytes"] / 1000
        parts.append(f"### {_WORKS[work].capitalize()} ({size:.0f} kB), {crowd}\n\n{_cell_table(cells)}")
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
    names = list(dict.fromkeys(name for taken in results.stages.values() for stages in taken for name in stages))
    rows = [
        (_WORKS[work], *(_number(median(stages[name] for stages in taken)) for name in names))
        for work, taken in results.stages.items()
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


def _detectors(results: Results) -> str:
    found = results.parity
    parts = []
    if found:
        parts += [
            f"Of {found['faces']:.0f} faces in portraits, as they are and on a canvas twice as wide, "
            f"{found['same']:.2f} % were found by both detectors.",
            f"Their boxes overlap by {found['overlap']:.3f} (median); the worst of a face's landmarks lies "
            f"{found['landmark_error']:.2f} % of the box apart (median; 99th percentile "
            f"{found['landmark_error_p99']:.2f} %).",
            f"A look costs MediaPipe {found['mediapipe_ms']:.2f} ms of one core and ONNX Runtime "
            f"{found['onnx_ms']:.2f} ms.",
        ]
    memory = {footprint.contestant: footprint for footprint in results.footprints}
    if "visage" in memory and "visage-onnx" in memory:
        saved = memory["visage"].idle_mb - memory["visage-onnx"].idle_mb
        verb = "saves" if saved >= 0 else "costs"
        parts.append(f"In memory, `FACE_DETECTOR=onnx` {verb} {abs(saved):.0f} MB of an idle service.")
    return " ".join(parts) or _NOT_MEASURED


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
    if not cost:
        return _NOT_MEASURED
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
    if marks:
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
