"""Lets generated pictures of faces into training, if they pass every gate.

The pictures lie in a folder, with ``labels.csv`` (columns ``file`` and ``label``) or in a subfolder for each label; or
``--generator`` makes them. The results are ``faces.npz``, which ``train`` takes as ``generated.faces``, ``status.json``
with the reason for each refusal, and ``contact-sheet.png``.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from app.inference.classifier import Classifier, load_classifier
from app.inference.manifest import BadModel
from app.inference.session import SessionSpec
from app.pipeline import Pipeline
from training import contact_sheet, gates, generators, photos
from training.data import EMOTIONS, NO_LABEL, SIDE, Faces
from training.dataset import Photo
from training.duplicates import KnownFaces
from training.gates import REASONS, Decision, Gates, Judge, Limits
from training.generators import BadInput
from training.labels import FER2013, FERPLUS

FACES_FILE: Final = "faces.npz"
STATUS_FILE: Final = "status.json"
SHEET_FILE: Final = "contact-sheet.png"
_SPLITS: Final = ("train", "photos", "valid", "test")
_TRAINED_ON: Final = ("train", "photos")
_Number = TypeVar("_Number", int, float)


def load_data(prepared: Path) -> dict[str, Faces]:
    """The prepared splits. Those that are not trained on serve only to find duplicates of their faces."""
    missing = next((name for name in _SPLITS if not (prepared / f"{name}.npz").is_file()), None)
    if missing:
        raise BadInput(f"{prepared / missing}.npz is missing: `python -m training prepare` writes it.")
    return {name: Faces.load(prepared / f"{name}.npz") for name in _SPLITS}


def load_judge(folder: Path) -> Judge:
    try:
        model: Classifier = load_classifier(folder, SessionSpec())
    except BadModel as error:
        raise BadInput(str(error)) from None
    if model.manifest.explain is None or not set(model.manifest.labels) <= set(FER2013):
        raise BadInput(f"The model in {folder} needs the labels of the service and a feature map (`explain`).")
    return Judge(model)


def known_faces(data: dict[str, Faces], judge: Judge) -> KnownFaces:
    names = [f"{split} {number}" for split, faces in data.items() for number in faces.ids]
    return KnownFaces(judge.embed, names, np.concatenate([faces.images for faces in data.values()]))


def count_labels(data: dict[str, Faces]) -> dict[str, int]:
    """How many faces of each label are trained on."""
    votes = np.concatenate([data[name].votes for name in _TRAINED_ON])
    counts = np.bincount(votes[votes.max(axis=1, initial=0) > 0].argmax(axis=1), minlength=EMOTIONS)
    return dict(zip(FERPLUS, counts.tolist(), strict=True))


def split_of(decisions: Sequence[Decision]) -> Faces:
    """The faces that were let in, with the label that was asked for; ``ids`` are their places among all decisions."""
    places = [place for place, decision in enumerate(decisions) if decision.reason is None]
    labels = [FERPLUS.index(decisions[place].label) for place in places]
    images = [face for place in places if (face := decisions[place].face) is not None]
    return Faces(
        np.array(images, np.uint8).reshape(-1, SIDE, SIDE),
        np.eye(EMOTIONS, dtype=np.float32)[labels].reshape(-1, EMOTIONS),
        np.full(len(places), NO_LABEL, np.int64),
        np.array(places, np.int64),
    )


def status(decisions: Sequence[Decision], limits: Limits, model: str, source: str, seed: int) -> dict[str, Any]:
    """What was let in and why the rest was not."""
    return {
        "source": source,
        "model": model,
        "limits": asdict(limits),
        "seed": seed,
        "asked": Counter(each.label for each in decisions),
        "let_in": Counter(each.label for each in decisions if each.reason is None),
        "refused": Counter(each.reason for each in decisions if each.reason is not None),
        "reasons": REASONS,
        "pictures": [_record(each) for each in decisions],
    }


def _record(decision: Decision) -> dict[str, Any]:
    """A decision with what was measured, without the pixels."""
    values = {key: value for key, value in asdict(decision).items() if key != "face" and value is not None}
    return {"reason": None, **values}


def write(folder: Path, decisions: Sequence[Decision], report: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    split_of(decisions).save(folder / FACES_FILE)
    (folder / STATUS_FILE).write_text(json.dumps(report, indent=1) + "\n")
    shown = [each for each in decisions if each.face is not None]
    groups = [(f"{label}, let in", [e for e in shown if e.reason is None and e.label == label]) for label in FERPLUS]
    groups += [(f"refused, {reason}", [e for e in shown if e.reason == reason]) for reason in REASONS]
    faces = [(title, [e.face for e in group if e.face is not None]) for title, group in groups if group]
    contact_sheet.write(folder / SHEET_FILE, faces)


def _pictures(options: argparse.Namespace, labels: Sequence[str], pipeline: Pipeline) -> Iterator[Photo]:
    """The pictures of the folder, after the generator has filled it."""
    folder = options.folder or options.to / "pictures"
    if options.generator:
        asked = options.labels.split(",") if options.labels else list(labels)
        unknown = next((label for label in asked if label not in labels), None)
        if unknown is not None:
            raise BadInput(f"The label {unknown!r} is none of {', '.join(labels)}.")
        places = {"prepared": options.prepared, "pipeline": pipeline}
        generators.generate(options.generator, folder, asked, options.each, options.seed, **places)
    return generators.opened(folder, generators.read_folder(folder, labels))


def synthesize(options: argparse.Namespace) -> str:
    limits = Limits(options.sharpness, options.confidence, options.share)
    data, judge = load_data(options.prepared), load_judge(options.model)
    with photos.open_pipeline() as pipeline:
        pictures = _pictures(options, judge.labels, pipeline)
        decisions = Gates(pipeline, judge, known_faces(data, judge), limits).decide(pictures)
    gates.limit_shares(decisions, count_labels(data), limits.share, options.seed)
    source = options.generator or str(options.folder)
    report = status(decisions, limits, judge.name, source, options.seed)
    write(options.to, decisions, report)
    let_in = sum(report["let_in"].values())
    if not let_in:
        raise BadInput(f"None of the {len(decisions)} pictures was let in; {options.to / STATUS_FILE} says why.")
    return f"{let_in} of {len(decisions)} pictures were let in: {options.to / FACES_FILE}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training synthesize", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="the pictures; with --generator where they are written")
    parser.add_argument("--to", type=Path, default=Path("runs/generated"))
    parser.add_argument("--generator", help="`morph` (blends of training faces) or `diffusers:PATH`")
    parser.add_argument("--labels", help="what the generator is asked for, with commas (default: every label)")
    parser.add_argument("--each", type=_count, default=100, help="pictures for each label")
    parser.add_argument("--seed", type=_count, default=1)
    parser.add_argument("--model", type=Path, default=Path("models/default"))
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    defaults = Limits()
    parser.add_argument("--sharpness", type=_not_negative, default=defaults.sharpness)
    parser.add_argument("--confidence", type=_share, default=defaults.confidence)
    parser.add_argument("--share", type=_share, default=defaults.share, help="of the faces of a label, below 1")
    return parser


def _count(text: str) -> int:
    return _within(int(text), 1, 1_000_000)


def _not_negative(text: str) -> float:
    return _within(float(text), 0.0, 1e6)


def _share(text: str) -> float:
    return _within(float(text), 0.0, 0.999)


def _within(value: _Number, least: _Number, most: _Number) -> _Number:
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{value} is not between {least} and {most}")
    return value


def main(arguments: list[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.folder is None and options.generator is None:
        parser.error("a folder or --generator is needed")
    try:
        print(synthesize(options))
    except BadInput as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
