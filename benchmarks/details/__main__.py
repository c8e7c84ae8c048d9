"""Fits the action units, measures the details for the tables of ``docs/details.md``, or measures what they cost.

python -m benchmarks.details fit --data data
python -m benchmarks.details evaluate --data data
python -m benchmarks.details cost [--against REV]
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks.details import evaluate, fit
from benchmarks.details.cost import measure
from benchmarks.details.faces import LABELS, Faces, Finder, faces_of, fer, photos, some
from benchmarks.details.parity import parity

DOCUMENT: Final = Path("docs/details.md")
SEPARATION: Final = Path("benchmarks/details/separation.csv")

_TRAIN: Final = {"neutral": 700, "happy": 200, "surprise": 200, "sad": 200, "angry": 200, "fear": 50, "contempt": 50}
_FER_TRAIN: Final = {
    **{"neutral": 900, "happy": 400, "surprise": 400, "sad": 450, "angry": 450},
    **{"disgust": 300, "fear": 400, "contempt": 100},
}
_PHOTOS: Final = 1878
"""The photos of ``wild-dev``."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("action", choices=("fit", "evaluate", "cost"))
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--photos", type=int, default=300, help="photos for stability and parity")
    parser.add_argument("--faces", type=int, default=1000, help="most faces of each label to evaluate on")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the costs")
    parser.add_argument("--against", help="a revision: costs are compared with its plain requests too")
    options = parser.parse_args()
    if options.action == "cost":
        sys.exit(not measure(options.rounds, options.against))
    finder = Finder()
    if options.action == "fit":
        _fit(options.data, options.faces, finder)
    else:
        _evaluate(options.data, options.faces, options.photos, finder)


def _fit(data: Path, count: int, finder: Finder) -> None:
    # The students' label "disgust" separates nothing: their photos are left out, and FER+ alone gives its faces.
    wild = faces_of("wild-train", lambda: some(photos(data, "wild-train"), _TRAIN), finder)
    enlarged = faces_of("fer-train", lambda: some(fer(data, "train"), _FER_TRAIN), finder)
    fit.write(fit.fitted([wild, enlarged], wild))
    weak = evaluate.experimental([*evaluate.separation(_sets(data, count, finder))])
    fit.mark_experimental(weak)


def _evaluate(data: Path, faces: int, count: int, finder: Finder) -> None:
    sets = _sets(data, faces, finder)
    rows = [*evaluate.separation(sets)]
    every = max(_PHOTOS // count, 1)
    chosen = [*islice(photos(data, "wild-dev"), 0, every * count, every)]
    _write_separation(rows)
    _write(
        units=_units_table(evaluate.at_rest(sets["wild-dev"]), rows),
        pose=_table([*evaluate.by_pose(sets["wild-dev"])]),
        stability=_table([*evaluate.stability(chosen, finder)]),
        parity=_table([parity(chosen, finder)]),
    )


def _sets(data: Path, count: int, finder: Finder) -> dict[str, Faces]:
    most = dict.fromkeys(LABELS, count)
    return {
        "wild-dev": faces_of(f"wild-dev-{count}", lambda: some(photos(data, "wild-dev"), most), finder),
        "FER+ valid": faces_of(f"fer-valid-{count}", lambda: some(fer(data, "valid"), most), finder),
    }


def _units_table(at_rest: Mapping[str, float], separation: Sequence[Mapping[str, Any]]) -> str:
    """How often each unit is active on neutral photos, and how well it tells its labels from neutral in each set."""
    sets = dict.fromkeys(row["set"] for row in separation)
    return _table(
        [
            {
                "unit": f"{code} {method['name']}" + (" (experimental)" if method["experimental"] else ""),
                "computed from": _sources(method),
                "active at rest": at_rest[code],
                **{name: _labels_of(code, [row for row in separation if row["set"] == name]) for name in sets},
            }
            for code, method in fit.read().items()
        ]
    )


def _sources(method: Mapping[str, Any]) -> str:
    points = [f"{len(method['points'])} points"] if method["points"] else []
    return ", ".join([*(method["logits"] | method["values"]), *points])


def _labels_of(code: str, separation: Sequence[Mapping[str, Any]]) -> str:
    found = (row for row in separation if row["unit"] == code)
    return ", ".join(f"{row['label']} {row['auc']:.2f} ({row['low']:.2f}–{row['high']:.2f})" for row in found)


def _write_separation(rows: Sequence[Mapping[str, Any]]) -> None:
    with SEPARATION.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = [*rows[0]]
    lines = [names, ["---"] * len(names), *([str(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _write(**tables: str) -> None:
    text = DOCUMENT.read_text("utf-8")
    for name, table in tables.items():
        before, _, rest = text.partition(f"<!-- {name} -->")
        _, _, after = rest.partition(f"<!-- /{name} -->")
        text = f"{before}<!-- {name} -->\n{table}\n<!-- /{name} -->{after}"
    DOCUMENT.write_text(text, "utf-8")
    print(json.dumps({name: table.count("\n") - 1 for name, table in tables.items()}))


if __name__ == "__main__":
    main()
