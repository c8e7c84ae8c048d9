"""A description of a face in words, built by rules from its figures: the same figures give the same words.

It names what the face shows, never what a person feels. The words of each language are in one file in
``descriptions/``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from app.expression.action_units import ActionUnit, methods
from app.expression.labels import usual_name

Language = Literal["en", "de", "fr", "es"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

_CLEAR, _MOST, _PART, _TRACE = 0.85, 0.5, 0.15, 0.05
"""Least share of a label that is called clear, most, a part and a trace."""

_NEARLY_ALL = 0.995
"""Shares from here on are "over 99 %": no probability is certain."""

_MOST_LABELS, _MOST_FITTING, _MOST_OTHER, _MOST_REASONS = 3, 3, 2, 2
"""How many of each a description names. It stays below 60 words."""

FITTING_UNITS: Final[Mapping[str, frozenset[str]]] = {
    label: frozenset(f"AU{number}" for number in numbers)
    for label, numbers in {
        "angry": (4, 5, 7, 10, 17, 22, 23, 24, 25, 26),
        "disgust": (4, 7, 9, 10, 15, 16, 17, 25),
        "fear": (1, 2, 4, 5, 7, 20, 25, 26, 27),
        "happy": (6, 7, 12, 25, 26),
        "sad": (1, 4, 7, 15, 17),
        "surprise": (1, 2, 5, 25, 26, 27),
        "contempt": (12, 14),
        "neutral": (),
    }.items()
}
"""The units that commonly go with an expression: the prototypes of Ekman and Friesen (EMFACS, 1983) and the units that
Du, Tao and Martinez (2014) found in at least a fifth of posed expressions."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a description is built from. ``units`` is None where they could not be measured."""

    probabilities: Mapping[str, float]
    uncertain: bool
    warnings: Sequence[str]
    units: Mapping[str, ActionUnit] | None


def describe(shown: Shown, language: Language) -> str:
    """The description in one language."""
    words = _words(language)
    ranked = sorted(shown.probabilities.items(), key=lambda pair: -pair[1])
    sentences = [words["expression"].format(shares=_shares(ranked, words)), *_movements(ranked[0][0], shown, words)]
    # That there are more faces, or no mesh, makes the expression no less sure.
    codes = [*(["uncertain"] if shown.uncertain else []), *shown.warnings]
    reasons = [words["reasons"][code] for code in codes if code in words["reasons"]]
    if reasons:
        listed = _list(reasons[:_MOST_REASONS], words)
        sentences.append(words["unsure"].format(reasons=listed))
    return " ".join(sentences)


def preferred_language(accepted: str) -> Language:
    """The best language for an ``Accept-Language`` header; English where none fits."""
    weights: dict[str, float] = {}
    for choice in accepted.split(","):
        tag, _, parameters = choice.partition(";")
        name = tag.strip().lower().partition("-")[0]
        weights[name] = max(weights.get(name, 0.0), _weight(parameters))
    return max(LANGUAGES, key=lambda language: (weights.get(language, 0.0), language == "en"))


def _weight(parameters: str) -> float:
    name, _, value = parameters.replace(" ", "").partition("=")
    if name.lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0


@functools.cache
def _words(language: Language) -> Mapping[str, Any]:
    folder = Path(__file__).with_name("descriptions")
    words: Mapping[str, Any] = json.loads((folder / f"{language}.json").read_text("utf-8"))
    return words


def _shares(ranked: Sequence[tuple[str, float]], words: Mapping[str, Any]) -> str:
    named = [(label, share) for number, (label, share) in enumerate(ranked) if share >= _TRACE or not number]
    parts = []
    for label, share in named[:_MOST_LABELS]:
        name = words["labels"].get(usual_name(label)) or words["quote"].format(label=label)
        degree = words["shares"][_degree(share)].format(label=name)
        percent = words["nearly_all"] if share >= _NEARLY_ALL else round(100 * share)
        parts.append(words["percent"].format(label=degree, percent=percent))
    return str(words["comma"].join(parts))


def _degree(share: float) -> str:
    if share >= _CLEAR:
        return "clear"
    if share >= _MOST:
        return "most"
    return "part" if share >= _PART else "trace"


def _movements(label: str, shown: Shown, words: Mapping[str, Any]) -> list[str]:
    if shown.units is None:
        return [words["unmeasured"]]
    known = methods()
    active = {code: unit for code, unit in shown.units.items() if unit.active and not known[code].experimental}
    if not active:
        return [words["still"]]
    strongest = sorted(active, key=lambda code: -active[code].intensity)
    fitting = FITTING_UNITS.get(usual_name(label))
    if fitting is None:
        return [_sentence("active", strongest[:_MOST_FITTING], words)]
    going = [code for code in strongest if code in fitting][:_MOST_FITTING]
    other = [code for code in strongest if code not in fitting][:_MOST_OTHER]
    return [_sentence(kind, codes, words) for kind, codes in (("fitting", going), ("other", other)) if codes]


def _sentence(kind: str, codes: Sequence[str], words: Mapping[str, Any]) -> str:
    return str(words[kind].format(units=_list([words["units"][code] for code in codes], words)))


def _list(parts: Sequence[str], words: Mapping[str, Any]) -> str:
    *first, last = parts
    return str(words["and"].join([words["comma"].join(first), last] if first else [last]))
