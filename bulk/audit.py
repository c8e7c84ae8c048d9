"""``visage audit``: how well a model does on labelled faces of somebody's own."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.api.csv_table import neutral
from app.api.details import NOTHING_ASKED
from app.config import MODEL_NAME, Settings
from app.errors import VisageError
from app.expression.labels import usual_name
from app.inference.manifest import MANIFEST_FILE, TEMPERATURES
from app.pipeline import Pipeline
from app.vision.decode import ImageLimits, decode
from bulk.engine import Loaded, LocalEngine, Part
from bulk.pictures import PictureScorer
from bulk.progress import Progress
from bulk.report import page
from bulk.rows import Row, counted
from bulk.sources import Item, Table, Unreadable, find_items, read_table, reason_of, shown
from bulk.statistics import (
    Figure,
    Indexes,
    Numbers,
    Share,
    bootstrap,
    calibration_error,
    common,
    confidences,
    confusion,
    difference_interval,
    fitted_temperature,
    holm,
    log_loss,
    macro_f1,
    macro_recall,
    mcnemar,
    reliability,
    sharpened,
    threshold_for,
    two_shares,
)
from bulk.stops import Stop

_FEWEST: Final = 30
"""Faces that a group needs to be compared."""
_MISTAKES: Final = 50
_PIECE: Final = 1000
_THUMBNAIL: Final = 320
"""Longer side of a picture of the page."""


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What is audited. ``models`` has one name, None for the default, or the two that are compared."""

    sources: tuple[str, ...]
    labels: str | None
    column: str | None
    groups: tuple[str, ...]
    models: tuple[str | None, ...]
    ignored: tuple[str, ...]
    precision: float
    pictures: bool
    write_threshold: bool
    write_temperature: str | None


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture with the label that somebody gave it, and the groups that it belongs to."""

    item: Item
    label: str
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model says of the labelled pictures in which it finds a face."""

    labels: tuple[str, ...]
    faces: Sequence[Labelled]
    rows: Sequence[Row]
    errors: Mapping[str, int]

    @property
    def truth(self) -> Indexes:
        return np.array([self.labels.index(face.label) for face in self.faces], np.int64)

    @property
    def probabilities(self) -> Numbers:
        values = np.array([[row[f"p_{label}"] for label in self.labels] for row in self.rows], np.float64)
        return values.reshape(-1, len(self.labels))


def audit(options: AuditOptions, out: str, settings: Settings, engine: LocalEngine, progress: Progress) -> int:
    """Writes the figures as JSON and as a page. Returns the exit status."""
    labelled = [each for each in find_labelled(options) if each.label not in options.ignored]
    if not labelled:
        raise Stop("There is no picture with a label to audit.")
    if options.write_temperature:
        _check_new_model(Path(options.write_temperature))
    folder = Path(out)
    _make(folder)
    progress.begin(len(labelled) * len(options.models), len(labelled) * len(options.models))
    outcomes = [_predict(labelled, name, settings, engine, progress) for name in options.models]
    model = engine.registry.get(options.models[0])
    result = figures(outcomes[0], settings.confidence_threshold, options.precision)
    result["model"] = {"name": model.manifest.name, "version": model.manifest.version, "sha256": model.manifest.sha256}
    if len(outcomes) > 1:
        result["comparison"] = compared(outcomes[0], outcomes[1], (options.models[0] or "", options.models[1] or ""))
    pictures = _thumbnails(result["mistakes"], outcomes[0], settings) if options.pictures else {}
    _write(folder, result, outcomes[0], pictures)
    said = _said(result["accuracy"], shown(str(folder / "audit.html")))
    found, temperature = result["threshold"], result["temperature"]["value"]
    if options.write_temperature:
        copy = Path(options.write_temperature)
        with _written(copy):
            write_temperature(copy, settings, model.manifest.name, temperature)
        probabilities = sharpened(outcomes[0].probabilities, temperature)
        found = _threshold(probabilities, outcomes[0].truth, options.precision)
    if options.write_threshold:
        said += _write_threshold(folder / "settings.env", found)
    progress.end(said)
    return 0


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """Turns what a disk raises into one sentence."""
    try:
        yield
    except OSError as error:
        raise Stop(f"{shown(str(folder))} cannot be written to: {reason_of(error)}.") from None


def _make(folder: Path) -> None:
    with _written(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _check_new_model(target: Path) -> None:
    """Refuses what could not become a model of the folder's name, before anything is predicted."""
    if target.exists():
        raise Stop(f"{shown(str(target))} is there already: name a new folder with --write-temperature.")
    if not re.fullmatch(MODEL_NAME, target.name):
        raise Stop(
            f"{shown(target.name)} is no name of a model: --write-temperature takes a folder named in small letters, "
            "digits, dots, dashes and underscores."
        )
    _make(target.parent)


def _write_threshold(path: Path, found: Mapping[str, Any] | None) -> str:
    """Writes the threshold, or says that there is none, in place of one of an earlier run."""
    with _written(path.parent):
        path.unlink(missing_ok=True)
        if found is not None:
            path.write_text(f"CONFIDENCE_THRESHOLD={found['confidence']}\n", "utf-8")
    return "" if found else f" No confidence reaches that precision: {shown(str(path))} is not written."


def find_labelled(options: AuditOptions) -> list[Labelled]:
    """The pictures with their labels: from a table, or from folders of the labels' names."""
    if options.labels is None:
        if options.groups:
            raise Stop("--groups names columns of the table of --labels: there is no such table.")
        items = [item for item in find_items(options.sources, options.column) if not item.is_video]
        return [Labelled(item, usual_name(PurePosixPath(item.source).parent.name)) for item in items]
    table = read_table(options.labels)
    path = _column(table, ("path", "file", "source"), options.column)
    label = _column(table, ("label", "emotion"), None)
    groups = {name: table.values(_column(table, (name,), name)) for name in options.groups}
    by_name = _by_name(find_items(options.sources, options.column))
    found: dict[Item, Labelled] = {}
    for number, (name, given) in enumerate(zip(table.values(path), table.values(label), strict=True)):
        item = _named(str(name or ""), by_name, options)
        if item in found:
            raise Stop(f"{shown(str(name))} stands in {shown(options.labels)} twice: name each picture once.")
        if given in (None, ""):
            raise Stop(f"{shown(str(name))} has no label in {shown(options.labels)}.")
        groups_of = {group: _text(values[number]) for group, values in groups.items()}
        found[item] = Labelled(item, usual_name(str(given)), groups_of)
    return list(found.values())


def _text(value: object) -> str:
    return "" if value is None else shown(str(value))


def _named(name: str, by_name: Mapping[str, Sequence[Item]], options: AuditOptions) -> Item:
    """The item that a row of the table names, by any end of its path."""
    items = by_name.get(name) or by_name.get(name.removeprefix("./"), ())
    source, table = shown(options.sources[0]), shown(options.labels or "")
    if not items:
        raise Stop(f"{shown(name)} of {table} is not in {source}.")
    if len(items) > 1:
        named = f"{items[0].source} and {items[1].source}"
        raise Stop(f"{shown(name)} of {table} may be {named}: write more of its path.")
    return items[0]


def _by_name(items: Sequence[Item]) -> dict[str, list[Item]]:
    """Items by every end of their path."""
    names: dict[str, list[Item]] = {}
    for item in items:
        parts = item.source.split("/")
        for start in range(len(parts)):
            names.setdefault("/".join(parts[start:]), []).append(item)
    return names


def _column(table: Table, names: Sequence[str], wanted: str | None) -> str:
    found = wanted if wanted in table.columns else next((name for name in names if name in table.columns), None)
    if found is None:
        raise Stop(table.without(wanted or names[0]))
    return found


def _predict(
    labelled: Sequence[Labelled], name: str | None, settings: Settings, engine: LocalEngine, progress: Progress
) -> Outcome:
    model = engine.registry.get(name)
    labels = tuple(usual_name(label) for label in model.manifest.labels)
    unknown = sorted({each.label for each in labelled} - set(labels))
    if unknown:
        known, missing = ", ".join(labels), ", ".join(map(shown, unknown))
        raise Stop(
            f"The model {model.manifest.name} knows no label {missing}: it knows {known}. Leave others out with "
            "--ignore-labels."
        )
    # Rounded, a probability below 0.00005 would be 0, whose logarithm spoils log loss and temperature.
    pictures = PictureScorer(settings, model, "largest", NOTHING_ASKED, exact=True)

    def rows_of(pipeline: Pipeline, _part: Part, _number: int, loaded: Loaded) -> list[Row]:
        rows = pictures.rows(pipeline, loaded)
        progress.add(items=1, codes=counted(rows))
        return rows

    items = [each.item for each in labelled]
    parts = [Part(start, start, items[start : start + _PIECE]) for start in range(0, len(items), _PIECE)]
    by_part = {part.number: found for part, found in engine.run(parts, rows_of, pictures.largest)}
    rows = [row for part in parts for row in by_part[part.number]]
    read = [(each, row) for each, row in zip(labelled, rows, strict=True) if row["success"]]
    names = dict(zip(model.manifest.labels, labels, strict=True))
    renamed = [_renamed(row, names) for _, row in read]
    return Outcome(labels, [each for each, _ in read], renamed, {k: n for k, n in counted(rows).items() if k})


def _renamed(row: Row, names: Mapping[str, str]) -> Row:
    """A row with the model's labels under the names that labels have here."""
    probabilities = {f"p_{new}": row[f"p_{old}"] for old, new in names.items()}
    return row | probabilities | {"emotion": names[row["emotion"]]}


def figures(outcome: Outcome, threshold: float, precision: float) -> dict[str, Any]:
    """Every figure of an audit."""
    truth, probabilities = outcome.truth, outcome.probabilities
    if not len(truth):
        raise Stop("No face was found in any of the pictures.")
    predicted = probabilities.argmax(1)
    right = predicted == truth
    pictures = len(truth) + sum(outcome.errors.values())
    return {
        "pictures": pictures,
        "faces": len(truth),
        "errors": dict(outcome.errors),
        "without_face_share": _share(outcome.errors.get("no_face_detected", 0), pictures),
        "uncertain_share": _share(int((confidences(probabilities) < threshold).sum()), len(truth)),
        "accuracy": _share(int(right.sum()), len(truth)),
        "macro_recall": _mean_over_labels(macro_recall, truth, predicted),
        "macro_f1": _mean_over_labels(macro_f1, truth, predicted),
        "left_out_of_macro": [label for n, label in enumerate(outcome.labels) if n not in common(truth)],
        "labels": _by_label(outcome.labels, truth, predicted),
        "confusion": {
            "labels": list(outcome.labels),
            "matrix": confusion(truth, predicted, len(outcome.labels)).tolist(),
        },
        "log_loss": log_loss(probabilities, truth),
        "calibration_error": calibration_error(probabilities, truth),
        "reliability": [asdict(each) for each in reliability(probabilities, truth)],
        "temperature": _temperature(probabilities, truth),
        "threshold": _threshold(probabilities, truth, precision),
        "groups": _groups(outcome, right),
        "warnings": _by_warning(outcome.rows, right),
        "mistakes": _mistakes(outcome, probabilities, predicted),
    }


def _mean_over_labels(figure: Figure, truth: Indexes, predicted: Indexes) -> dict[str, Any]:
    labels = common(truth)
    if not len(labels):
        return {"value": None, "interval": None}
    return {"value": figure(truth, predicted, labels), "interval": bootstrap(figure, truth, predicted, labels)}


def _share(hits: int, count: int) -> dict[str, Any]:
    share = Share(hits, count)
    return {"value": share.value, "interval": share.interval, "hits": hits, "count": count}


def _by_label(labels: Sequence[str], truth: Indexes, predicted: Indexes) -> dict[str, Any]:
    result = {}
    for number, label in enumerate(labels):
        hits = int(((truth == number) & (predicted == number)).sum())
        result[label] = {
            "recall": _share(hits, int((truth == number).sum())),
            "precision": _share(hits, int((predicted == number).sum())),
        }
    return result


def _temperature(probabilities: Numbers, truth: Indexes) -> dict[str, float]:
    """A temperature that one half of the faces fits, and what it gives on the other."""
    order = np.random.default_rng(0).permutation(len(truth))
    fit, rest = order[::2], order[1::2]
    if not len(rest):
        return {"value": 1.0, "calibration_error_before": 0.0, "calibration_error_after": 0.0}
    value = fitted_temperature(probabilities[fit], truth[fit])
    return {
        "value": value,
        "calibration_error_before": calibration_error(probabilities[rest], truth[rest]),
        "calibration_error_after": calibration_error(sharpened(probabilities[rest], value), truth[rest]),
    }


def _threshold(probabilities: Numbers, truth: Indexes, precision: float) -> dict[str, float] | None:
    found = threshold_for(probabilities, truth, precision)
    return None if found is None else {"confidence": found[0], "precision": precision, "share": found[1]}


def _groups(outcome: Outcome, right: NDArray[np.bool_]) -> dict[str, Any]:
    """The accuracy of each group, and how far it lies from that of all others in the same column. The probabilities
    are corrected for all comparisons of the audit."""
    result: dict[str, Any] = {}
    compared: list[tuple[dict[str, Any], Share, Share]] = []
    for column in outcome.faces[0].groups:
        names = np.array([face.groups[column] for face in outcome.faces])
        result[column] = {}
        for name in np.unique(names):
            chosen = names == name
            group = Share(int(right[chosen].sum()), int(chosen.sum()))
            rest = Share(int(right[~chosen].sum()), int((~chosen).sum()))
            entry: dict[str, Any] = {"accuracy": _share(group.hits, group.count)}
            if min(group.count, rest.count) < _FEWEST:
                entry["note"] = f"Fewer than {_FEWEST} faces in it or beside it: too few to compare."
            else:
                compared.append((entry, group, rest))
            result[column][str(name)] = entry
    corrected = holm([two_shares(group, rest) for _, group, rest in compared])
    for (entry, group, rest), p in zip(compared, corrected, strict=True):
        gap = group.hits / group.count - rest.hits / rest.count
        entry["gap"] = {"value": gap, "interval": difference_interval(group, rest), "p": p}
    return result


def _by_warning(rows: Sequence[Row], right: NDArray[np.bool_]) -> dict[str, Any]:
    """The accuracy on faces with each warning, and on those without any."""
    codes = [set(row["warnings"].split()) for row in rows]
    result = {}
    for code in sorted({code for each in codes for code in each}):
        chosen = np.array([code in each for each in codes])
        result[code] = _share(int(right[chosen].sum()), int(chosen.sum()))
    clean = np.array([not each for each in codes])
    result["none"] = _share(int(right[clean].sum()), int(clean.sum()))
    return result


def _mistakes(outcome: Outcome, probabilities: Numbers, predicted: Indexes) -> list[dict[str, Any]]:
    """The surest predictions that differ from the label."""
    wrong, confidence = np.flatnonzero(predicted != outcome.truth), confidences(probabilities)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MISTAKES]
    return [
        {
            "source": outcome.faces[n].item.source,
            "label": outcome.faces[n].label,
            "predicted": outcome.labels[predicted[n]],
            "confidence": float(confidence[n]),
        }
        for n in surest
    ]


def compared(one: Outcome, other: Outcome, names: tuple[str, str]) -> dict[str, Any]:
    """Two models on the pictures in which both have found a face, by McNemar's exact test."""
    first, second = _right_by_item(one), _right_by_item(other)
    both = [item for item in first if item in second]
    only_first = sum(first[item] and not second[item] for item in both)
    only_second = sum(second[item] and not first[item] for item in both)
    return {
        "models": list(names),
        "faces": len(both),
        "accuracy": [_share(sum(right[item] for item in both), len(both)) for right in (first, second)],
        "only_first_right": only_first,
        "only_second_right": only_second,
        "p": mcnemar(only_first, only_second),
    }


def _right_by_item(outcome: Outcome) -> dict[Item, bool]:
    predicted = outcome.probabilities.argmax(1)
    return {face.item: bool(p == t) for face, p, t in zip(outcome.faces, predicted, outcome.truth, strict=True)}


def _write(folder: Path, result: Mapping[str, Any], outcome: Outcome, pictures: Mapping[str, bytes]) -> None:
    with _written(folder):
        (folder / "audit.json").write_text(json.dumps(result, indent=2), "utf-8")
        (folder / "audit.html").write_text(page(result, pictures), "utf-8")
        (folder / "predictions.csv").write_text(_predictions(outcome), "utf-8")


def _said(accuracy: Mapping[str, Any], report: str) -> str:
    """The first figure, and where the others are."""
    value, low, high = (f"{100 * share:.1f}" for share in (accuracy["value"], *accuracy["interval"]))
    return f"Accuracy {value} % ({low} to {high}) on {accuracy['count']} faces. The report is {report}."


def _thumbnails(mistakes: Sequence[Mapping[str, Any]], outcome: Outcome, settings: Settings) -> dict[str, bytes]:
    """The pictures of the mistakes as small JPEG files, by source."""
    items = {face.item.source: face.item for face in outcome.faces}
    limits = ImageLimits(settings.max_image_pixels)
    small = {}
    for source in (mistake["source"] for mistake in mistakes):
        # One that has gone since is left out.
        with suppress(Unreadable, VisageError):
            pixels = decode(items[source].load(settings.max_file_bytes), limits).pixels
            factor = min(1.0, _THUMBNAIL / max(pixels.shape))
            resized = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            small[source] = cv2.imencode(".jpg", resized[..., ::-1])[1].tobytes()
    return small


def _predictions(outcome: Outcome) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["source", "label", "emotion", "confidence", *(f"p_{label}" for label in outcome.labels), "warnings"]
    )
    for face, row in zip(outcome.faces, outcome.rows, strict=True):
        probabilities = [round(row[f"p_{label}"], 4) for label in outcome.labels]
        writer.writerow(
            [neutral(face.item.source), face.label, row["emotion"], row["confidence"], *probabilities, row["warnings"]]
        )
    return text.getvalue()


def write_temperature(target: Path, settings: Settings, name: str, value: float) -> None:
    """A copy of the model whose manifest has the temperature that was found, without what was measured at another:
    figures, card and golden vectors."""
    manifest = json.loads((settings.models_dir / name / MANIFEST_FILE).read_text("utf-8"))
    output = manifest["output"]
    low, high = TEMPERATURES
    output["temperature"] = round(min(max(output.get("temperature", 1.0) * value, low), high), 4)
    manifest |= {"name": target.name, "metrics": {}}
    target.mkdir()
    shutil.copyfile(settings.models_dir / name / manifest["file"], target / manifest["file"])
    (target / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
