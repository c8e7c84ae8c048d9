"""The output of a drill and its exit status."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Report:
    """The figures of one run and their bounds."""

    name: str
    long: bool = False
    seconds: float | None = None
    """Seconds of load, if not those of the form."""
    failures: list[str] = field(default_factory=list)

    def figure(
        self, what: str, value: float, unit: str = "", *, at_most: float | None = None, at_least: float | None = None
    ) -> None:
        """Prints a figure, and records a failure if it is out of bounds."""
        bounds = [f"at most {at_most:g}"] if at_most is not None else []
        bounds += [f"at least {at_least:g}"] if at_least is not None else []
        kept = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
        bound = f"  ({', '.join(bounds)}{'' if kept else ', NOT KEPT'})" if bounds else ""
        shown = f"{value:,.0f}" if value == int(value) else f"{value:.4g}"
        print(f"  {what:<58} {shown:>10} {unit:<5}{bound}", flush=True)
        if not kept:
            self.failures.append(what)

    def check(self, what: str, holds: bool, detail: str = "") -> None:
        """Prints whether a condition holds, with ``detail`` if it does not, and records a failure."""
        print(f"  {what:<58} {'yes' if holds else 'NO  ' + detail}", flush=True)
        if not holds:
            self.failures.append(what)

    def note(self, sentence: str) -> None:
        print(f"  {sentence}", flush=True)


def run(name: str, drill: Callable[[Report], None]) -> None:
    """Runs a drill from the command line."""
    parser = argparse.ArgumentParser(prog=f"python -m drills.{name}")
    parser.add_argument("--long", action="store_true", help="the long form")
    parser.add_argument("--seconds", type=float, help="seconds of load, for the drills that let you choose")
    arguments = parser.parse_args()
    report = Report(name, arguments.long, arguments.seconds)
    print(f"{name}{' (long)' if report.long else ''}", flush=True)
    started = time.monotonic()
    drill(report)
    outcome = f"FAILED: {'; '.join(report.failures)}" if report.failures else "ok"
    print(f"  {outcome} after {time.monotonic() - started:.0f} s")
    sys.exit(1 if report.failures else 0)
