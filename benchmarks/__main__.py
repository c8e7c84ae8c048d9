"""``python -m benchmarks run``, ``report`` and ``against``, which the targets of ``bench.mk`` call."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

RESULTS = Path("benchmarks/results.json")
DOCS = Path("docs/performance.md")


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measures the service and other servers.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="measure; write JSON and a page")
    run.add_argument("--quick", action="store_true", help="every ratio, in less than three minutes")
    run.add_argument(
        "--groups", help='only these groups of the plan, separated by commas; "rest": all that is in no group'
    )
    run.add_argument("--seconds", type=int, help="seconds of one turn")
    run.add_argument("--rounds", type=int, help="turns of each contestant")
    run.add_argument("--json", type=Path, default=RESULTS, help="file for the figures")
    run.add_argument("--docs", type=Path, help="file for the page; without it, none is written")
    run.add_argument("--readme", type=Path, help="README to put the ratios into; without it, none is changed")
    run.add_argument("--build", type=Path, default=Path("build/bench"), help="folder for pictures, networks and logs")
    run.add_argument("--models", type=Path, default=Path("models"), help="folder of the service's models")
    report = verbs.add_parser("report", help="write the page from the JSON again")
    report.add_argument("--json", type=Path, default=RESULTS)
    report.add_argument("--docs", type=Path, default=DOCS)
    report.add_argument("--readme", type=Path)
    against = verbs.add_parser("against", help="compare with another revision, in turns")
    against.add_argument("revision", help="a commit, a tag or a branch")
    against.add_argument("--rounds", type=int, default=9, help="turns of each build for each row")
    against.add_argument("--most", type=float, help="fail when a row moved and is more than this")
    against.add_argument("--json", type=Path, default=Path("build/bench/against.json"), help="file for the figures")
    against.add_argument("--build", type=Path, default=Path("build/bench"), help="folder for pictures, trees and logs")
    asked = parser.parse_args()
    return {"run": _run, "report": _report, "against": _against}[asked.verb](asked)


def _run(asked: argparse.Namespace) -> int:
    # The other servers read it when they import ONNX Runtime.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    from benchmarks import plan, ratios, results  # noqa: PLC0415
    from benchmarks.load import closed  # noqa: PLC0415
    from benchmarks.report import write_page, write_readme  # noqa: PLC0415
    from benchmarks.run import Bench  # noqa: PLC0415

    # On SIGTERM, stop the servers that the run has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not closed.installed():
        sys.exit(closed.MISSING)
    chosen = (plan.quick if asked.quick else plan.full)(asked.seconds, asked.rounds)
    if asked.groups:
        chosen = chosen.only(tuple(asked.groups.split(",")))
    build = asked.build.resolve()

    def keep(some: results.Results) -> None:
        results.save(some, ratios.as_json(ratios.ratios(some)), build / "unfinished.json")

    found = Bench(chosen, build, asked.models.resolve(), note=_note, keep=keep).run()
    figures = ratios.ratios(found)
    results.save(found, ratios.as_json(figures), asked.json)
    found = results.load(asked.json)  # Rounded, as whoever writes the page again reads them.
    if asked.docs:
        write_page(found, asked.docs)
    if asked.readme:
        write_readme(found, asked.readme)
    for figure in figures:
        spread = f"{figure.least:.2f} to {figure.most:.2f}"
        print(f"{figure.title}: {figure.value:.2f}{figure.unit} ({spread}); {figure.level}")
    print(f"{found.duration:.0f} s in all; {found.wrong} wrong responses; {found.repeated} turns repeated.")
    for failure in found.failures:
        print(f"Not measured: {failure}")
    return 1 if found.wrong or found.failures else 0


def _report(asked: argparse.Namespace) -> int:
    from benchmarks import results  # noqa: PLC0415
    from benchmarks.report import write_page, write_readme  # noqa: PLC0415

    found = results.load(asked.json)
    write_page(found, asked.docs)
    if asked.readme:
        write_readme(found, asked.readme)
    return 0


def _against(asked: argparse.Namespace) -> int:
    from benchmarks import against  # noqa: PLC0415

    # On SIGTERM, stop the servers that the run has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = against.compare(asked.revision, asked.build.resolve(), asked.rounds)
    against.save(rows, asked.revision, asked.json)
    print(against.table(rows))
    lost = against.losses(rows, asked.most) if asked.most else []
    if lost:
        print(f"More than {asked.most:g} times as much: {', '.join(lost)}.")
    return 1 if lost else 0


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
