"""Measures every reported figure of a model from its shipped file."""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter

from app.inference.calibration import calibrate, softmax
from app.inference.classifier import load_classifier
from app.inference.manifest import OutputSpec
from app.inference.session import SessionSpec
from training import metrics, photos, protocols
from training.data import NO_LABEL, majority, vote_targets
from training.dataset import Split, data_folder, has_photos, read_photos, read_split
from training.labels import FER2013, FERPLUS, SERVED_FROM_FERPLUS, TAGS
from training.metrics import ClassFigures, Figure, Floats, Labels, ReliabilityBin
from training.model_folder import amend
from training.robustness import CHANGES
from training.shipped import Outputs, Shipped, check_labels, one_core_ms

CONFIDENCE_THRESHOLD: Final = 0.6
"""The default of the service; predictions with a lower confidence are marked uncertain."""

SAMPLE: Final = 300
"""Number of faces whose figures are also saved, for a short comparison."""

_COMMON: Final = 20
_EXAMPLES: Final = 8

_FEW: Final = 64
"""Number of faces that show whether a network already averages with the mirror image."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """Recognition of labels under one protocol. Rows of ``confusion`` are labels, columns are predictions."""

    accuracy: Figure
    macro_recall: Figure
    classes: tuple[ClassFigures, ...]
    confusion: list[list[int]]


@dataclass(frozen=True, slots=True)
class Certainty:
    """How reliable the confidence of the model is.

    ``log_loss`` is against the label, ``votes_log_loss`` and ``votes_distance`` (Jensen-Shannon) against the taggers'
    votes. ``uncertain`` is the share of predictions that the service marks uncertain. ``disagreement_ranking`` is the
    area under the ROC curve with which low confidence finds the faces without a majority label.
    """

    calibration_error: Figure
    reliability: tuple[ReliabilityBin, ...]
    log_loss: float
    votes_log_loss: float
    votes_distance: float
    above_090: Figure | None
    below_050: Figure | None
    uncertain: float
    uncertain_accuracy: float | None
    certain_accuracy: float | None
    disagreement_when_uncertain: float | None
    disagreement_when_certain: float | None
    disagreement_ranking: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """Accuracy on changed faces, and its share of the accuracy on the unchanged faces."""

    accuracy: float
    kept: float


@dataclass(frozen=True, slots=True)
class Wild:
    """Photos of ``wild-dev`` through the whole pipeline; the macro recall is over labels with 20 photos or more."""

    recognition: Recognition
    macro_recall_of_common: Figure
    calibration_error: float
    without_face: int
    without_served_label: int


@dataclass(frozen=True, slots=True)
class Example:
    """One face: its row in FER-2013, the votes of the taggers, and the prediction of the model."""

    row: int
    votes: dict[str, int]
    predicted: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Ties:
    """Accuracy and macro F1 on the faces of the plurality protocol, with each way to treat ties of the top vote.

    ``served_order`` breaks them in the order of the served labels, as other publications do; ``untied`` leaves tied
    faces out. ``log_loss`` is that of ``ferplus7_plurality``.
    """

    accuracy: Figure
    served_order: Figure
    untied: Figure
    macro_f1: Figure
    served_order_macro_f1: Figure
    log_loss: Figure


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures of one model on one split. Figures with seven labels use the served labels."""

    model: str
    version: str
    sha256: str
    split: str
    command: str
    size_bytes: int
    one_core_ms: float
    ferplus7_plurality: Recognition
    ferplus7_majority: Recognition
    ferplus8_plurality: Recognition | None
    ferplus8_majority: Recognition | None
    fer2013: Recognition | None
    fer2013_served: Recognition
    flip: dict[str, Figure]
    certainty: Certainty
    robustness: dict[str, Change]
    wild: Wild | None
    surest_mistakes: tuple[Example, ...]
    surest_hits: tuple[Example, ...]
    sample: dict[str, float]
    ties: Ties | None = None


FILE: Final = TypeAdapter(Evaluation)
"""Serialises an evaluation to JSON and back."""


def recognise(predicted: Labels, labels: Labels, names: tuple[str, ...]) -> Recognition:
    """Figures of predicted labels; rows without a label are left out."""
    known = labels != NO_LABEL
    predicted, labels = predicted[known], labels[known]
    return Recognition(
        metrics.accuracy(predicted, labels),
        metrics.macro_recall(predicted, labels),
        metrics.by_class(predicted, labels, names),
        metrics.confusion(predicted, labels, len(names)).tolist(),
    )


def certainty(split: Split, logits: Floats, output: OutputSpec) -> Certainty:
    labels = protocols.ferplus7(split, "plurality")
    known = labels != NO_LABEL
    probabilities, labels = calibrate(logits[known], output).astype(np.float64), labels[known]
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    votes = vote_targets(split.votes)[known][:, SERVED_FROM_FERPLUS]
    voted = votes.sum(axis=1) > 0
    votes = votes[voted] / votes[voted].sum(axis=1, keepdims=True)
    disagreed = (majority(split.votes) == NO_LABEL)[known]
    uncertain = confidence < CONFIDENCE_THRESHOLD
    return Certainty(
        calibration_error=metrics.bootstrapped(
            lambda rows: metrics.calibration_error(probabilities[rows], labels[rows]), len(labels)
        ),
        reliability=metrics.reliability(confidence, right),
        log_loss=metrics.log_loss(probabilities, np.eye(len(FER2013))[labels]),
        votes_log_loss=metrics.log_loss(probabilities[voted], votes),
        votes_distance=metrics.jensen_shannon(probabilities[voted], votes),
        above_090=_accuracy_where(right, confidence > 0.9),
        below_050=_accuracy_where(right, confidence < 0.5),
        uncertain=float(uncertain.mean()),
        uncertain_accuracy=_mean(right[uncertain]),
        certain_accuracy=_mean(right[~uncertain]),
        disagreement_when_uncertain=_mean(disagreed[uncertain]),
        disagreement_when_certain=_mean(disagreed[~uncertain]),
        disagreement_ranking=metrics.ranking(-confidence, disagreed),
    )


def _accuracy_where(right: np.ndarray[Any, Any], rows: np.ndarray[Any, Any]) -> Figure | None:
    chosen = right[rows]
    return metrics.bootstrapped(lambda drawn: float(chosen[drawn].mean()), len(chosen)) if len(chosen) else None


def _mean(values: np.ndarray[Any, Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def robustness(model: Shipped, split: Split, clean: Outputs) -> dict[str, Change]:
    labels = protocols.ferplus7(split, "plurality")
    known = labels != NO_LABEL
    before = float((clean.served[known].argmax(axis=1) == labels[known]).mean())
    changes = {}
    for name, change in CHANGES.items():
        predicted = model.infer(change(split.images[known])).served.argmax(axis=1)
        after = float((predicted == labels[known]).mean())
        changes[name] = Change(after, after / before)
    return changes


def flipped(model: Shipped, split: Split, outputs: Outputs) -> dict[str, Figure]:
    """Accuracy of the mean of the probabilities for a face and its mirror image."""
    turned = np.ascontiguousarray(split.images[:, :, ::-1])
    few = model.infer(turned[:_FEW]).served
    # A network that averages with the mirror image gives the same for both, except for rounding.
    same = np.allclose(few, outputs.served[:_FEW], atol=0.02)
    mirrored = outputs if same else model.infer(turned)
    kinds = {
        "ferplus7_plurality": (outputs.served, mirrored.served, protocols.ferplus7(split, "plurality")),
        "ferplus8_majority": (outputs.ferplus, mirrored.ferplus, protocols.ferplus8(split, "majority")),
        "fer2013": (outputs.fer2013, mirrored.fer2013, split.fer2013),
    }
    figures = {}
    for name, (straight, mirror, labels) in kinds.items():
        if straight is not None and mirror is not None:
            known = labels != NO_LABEL
            predicted = (softmax(straight[known]) + softmax(mirror[known])).argmax(axis=1)
            figures[name] = metrics.accuracy(predicted, labels[known])
    return figures


def wild(folder: Path, data: Path, limit: int | None) -> Wild:
    model = load_classifier(folder, SessionSpec())
    with photos.open_pipeline() as pipeline:
        found = photos.classify(pipeline, itertools.islice(read_photos(data, "dev"), limit), model)
    predicted = found.probabilities.argmax(axis=1)
    return Wild(
        recognise(predicted, found.labels, model.manifest.labels),
        metrics.macro_recall(predicted, found.labels, at_least=_COMMON if limit is None else 1),
        metrics.calibration_error(found.probabilities, found.labels),
        found.without_face,
        found.without_served_label,
    )


def examples(split: Split, logits: Floats, output: OutputSpec, *, right: bool) -> tuple[Example, ...]:
    """The faces with the most confident right, or wrong, predictions."""
    labels = protocols.ferplus7(split, "plurality")
    probabilities = calibrate(logits, output)
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    rows = np.flatnonzero((labels != NO_LABEL) & ((predicted == labels) == right))
    rows = rows[np.argsort(-confidence[rows], kind="stable")][:_EXAMPLES]
    return tuple(
        Example(
            int(split.ids[row]),
            {name: int(count) for name, count in zip(TAGS, split.votes[row], strict=True) if count},
            FER2013[predicted[row]],
            float(confidence[row]),
        )
        for row in rows
    )


def ties(split: Split, logits: Floats, output: OutputSpec) -> Ties:
    """Figures of the served logits under each treatment of ties."""
    predicted = logits.argmax(axis=1)
    labels = protocols.ferplus7(split, "plurality")
    known = labels != NO_LABEL
    served_order, untied = protocols.ferplus7_first_served(split), protocols.ferplus7_untied(split)
    probabilities = calibrate(logits[known], output)[np.arange(known.sum()), labels[known]]
    losses = -np.log(np.maximum(probabilities.astype(np.float64), 1e-12))
    return Ties(
        accuracy=metrics.accuracy(predicted[known], labels[known]),
        served_order=metrics.accuracy(predicted[known], served_order[known]),
        untied=metrics.accuracy(predicted[untied != NO_LABEL], untied[untied != NO_LABEL]),
        macro_f1=metrics.macro_f1(predicted[known], labels[known]),
        served_order_macro_f1=metrics.macro_f1(predicted[known], served_order[known]),
        log_loss=metrics.bootstrapped(lambda rows: float(losses[rows].mean()), len(losses)),
    )


def sample(split: Split, outputs: Outputs) -> dict[str, float]:
    """Accuracies on the first faces."""
    head, part = outputs.head(SAMPLE), split.subset(slice(SAMPLE))
    kinds = {
        "ferplus7_plurality": (head.served, protocols.ferplus7(part, "plurality")),
        "ferplus8_majority": (head.ferplus, protocols.ferplus8(part, "majority")),
        "fer2013": (head.fer2013, part.fer2013),
    }
    figures = {}
    for name, (logits, labels) in kinds.items():
        if logits is not None:
            known = labels != NO_LABEL
            figures[name] = float((logits[known].argmax(axis=1) == labels[known]).mean())
    return figures


def evaluate(folder: Path, data: Path, split_name: str, limit: int | None = None) -> Evaluation:
    """Measures all figures; ``limit`` bounds the number of faces and photos."""
    model = Shipped(folder)
    manifest = model.manifest
    check_labels(manifest)
    file = (folder / manifest.file).read_bytes()
    split = read_split(data, split_name).subset(slice(limit))
    outputs = model.infer(split.images)
    served = outputs.served.argmax(axis=1)
    eight = None if outputs.ferplus is None else outputs.ferplus.argmax(axis=1)
    original = None if outputs.fer2013 is None else outputs.fer2013.argmax(axis=1)
    return Evaluation(
        model=manifest.name,
        version=manifest.version,
        sha256=manifest.sha256,
        split=split_name,
        size_bytes=len(file),
        one_core_ms=one_core_ms([file], manifest.input)[0],
        command=f"python -m training evaluate --model models/{manifest.name} --split {split_name}",
        ferplus7_plurality=recognise(served, protocols.ferplus7(split, "plurality"), FER2013),
        ferplus7_majority=recognise(served, protocols.ferplus7(split, "majority"), FER2013),
        ferplus8_plurality=None if eight is None else recognise(eight, protocols.ferplus8(split, "plurality"), FERPLUS),
        ferplus8_majority=None if eight is None else recognise(eight, protocols.ferplus8(split, "majority"), FERPLUS),
        fer2013=None if original is None else recognise(original, split.fer2013, FER2013),
        fer2013_served=recognise(served, split.fer2013, FER2013),
        flip=flipped(model, split, outputs),
        certainty=certainty(split, outputs.served, manifest.output),
        robustness=robustness(model, split, outputs),
        wild=wild(folder, data, limit) if has_photos(data, "dev") else None,
        surest_mistakes=examples(split, outputs.served, manifest.output, right=False),
        surest_hits=examples(split, outputs.served, manifest.output, right=True),
        sample=sample(split, outputs),
        ties=ties(split, outputs.served, manifest.output),
    )


def headline(evaluation: Evaluation) -> dict[str, Any]:
    """The figures of the manifest, which ``/info`` returns."""
    figures: dict[str, Figure] = {
        "ferplus7_plurality_accuracy": evaluation.ferplus7_plurality.accuracy,
        "ferplus7_plurality_macro_recall": evaluation.ferplus7_plurality.macro_recall,
        "calibration_error": evaluation.certainty.calibration_error,
    }
    if evaluation.ferplus8_majority:
        figures["ferplus8_majority_accuracy"] = evaluation.ferplus8_majority.accuracy
    if evaluation.fer2013:
        figures["fer2013_accuracy"] = evaluation.fer2013.accuracy
    if evaluation.wild:
        figures["wild_dev_accuracy"] = evaluation.wild.recognition.accuracy
        figures["wild_dev_macro_recall"] = evaluation.wild.macro_recall_of_common
    if (ties := evaluation.ties) is not None:
        figures["ferplus7_served_order_accuracy"] = ties.served_order
        figures["ferplus7_untied_accuracy"] = ties.untied
        figures["ferplus7_macro_f1"] = ties.macro_f1
        figures["ferplus7_served_order_macro_f1"] = ties.served_order_macro_f1
        figures["log_loss"] = ties.log_loss
    shown: dict[str, Any] = {"split": evaluation.split}
    for name, figure in figures.items():
        shown[name] = round(figure.value, 4)
        shown[f"{name}_interval"] = [round(figure.low, 4), round(figure.high, 4)]
    recognition = evaluation.ferplus7_plurality
    shown["confusion"] = {"labels": [each.label for each in recognition.classes], "matrix": recognition.confusion}
    shown["reliability"] = [
        {"confidence": round(bin.confidence, 4), "accuracy": round(bin.accuracy, 4), "faces": bin.faces}
        for bin in evaluation.certainty.reliability
    ]
    return shown


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/default"))
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument("--limit", type=int, help="use only this many faces and photos")
    parser.add_argument("--to", type=Path, help="file for all figures, as JSON")
    parser.add_argument("--write", action="store_true", help="put the headline figures into the manifest")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    evaluation = evaluate(options.model, options.data, options.split, options.limit)
    print(json.dumps(headline(evaluation), indent=2))
    print(f"{time.monotonic() - started:.0f} s")
    if options.to:
        options.to.parent.mkdir(parents=True, exist_ok=True)
        options.to.write_bytes(FILE.dump_json(evaluation, indent=1) + b"\n")
    if options.write:
        amend(options.model, metrics=headline(evaluation))


if __name__ == "__main__":
    main()
