"""The card of a model, filled from its manifest, its run and its figures."""

from __future__ import annotations

from textwrap import fill

from app.inference.manifest import Manifest, OutputSpec
from training.config import Run
from training.evaluate import Evaluation
from training.metrics import Figure
from training.tables import percent, table

_CARD = """# {name} {version}

Reads the *apparent expression* of one face, as {labels}: which of these people would most
likely say that they see in it. It does not know what somebody feels, and nobody can know that from a picture.

| | |
| --- | --- |
| Network | {architecture} |
| File | {megabytes:.1f} MB, {milliseconds:.1f} ms for a face on one core of the machine that made this card |
| Input | {width} × {height}, {channels}, 0–255; it normalises inside |
| Crop | {crop} |
| Output | logits, divided by {temperature} before the softmax |
| Licence | {license} for these weights; see *Data* for what they were made from |

## Data

{trained_on}.

- FER-2013 (Goodfellow et al., 2013, "Challenges in representation learning"): 48 × 48 grey pictures that an image
  search found for words of emotion. It was published for research; the pictures belong to their owners and are not
  here.
- FER+ (Barsoum et al., 2016, MIT licence): ten votes for each of those pictures.
- Photos of `muxspace/facial_expressions` (Apache-2.0, from Labeled Faces in the Wild and film stills), labelled by
  students, as extra training material and, other people's, to check the whole road.

Training pictures that stand in the validation or test split, exactly or nearly, were left out: see
`docs/training/data.md`. Whether weights that were made from these pictures suit a commercial product is a question that
its maker has to answer; the MIT licence gives what the makers of these weights can give.

## Method

{method}

The commands in `docs/training/README.md` make it again; seeds are fixed, and a run that is stopped goes on and ends
the same.

## Figures

Of the shipped file, on the split `{split}`, {chosen}. The crop was chosen on
`wild-dev`. In brackets: the 95 % interval from 1,000 bootstrap samples.

{figures}

All of them, those below too, come from one command, which takes under three minutes:

```
{command}
```

By label (FER+, seven labels, top vote):

{classes}

Accuracy with something done to the faces, and the share of the undisturbed accuracy that is kept:

{robustness}

{confidence}

## Where it fails

{failures}

Besides that, and without a figure here: faces in profile, small or blurred faces, hands and masks before the face,
drawings, and expressions of people who do not act for a camera. Contempt is no label of its own.

## Whom it may fail more

FER-2013 carries no labels of age, gender, skin colour or culture, so that nobody has measured for whom this model is
worse. It must be assumed that it is worse for some: for people of whom an image search in 2013 showed fewer pictures,
which may be old people and people with dark skin, for people who wear glasses, veils or beards, for people whose faces
move otherwise, as after a stroke or by nature, and for cultures that show emotion otherwise than stock photos do.
Measure it on the people that you mean to use it for, before you do.

## What it must not be used for

To judge people: in hiring, school, work, insurance, credit, policing, courts, at borders, in medicine or therapy; to
find lies; to watch people who do not know of it or cannot say no. In the European Union, inferring emotions at work and
in education is forbidden by the AI Act (Article 5), save for medical or safety reasons. An answer below a confidence of
0.6 is marked uncertain and should be shown as such or not at all.
"""


def card(manifest: Manifest, run: Run | None, evaluation: Evaluation) -> str:
    spec, face = manifest.input, manifest.face
    eyes = getattr(face, "eye_distance", None)
    return _CARD.format(
        name=manifest.name,
        version=manifest.version,
        labels=", ".join(manifest.labels[:-1]) + " and " + manifest.labels[-1],
        architecture=manifest.architecture,
        megabytes=evaluation.size_bytes / 1e6,
        milliseconds=evaluation.one_core_ms,
        width=spec.width,
        height=spec.height,
        channels="grey" if spec.channels == "gray" else spec.channels.upper(),
        crop="by the detected box" if eyes is None else f"by the eyes: level, {eyes:.0%} of the side apart",
        temperature=_temperature(manifest.output),
        license=manifest.license,
        trained_on=manifest.trained_on,
        method=fill(_method(run), 118) if run else "See `docs/training/report.md`.",
        split=evaluation.split,
        chosen="on which nothing was chosen" if evaluation.split == "test" else "on which the calibration was fitted",
        figures=headline_table([evaluation]),
        command=evaluation.command,
        classes=class_table(evaluation),
        robustness=robustness_table(evaluation),
        confidence=_confidence(evaluation),
        failures=_failures(evaluation),
    )


def _temperature(output: OutputSpec) -> str:
    if not output.entropy_exponent:
        return f"the temperature {output.temperature}"
    return f"{output.temperature} times the answer's entropy (0–1) to the power of {output.entropy_exponent}"


def headline_table(evaluations: list[Evaluation]) -> str:
    """The figures that stand on top of a report, a column a model."""
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
        ("FER-2013 labels (served answer): accuracy", [e.fer2013_served.accuracy for e in evaluations]),
        ("Expected calibration error, 15 bins", [e.certainty.calibration_error for e in evaluations]),
        (
            "`wild-dev` photos, whole road: accuracy",
            [e.wild.recognition.accuracy if e.wild else None for e in evaluations],
        ),
        (
            "the same: macro recall of labels with 20 photos or more",
            [e.wild.macro_recall_of_common if e.wild else None for e in evaluations],
        ),
    ]
    shown = [(name, *(_figure(name, figure) for figure in figures)) for name, figures in rows]
    shown.append(("Negative log-likelihood of the label", *(f"{e.certainty.log_loss:.3f}" for e in evaluations)))
    shown.append(("Cross-entropy to the votes", *(f"{e.certainty.votes_log_loss:.3f}" for e in evaluations)))
    shown.append(("Jensen-Shannon distance to the votes", *(f"{e.certainty.votes_distance:.3f}" for e in evaluations)))
    return table(("figure", *(evaluation.model for evaluation in evaluations)), shown)


def class_table(evaluation: Evaluation) -> str:
    return table(
        ("label", "faces", "precision", "recall", "F1"),
        [
            (c.label, c.faces, percent(c.precision), percent(c.recall), percent(c.f1))
            for c in evaluation.ferplus7_plurality.classes
        ],
    )


def robustness_table(evaluation: Evaluation) -> str:
    return table(
        ("change", "accuracy", "kept"),
        [(name, percent(change.accuracy), percent(change.kept)) for name, change in evaluation.robustness.items()],
    )


def _figure(name: str, figure: Figure | None) -> str:
    if figure is None:
        return "–"
    if "calibration" in name:
        return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"
    return f"{percent(figure.value)} ({100 * figure.low:.1f}–{100 * figure.high:.1f})"


def _method(run: Run) -> str:
    plan = run.schedule
    sides = ", ".join(f"{side} px from epoch {epoch}" for epoch, side in plan.sides)
    before = f"The weights go on from `{run.network.weights}`. " if run.network.weights else ""
    taught = ""
    if run.distillation.teachers:
        teachers = " and ".join(f"`{folder}`" for folder in run.distillation.teachers)
        taught = (
            f"{percent(run.distillation.share, 0)} of every target is what the network of {teachers} says of the face "
            "and its mirror image. "
        )
    if run.repeats:
        often = " and ".join(f"{label} {1 + times} times" for label, times in run.repeats)
        taught += f"An epoch shows faces of {often}, since they are rare. "
    if run.photos_repeats:
        often = ", ".join(f"{label} {times} times" for label, times in run.photos_repeats)
        taught += f"Beside {percent(run.photos_share, 0)} of the photos it shows all those of {often}. "
    changed = ""
    if any(share != 1 for _, share in plan.changes):
        shares = ", ".join(f"{percent(share, 0)} of it from epoch {epoch}" for epoch, share in plan.changes)
        changed = f"Photos go through all of that, faces of FER-2013 through less: {shares}. "
    steps = ""
    if run.orthogonal_rate:
        steps = f"; convolutions by orthogonal steps (Muon) of up to {percent(run.orthogonal_rate)} of their norm"
    served = ""
    if run.joined:
        others = " and ".join(f"`{folder}`" for folder in run.joined)
        served = f"The shipped graph answers with the mean of its logits and those of the network of {others}. "
    if run.balance:
        served += (
            "Added to the served logits: minus the logarithm of how frequent a label is among the votes, times "
            f"{run.balance}. "
        )
    if run.mirrored:
        served += "The shipped graph looks at each face and its mirror image and answers with the mean of both logits. "
    falling = "that does not fall"
    if plan.decay_from < plan.epochs:
        falling = f"falling in a line from epoch {plan.decay_from}"
    kept = "the plain mean" if run.average_lag <= 2 else "the running average"
    anew = ""
    if run.norms_anew:
        anew = f"Its norms are moved {percent(run.norms_anew, 0)} of the way to what it makes of unchanged faces. "
    return (
        f"{before}`{run.network.name}` has two heads on one body: the votes of FER+ as soft targets (single votes "
        f"dropped), and, at {run.fer2013_weight} times the weight, the original labels with a smoothing of "
        f"{run.fer2013_smoothing}. {taught}{plan.epochs} epochs of SGD with Nesterov momentum, batches of {run.batch}, "
        f"peak rate {run.rate} {falling}, weight decay {run.weight_decay}{steps}; "
        f"faces at {sides}. Half of the faces are mirrored; all are rolled by up to "
        f"{run.augmentation.roll_degrees:.0f}°, scaled, shifted, stretched and relit; some are blurred, covered in "
        "part, made noisy or mixed with another. "
        f"{changed}The weights are {kept} of those that were trained. {anew}{served}The convolutions are "
        "8-bit integers where that lost at most 0.3 points on `valid`. The calibration is the one with the smallest "
        "log loss on `valid`."
    )


def _confidence(evaluation: Evaluation) -> str:
    sure = evaluation.certainty
    parts = []
    if sure.above_090:
        parts.append(f"above 0.9 it is right in {percent(sure.above_090.value)} of {sure.above_090.faces} faces")
    if sure.below_050:
        parts.append(f"below 0.5 in {percent(sure.below_050.value)} of {sure.below_050.faces}")
    parts.append(
        f"{percent(sure.uncertain)} of the answers are called uncertain (below 0.6); of those "
        f"{percent(sure.uncertain_accuracy)} are right, of the others {percent(sure.certain_accuracy)}"
    )
    if sure.disagreement_ranking is not None:
        parts.append(
            f"the taggers had no majority on {percent(sure.disagreement_when_uncertain)} of the uncertain faces and on "
            f"{percent(sure.disagreement_when_certain)} of the others (area under the ROC curve "
            f"{sure.disagreement_ranking:.2f})"
        )
    return fill(f"Confidence: {'; '.join(parts)}.", 118)


def _failures(evaluation: Evaluation) -> str:
    """The labels with the lowest recall, each with what is answered instead."""
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
            f"- *{names[index]}* is found in {recall} of its faces; {percent(share)} are called {names[rival]}."
        )
    worst = min(evaluation.robustness.items(), key=lambda item: item[1].kept, default=None)
    if worst:
        lines.append(f"- Of the changes above, *{worst[0]}* costs most: {percent(worst[1].accuracy)} are still right.")
    return "\n".join(lines)
