"""The page of an audit: one HTML file with its plots inside, on a screen or on paper."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c1a17; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #dcd9d4; text-align: right; }
td { font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; }
caption { text-align: left; color: #5c5751; padding: .3rem 0; }
figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; } .pictures img { height: 8rem; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } table, figure { break-inside: avoid; } }
"""

_LIMITS: Final = (
    "These figures describe apparent expressions in these pictures, as their labels name them: not what anybody felt, "
    "and not how well the model does elsewhere. Intervals hold 95 % of what chance would give with as many faces."
)


def page(result: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """The page. ``pictures`` are those of the mistakes that are to be shown, by source."""
    model = result["model"]
    sections = [
        f"<h1>{escape(model['name'])} {escape(model['version'])} on {result['faces']} faces</h1><p>{_LIMITS}</p>",
        _summary(result),
        _labels(result),
        _confusion(result["confusion"]),
        _calibration(result),
        *(_group(name, groups) for name, groups in result["groups"].items()),
        _warnings(result["warnings"]),
        _comparison(result.get("comparison")),
        _mistakes(result["mistakes"], pictures),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Audit of {escape(model['name'])}</title><style>{_STYLE}</style><body>{''.join(sections)}</body></html>"
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f} %"


def _probability(value: float) -> str:
    return "under 0.001" if value < 0.001 else f"{value:.3f}"


def _with_interval(figure: Mapping[str, Any]) -> str:
    interval = figure["interval"]
    return _percent(figure["value"]) + (
        "" if interval is None else f" ({interval[0] * 100:.1f} to {interval[1] * 100:.1f})"
    )


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(caption)}</caption><tr>{heads}</tr>{body}</table>"


def _summary(result: Mapping[str, Any]) -> str:
    rows = [
        ["Accuracy", _with_interval(result["accuracy"])],
        ["Macro recall", _with_interval(result["macro_recall"])],
        ["Macro F1", _with_interval(result["macro_f1"])],
        ["Log loss", f"{result['log_loss']:.3f}"],
        ["Calibration error", f"{result['calibration_error']:.3f}"],
        ["Uncertain", _with_interval(result["uncertain_share"])],
        ["Pictures without a face", _with_interval(result["without_face_share"])],
    ]
    if result["left_out_of_macro"]:
        rows.insert(3, ["Left out of the two means: too few faces", ", ".join(result["left_out_of_macro"])])
    rows += [[f"Error {code}", str(count)] for code, count in result["errors"].items() if code != "no_face_detected"]
    return _table(
        f"{result['faces']} faces in {result['pictures']} pictures", ["Figure", "Value (95 % interval)"], rows
    )


def _labels(result: Mapping[str, Any]) -> str:
    rows = [
        [label, str(each["recall"]["count"]), _with_interval(each["recall"]), _with_interval(each["precision"])]
        for label, each in result["labels"].items()
    ]
    table = _table("Of faces with a label, how many are found; of predictions, how many are right", _HEAD, rows)
    return f"<h2>Labels</h2>{table}{_recall_plot(result['labels'])}"


_HEAD: Final = ("Label", "Faces", "Recall", "Precision")


def _recall_plot(labels: Mapping[str, Any]) -> str:
    from matplotlib.figure import Figure  # noqa: PLC0415 - its import takes long

    known = [(label, each["recall"]) for label, each in labels.items() if each["recall"]["count"]]
    figure = Figure(figsize=(7, 0.45 * len(known) + 0.8), layout="constrained")
    axes = figure.subplots()
    for height, (_, recall) in enumerate(reversed(known)):
        axes.plot(recall["interval"], [height, height], color="#4338ca", linewidth=3)
        axes.plot(recall["value"], height, "o", color="#1c1a17")
    axes.set_yticks(range(len(known)), [label for label, _ in reversed(known)])
    axes.set_xlim(0, 1)
    axes.set_xlabel("Recall with its 95 % interval")
    axes.grid(axis="x", alpha=0.3)
    return _svg(figure, "Recall by label")


def _confusion(matrix: Mapping[str, Any]) -> str:
    rows = []
    for label, counts in zip(matrix["labels"], matrix["matrix"], strict=True):
        total = max(sum(counts), 1)
        cells = "".join(
            f'<td style="background:rgba(67,56,202,{count / total * 0.6:.2f})">{count}</td>' for count in counts
        )
        rows.append(f"<tr><td>{escape(label)}</td>{cells}</tr>")
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("Label", *matrix["labels"]))
    caption = "<caption>Faces by label (rows) and prediction (columns)</caption>"
    return f"<h2>Confusion</h2><table>{caption}<tr>{heads}</tr>{''.join(rows)}</table>"


def _calibration(result: Mapping[str, Any]) -> str:
    from matplotlib.figure import Figure  # noqa: PLC0415 - its import takes long

    figure = Figure(figsize=(4.5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "--", color="#9a948b")
    axes.plot(
        [b["confidence"] for b in result["reliability"]],
        [b["accuracy"] for b in result["reliability"]],
        "o-",
        color="#4338ca",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="Confidence", ylabel="Share that is right")
    temperature, threshold = result["temperature"], result["threshold"]
    before, after = temperature["calibration_error_before"], temperature["calibration_error_after"]
    text = (
        f"<p>A temperature of {temperature['value']:.2f}, fitted on half of the faces, brings the calibration error of "
        f"the other half from {before:.3f} to {after:.3f}.</p>"
    )
    if threshold is None:
        text += "<p>No confidence reaches the wanted precision.</p>"
    else:
        text += (
            f"<p>From a confidence of {threshold['confidence']:.2f} on, {threshold['precision'] * 100:g} % of "
            f"predictions are right; {_percent(threshold['share'])} of the faces reach it.</p>"
        )
    return f"<h2>Calibration</h2>{text}{_svg(figure, 'Confidence and share that is right')}"


def _group(name: str, groups: Mapping[str, Any]) -> str:
    rows = []
    for group, each in groups.items():
        gap, accuracy = each.get("gap"), each["accuracy"]
        if gap is None:
            rows.append([group, str(accuracy["count"]), _with_interval(accuracy), each["note"], ""])
        else:
            low, high = gap["interval"]
            points = f"{gap['value'] * 100:+.1f} ({low * 100:+.1f} to {high * 100:+.1f})"
            rows.append(
                [group, str(accuracy["count"]), _with_interval(accuracy), points, _probability(gap["p"])],
            )
    head = ("Group", "Faces", "Accuracy", "Points from all others", "p, corrected")
    caption = "A gap counts as shown where the corrected p is below 0.05 (Holm, over all groups that are compared)"
    return f"<h2>Groups by {escape(name)}</h2>{_table(caption, head, rows)}"


def _warnings(warnings: Mapping[str, Any]) -> str:
    rows = [[code, str(share["count"]), _with_interval(share)] for code, share in warnings.items()]
    return f"<h2>Warnings</h2>{_table('Accuracy on faces with each warning', ('Warning', 'Faces', 'Accuracy'), rows)}"


def _comparison(comparison: Mapping[str, Any] | None) -> str:
    if comparison is None:
        return ""
    rows = [
        [name, _with_interval(share)] for name, share in zip(comparison["models"], comparison["accuracy"], strict=True)
    ]
    text = (
        f"<p>On {comparison['faces']} faces, only the first is right on {comparison['only_first_right']}, only the "
        f"second on {comparison['only_second_right']}; p by McNemar's exact test: {_probability(comparison['p'])}.</p>"
    )
    return f"<h2>Comparison</h2>{_table('Accuracy on the same faces', ('Model', 'Accuracy'), rows)}{text}"


def _mistakes(mistakes: Sequence[Mapping[str, Any]], pictures: Mapping[str, bytes]) -> str:
    rows = [[m["source"], m["label"], m["predicted"], _percent(m["confidence"])] for m in mistakes]
    table = _table(
        "The surest predictions that differ from the label", ("Picture", "Label", "Prediction", "Confidence"), rows
    )
    shown = "".join(
        f'<figure><img alt="" src="data:image/jpeg;base64,{base64.b64encode(pictures[m["source"]]).decode()}">'
        f"<figcaption>{escape(m['label'])}, not {escape(m['predicted'])}</figcaption></figure>"
        for m in mistakes
        if m["source"] in pictures
    )
    return f'<h2>Mistakes</h2>{table}<div class="pictures">{shown}</div>'


def _svg(figure: Any, alt: str) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = text.getvalue()
    return f'<figure role="img" aria-label="{escape(alt)}">{svg[svg.index("<svg") :]}</figure>'
