"""The card of a model, from its manifest, its run and its figures."""

from __future__ import annotations

from textwrap import fill
from typing import Final

from app.inference.manifest import Manifest, OutputSpec
from training.config import Run
from training.evaluate import Evaluation
from training.metrics import Figure
from training.tables import percent, table

_CARD = """# {name} {version}

Predicts the *apparent expression* of one face ({labels}): the label that most people would give it. Nobody can know
from a picture what a person feels.

|  |  |
|---|---|
| Network | {architecture} |
| File | {megabytes:.1f} MB; {milliseconds:.1f} ms a face on one core |
| Input | {width} × {height}, {channels}, 0–255 |
| Crop | {crop} |
| Output | logits; before the softmax divided by {temperature} |
| Licence | {license} (weights) |

## Data

{trained_on}:

- FER-2013 (Goodfellow et al., 2013): pictures from an image search, for research. They belong to their owners and are
  not included.
- FER+ (Barsoum et al., 2016, MIT licence): ten votes for each picture.
- Photos of `muxspace/facial_expressions` (Apache-2.0), labelled by students.

Duplicates of validation and test pictures were removed. Whether weights trained on these pictures suit a commercial
product is for its maker to decide.

## Method

{method}

## Figures

On the split `{split}`, {chosen} (the crop: on `wild-dev`), with 95 % intervals:

{figures}

```
{command}
```

{confidence}

More figures: `docs/training/report.md`.

## Limitations

{failures}
- Not measured: faces in profile, small or blurred faces, hands and masks, drawings, expressions that are not posed.

FER-2013 has no labels of age, gender, skin colour or culture, so fairness was not measured. Assume that the model is
worse for old people, people with dark skin, glasses, veils, beards or facial paralysis, and cultures that show
emotion in other ways. Measure it on your own users first.

## Out of scope

Do not use it to judge people (hiring, school, work, insurance, credit, policing, courts, borders, medicine, therapy),
to detect lies, or to watch people without their knowledge or consent. The European Union forbids inferring emotions
at work and in education, except for medical or safety reasons (AI Act, Article 5). Mark or hide predictions with a
confidence below 0.6.
"""


def card(manifest: Manifest, run: Run | None, evaluation: Evaluation) -> str:
    spec, face = manifest.input, manifest.face
    eyes = getattr(face, "eye_distance", None)
    return _CARD.format(
        name=manifest.name,
        version=manifest.version,
        labels=", ".join(manifest.labels),
        architecture=manifest.architecture,
        megabytes=evaluation.size_bytes / 1e6,
        milliseconds=evaluation.one_core_ms,
        width=spec.width,
        height=spec.height,
        channels="grey" if spec.channels == "gray" else spec.channels.upper(),
        crop="by the detected box" if eyes is None else f"by the eyes, {eyes:.0%} of the side apart",
        temperature=_temperature(manifest.output),
        license=manifest.license,
        trained_on=manifest.trained_on,
        method=fill(_method(run), 118) if run else "Not trained here.",
        split=evaluation.split,
        chosen="on which nothing was chosen" if evaluation.split == "test" else "on which the calibration was fitted",
        figures=_main_figures(evaluation),
        command=evaluation.command,
        confidence=_confidence(evaluation),
        failures=_failures(evaluation),
    )


def _temperature(output: OutputSpec) -> str:
    if not output.entropy_exponent:
        return f"{output.temperature}"
    return f"{output.temperature} × entropy^{output.entropy_exponent}"


_TIES: Final = {
    "FER+ accuracy, ties in the order of the served labels": "served_order",
    "its macro F1": "served_order_macro_f1",
    "FER+ accuracy, faces with a tie left out": "untied",
    "FER+ macro F1 (7 labels, plurality)": "macro_f1",
    "log loss": "log_loss",
}

_PUBLISHED: Final = {
    "FER+ accuracy, ties in the order of the served labels": "85.9 % (8-bit: 85.6 %)",
    "its macro F1": "77.0 % (8-bit: 76.9 %)",
}
"""What is known of a ResNet18 from an ImageNet start on the same test faces; it takes four times the default's time."""


def headline_table(evaluations: list[Evaluation]) -> str:
    """The main figures of the report, with a column for each model."""
    rows: list[tuple[str, list[Figure | None]]] = [
        ("FER+, 7 labels, plurality: accuracy", [e.ferplus7_plurality.accuracy for e in evaluations]),
        ("the same: macro recall", [e.ferplus7_plurality.macro_recall for e in evaluations]),
        ("FER+, 7 labels, majority: accuracy", [e.ferplus7_majority.accuracy for e in evaluations]),
        (
            "FER+, 8 labels, plurality: accuracy",
            [e.ferplus8_plurality.accuracy if e.ferplus8_plurality else None for e in evaluations],
        ),
        (
            "FER+, 8 labels, majority: accuracy",
            [e.ferplus8_majority.accuracy if e.ferplus8_majority else None for e in evaluations],
        ),
        ("FER-2013 labels (own head): accuracy", [e.fer2013.accuracy if e.fer2013 else None for e in evaluations]),
        ("FER-2013 labels (served labels): accuracy", [e.fer2013_served.accuracy for e in evaluations]),
        ("Expected calibration error, 15 bins", [e.certainty.calibration_error for e in evaluations]),
        (
            "`wild-dev` photos, whole pipeline: accuracy",
            [e.wild.recognition.accuracy if e.wild else None for e in evaluations],
        ),
        (
            "the same: macro recall (labels with 20 photos or more)",
            [e.wild.macro_recall_of_common if e.wild else None for e in evaluations],
        ),
    ]
    for name, key in _TIES.items():
        rows.append((name, [getattr(e.ties, key) if e.ties else None for e in evaluations]))
    shown = [(name, *(_figure(name, figure) for figure in figures)) for name, figures in rows]
    shown.append(("Cross-entropy to the votes", *(f"{e.certainty.votes_log_loss:.3f}" for e in evaluations)))
    shown.append(("Jensen-Shannon distance to the votes", *(f"{e.certainty.votes_distance:.3f}" for e in evaluations)))
    shown.append(("File", *(f"{e.size_bytes / 1e6:.2f} MB" for e in evaluations)))
    shown.append(("One face on one core", *(f"{e.one_core_ms:.2f} ms" for e in evaluations)))
    return table(("figure", *(evaluation.model for evaluation in evaluations)), shown)


def _main_figures(evaluation: Evaluation) -> str:
    """The figures of a card, which are also in the manifest."""
    plurality, majority, original = evaluation.ferplus7_plurality, evaluation.ferplus8_majority, evaluation.fer2013
    wild = evaluation.wild
    rows: list[tuple[str, Figure | None]] = [
        ("FER+ accuracy (7 labels, plurality)", plurality.accuracy),
        ("its macro recall", plurality.macro_recall),
        ("FER+ accuracy (8 labels, majority)", majority.accuracy if majority else None),
        ("FER-2013 accuracy", original.accuracy if original else None),
        ("calibration error", evaluation.certainty.calibration_error),
        ("`wild-dev` accuracy, whole pipeline", wild.recognition.accuracy if wild else None),
        ("its macro recall", wild.macro_recall_of_common if wild else None),
    ]
    for name, key in _TIES.items():
        rows.append((name, getattr(evaluation.ties, key) if evaluation.ties else None))
    head = ("figure", "value", "ResNet18, 224 px, as published")
    return table(head, [(name, _figure(name, figure), _PUBLISHED.get(name, "–")) for name, figure in rows])


def class_table(evaluations: list[Evaluation]) -> str:
    """Precision, recall and F1 by label, in percent, with three columns for each model."""
    head = [f"{evaluation.model}: {name}" for evaluation in evaluations for name in ("precision", "recall", "F1")]
    rows = []
    for same in zip(*(evaluation.ferplus7_plurality.classes for evaluation in evaluations), strict=True):
        shares = [percent(share).removesuffix(" %") for c in same for share in (c.precision, c.recall, c.f1)]
        rows.append((same[0].label, same[0].faces, *shares))
    return table(("label", "faces", *head), rows)


def robustness_table(evaluations: list[Evaluation]) -> str:
    rows = [
        (name, *(f"{percent(e.robustness[name].accuracy)} ({100 * e.robustness[name].kept:.1f})" for e in evaluations))
        for name in evaluations[0].robustness
    ]
    return table(("change", *(evaluation.model for evaluation in evaluations)), rows)


def _figure(name: str, figure: Figure | None) -> str:
    if figure is None:
        return "–"
    if "calibration" in name or name == "log loss":
        return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"
    return f"{percent(figure.value)} ({100 * figure.low:.1f}–{100 * figure.high:.1f})"


def _method(run: Run) -> str:
    """The main settings of the run; its JSON file has all of them."""
    plan = run.schedule
    parts = [f"`{run.network.name}` with two heads: FER+ votes as soft targets, and the original labels."]
    if run.network.weights:
        parts.append(f"Training started from `{run.network.weights}`.")
    optimizer = "SGD with Muon steps on convolutions" if run.muon_rate else "SGD with Nesterov momentum"
    rate = "a constant rate" if plan.decay_from >= plan.epochs else "a falling rate"
    average = "the mean of the weights of all steps" if run.average_lag <= 2 else "a moving average of the weights"
    parts.append(f"{plan.epochs} epochs of {optimizer} at {rate}; kept is {average}.")
    if run.distillation.teachers:
        teachers = " and ".join(f"`{folder}`" for folder in run.distillation.teachers)
        parts.append(f"{percent(run.distillation.share, 0)} of each target comes from {teachers}.")
    if run.ensemble:
        others = " and ".join(f"`{folder}`" for folder in run.ensemble)
        parts.append(f"Logits are averaged with those of {others}.")
    if run.mirror_average:
        parts.append("Logits are averaged over mirror images.")
    if run.logit_adjustment:
        parts.append(f"Logits are adjusted by {-run.logit_adjustment} × log frequency of the label.")
    parts.append(
        "Convolutions are 8-bit integers if that loses at most 0.3 points on `valid`, where calibration was fitted. "
        f"All settings: `docs/training/figures/{run.name}.run.json`; commands: `docs/training/README.md`."
    )
    return " ".join(parts)


def _confidence(evaluation: Evaluation) -> str:
    sure = evaluation.certainty
    parts = []
    if sure.above_090:
        parts.append(f"Of predictions with a confidence above 0.9, {percent(sure.above_090.value)} are right.")
    parts.append(
        f"{percent(sure.uncertain)} are marked uncertain (below 0.6); of these {percent(sure.uncertain_accuracy)} are "
        f"right, of the others {percent(sure.certain_accuracy)}."
    )
    return fill(" ".join(parts), 118)


def _failures(evaluation: Evaluation) -> str:
    """The three labels with the lowest recall, each with the most frequent wrong prediction."""
    recognition = evaluation.ferplus7_plurality
    order = sorted(
        (index for index, c in enumerate(recognition.classes) if c.recall is not None),
        key=lambda index: recognition.classes[index].recall or 0.0,
    )
    names = [c.label for c in recognition.classes]
    lines = []
    for index in order[:3]:
        row = recognition.confusion[index]
        rival = max((column for column in range(len(row)) if column != index), key=lambda column: row[column])
        share = row[rival] / max(sum(row), 1)
        recall = percent(recognition.classes[index].recall)
        lines.append(
            f"- *{names[index]}*: recall {recall}; {percent(share)} of its faces are predicted as {names[rival]}."
        )
    worst = min(evaluation.robustness.items(), key=lambda item: item[1].kept, default=None)
    if worst:
        lines.append(f"- With *{worst[0]}*, the worst of the changes tested, accuracy is {percent(worst[1].accuracy)}.")
    return "\n".join(lines)
