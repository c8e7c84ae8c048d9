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
from training.evaluate import FILE, Evaluation, Example
from training.tables import percent, table

_CURVES, _RUN = "curves.csv", "run.json"
_MISTAKES = 5


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
        name = path.name.split(".")[0]
        for file in (_CURVES, _RUN):
            if (runs / name / file).exists():
                shutil.copyfile(runs / name / file, figures / f"{name}.{file}")
        curves, run = figures / f"{name}.{_CURVES}", figures / f"{name}.{_RUN}"
        subjects.append(
            Subject(
                models / name,
                load_manifest(models / name),
                FILE.validate_json(path.read_bytes()),
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
    parts = [
        "# The models in figures",
        "Written by `python -m training report` from `figures/`, the output of `python -m training evaluate --to` for "
        f"the shipped files. Split: `{split}`. In brackets: 95 % intervals from 1,000 bootstrap samples.",
        headline_table([subject.evaluation for subject in subjects]),
        table(
            ("model", "network", "file", "one face on one core"),
            [
                (
                    s.manifest.name,
                    s.manifest.architecture,
                    f"{s.evaluation.size_bytes / 1e6:.2f} MB",
                    f"{s.evaluation.one_core_ms:.2f} ms",
                )
                for s in subjects
            ],
        ),
        "*Plurality*: faces whose top vote is an emotion. *Majority*: faces on which one emotion has more than half of "
        "the votes after single votes are dropped. See also the [data](data.md) and [what was tried](tried.md).",
    ]
    for subject in subjects:
        parts += _section(folder, subject)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text("\n\n".join(parts) + "\n")


def _section(folder: Path, subject: Subject) -> list[str]:
    name, evaluation = subject.manifest.name, subject.evaluation
    plot = folder / "plots"
    parts = [f"## {name} {subject.manifest.version}"]
    if subject.curves:
        epochs = [row["epoch"] for row in subject.curves]
        plots.lines(
            plot / f"{name}-accuracy.svg",
            f"{name}: accuracy on valid during training",
            epochs,
            {key: [100 * row[key] for row in subject.curves] for key in ("ferplus7", "ferplus8", "fer2013")},
            "%",
        )
        plots.lines(
            plot / f"{name}-loss.svg",
            f"{name}: training loss",
            epochs,
            {"loss": [row["loss"] for row in subject.curves]},
            "nats",
        )
        parts += [f"![Accuracy by epoch](plots/{name}-accuracy.svg)", f"![Loss by epoch](plots/{name}-loss.svg)"]
    parts.append(class_table(evaluation))
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
            plots.matrix(plot / f"{name}-{key}.svg", title, counts, labels, labels)
            parts.append(f"![Confusion, {key}](plots/{name}-{key}.svg)")
    plots.reliability(plot / f"{name}-reliability.svg", f"{name}: reliability", evaluation.certainty.reliability)
    parts += [
        f"![Reliability](plots/{name}-reliability.svg)",
        _certainty(evaluation),
        robustness_table(evaluation),
        table(
            ("mean with the mirror image", "accuracy", "alone"),
            [
                (key, percent(figure.value, 2), percent(_alone(evaluation, key), 2))
                for key, figure in evaluation.flip.items()
            ],
        ),
    ]
    parts += [
        "The wrong predictions with the highest confidence (the pictures themselves may not be published):",
        _examples(evaluation.surest_mistakes[:_MISTAKES]),
    ]
    if evaluation.wild:
        parts.append(
            f"`wild-dev` through the whole pipeline: no face in {evaluation.wild.without_face} photos, "
            f"{evaluation.wild.without_served_label} photos of contempt left out, calibration error "
            f"{evaluation.wild.calibration_error:.3f}."
        )
    return parts


def _examples(examples: tuple[Example, ...]) -> str:
    head = ("row in FER-2013", "votes", "prediction", "confidence")
    return table(
        head,
        [
            (e.row, ", ".join(f"{count} {tag}" for tag, count in e.votes.items()), e.predicted, percent(e.confidence))
            for e in examples
        ],
    )


def _alone(evaluation: Evaluation, key: str) -> float | None:
    recognition = {
        "ferplus7_plurality": evaluation.ferplus7_plurality,
        "ferplus8_majority": evaluation.ferplus8_majority,
        "fer2013": evaluation.fer2013,
    }[key]
    return recognition.accuracy.value if recognition else None


def _certainty(evaluation: Evaluation) -> str:
    sure = evaluation.certainty
    rows = [
        ("accuracy above a confidence of 0.9", percent(sure.above_090.value if sure.above_090 else None)),
        ("accuracy below 0.5", percent(sure.below_050.value if sure.below_050 else None)),
        ("predictions marked uncertain (below 0.6)", percent(sure.uncertain)),
        ("accuracy of these", percent(sure.uncertain_accuracy)),
        ("accuracy of the others", percent(sure.certain_accuracy)),
        ("faces without a majority label among the uncertain", percent(sure.disagreement_when_uncertain)),
        ("among the others", percent(sure.disagreement_when_certain)),
    ]
    if sure.disagreement_ranking is not None:
        rows.append(("area under the ROC curve for such faces", f"{sure.disagreement_ranking:.3f}"))
    return table(("confidence", ""), rows)


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
