"""Writes the report on the models and their cards from the committed figures."""

from __future__ import annotations

import argparse
import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.inference.manifest import Manifest, load_manifest
from training import config, plots
from training.card import card, class_table, headline_table, robustness_table
from training.config import Run
from training.evaluate import FILE, Evaluation
from training.tables import percent, table

_CURVES, _RUN = "curves.csv", "run.json"


@dataclass(frozen=True, slots=True)
class Subject:
    """A model with its figures; ``run`` and ``curves`` are empty for one that was not trained here."""

    folder: Path
    manifest: Manifest
    evaluation: Evaluation
    run: Run | None
    curves: list[dict[str, float]]


def gather(models: Path, figures: Path, runs: Path, split: str) -> list[Subject]:
    """The models that have figures. Settings and curves of finished runs are copied beside the figures."""
    subjects = []
    for path in sorted(figures.glob(f"*.{split}.json")):
        name = path.name.removesuffix(f".{split}.json")
        manifest, evaluation = load_manifest(models / name), FILE.validate_json(path.read_bytes())
        if evaluation.sha256 != manifest.sha256:
            raise SystemExit(
                f"{path} has the figures of another file than {models / name}; run {evaluation.command} --to {path}"
            )
        for file in (_CURVES, _RUN):
            if (runs / name / file).exists():
                shutil.copyfile(runs / name / file, figures / f"{name}.{file}")
        curves, run = figures / f"{name}.{_CURVES}", figures / f"{name}.{_RUN}"
        subjects.append(
            Subject(
                models / name,
                manifest,
                evaluation,
                config.read(run) if run.exists() else None,
                _read_curves(curves) if curves.exists() else [],
            )
        )
    return subjects


def _read_curves(path: Path) -> list[dict[str, float]]:
    """One row for each epoch; of an epoch that was repeated after an interruption, the last."""
    with path.open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return list({row["epoch"]: row for row in rows}.values())


def write(folder: Path, subjects: list[Subject], split: str) -> None:
    evaluations = [subject.evaluation for subject in subjects]
    parts = [
        "# The models in figures",
        "Written by `python -m training report` from `figures/`, the output of `python -m training evaluate --to` for "
        f"the shipped files, which also has the wrong predictions with the highest confidence. Split: `{split}`. In "
        "brackets: 95 % intervals from 1,000 bootstrap samples.",
        headline_table(evaluations),
        "*Plurality*: faces whose top vote is an emotion. *Majority*: faces on which one emotion has more than half of "
        "the votes after single votes are dropped. See also the [data](data.md) and [what was tried](tried.md).",
        "## By label",
        "FER+, 7 labels, plurality, in percent:",
        class_table(evaluations),
        "## By confidence",
        _certainty(evaluations),
        "## Changed pictures",
        "Accuracy, and in brackets its percentage of that on the unchanged pictures:",
        robustness_table(evaluations),
    ]
    for subject in subjects:
        parts += [f"## Plots: {subject.manifest.name} {subject.manifest.version}", *_plots(folder / "plots", subject)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text("\n\n".join(parts) + "\n")


def _plots(folder: Path, subject: Subject) -> list[str]:
    """Draws the plots of a model. Returns the lines that show them."""
    name, evaluation = subject.manifest.name, subject.evaluation
    shown = _curves(folder, subject) if subject.curves else []
    for key, recognition in (
        ("ferplus7", evaluation.ferplus7_plurality),
        ("ferplus8", evaluation.ferplus8_majority),
        ("fer2013", evaluation.fer2013),
        ("wild", evaluation.wild.recognition if evaluation.wild else None),
    ):
        if recognition:
            labels = [c.label for c in recognition.classes]
            counts = np.array(recognition.confusion, dtype=np.int64)
            title = f"{name}, {key}: label (row) and prediction (column), %"
            plots.matrix(folder / f"{name}-{key}.svg", title, counts, labels, labels)
            shown.append(f"![Confusion, {key}](plots/{name}-{key}.svg)")
    plots.reliability(folder / f"{name}-reliability.svg", f"{name}: reliability", evaluation.certainty.reliability)
    return [*shown, f"![Reliability](plots/{name}-reliability.svg)"]


def _curves(folder: Path, subject: Subject) -> list[str]:
    name = subject.manifest.name
    epochs = [row["epoch"] for row in subject.curves]
    plots.lines(
        folder / f"{name}-accuracy.svg",
        f"{name}: accuracy on valid during training",
        epochs,
        {key: [100 * row[key] for row in subject.curves] for key in ("ferplus7", "ferplus8", "fer2013")},
        "%",
    )
    plots.lines(
        folder / f"{name}-loss.svg",
        f"{name}: training loss",
        epochs,
        {"loss": [row["loss"] for row in subject.curves]},
        "nats",
    )
    return [f"![Accuracy by epoch](plots/{name}-accuracy.svg)", f"![Loss by epoch](plots/{name}-loss.svg)"]


def _certainty(evaluations: list[Evaluation]) -> str:
    found = [evaluation.certainty for evaluation in evaluations]
    rows = [
        ("accuracy above a confidence of 0.9", *(percent(c.above_090.value if c.above_090 else None) for c in found)),
        ("accuracy below 0.5", *(percent(c.below_050.value if c.below_050 else None) for c in found)),
        ("predictions marked uncertain (below 0.6)", *(percent(c.uncertain) for c in found)),
        ("accuracy of these", *(percent(c.uncertain_accuracy) for c in found)),
        ("accuracy of the others", *(percent(c.certain_accuracy) for c in found)),
        ("faces without a majority label among these", *(percent(c.disagreement_when_uncertain) for c in found)),
        ("among the others", *(percent(c.disagreement_when_certain) for c in found)),
    ]
    ranking = [c.disagreement_ranking for c in found]
    rows.append(("area under the ROC curve for such faces", *("–" if r is None else f"{r:.3f}" for r in ranking)))
    return table(("figure", *(evaluation.model for evaluation in evaluations)), rows)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training report", description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--figures", type=Path, default=Path("docs/training/figures"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--to", type=Path, default=Path("docs/training"))
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    options = parser.parse_args(arguments)
    subjects = gather(options.models, options.figures, options.runs, options.split)
    if not subjects:
        raise SystemExit(f"{options.figures} has no figures of the split {options.split}.")
    write(options.to, subjects, options.split)
    for subject in subjects:
        (subject.folder / "CARD.md").write_text(card(subject.manifest, subject.run, subject.evaluation))
        print(f"{subject.folder / 'CARD.md'}")
    print(options.to / "report.md")


if __name__ == "__main__":
    main()
