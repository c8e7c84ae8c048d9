"""Descriptions: grammar by rules and truth, over hundreds of generated faces in each language."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from app.expression import description
from app.expression.action_units import ActionUnit, methods
from app.expression.description import FITTING_UNITS, LANGUAGES, Language, Shown, describe, preferred_language
from app.vision.quality import WarningCode

FILES = Path(description.__file__).with_name("descriptions")
WORDS: dict[Language, dict[str, Any]] = {
    language: json.loads((FILES / f"{language}.json").read_text("utf-8")) for language in LANGUAGES
}
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
WARNINGS: tuple[str, ...] = get_args(WarningCode.__value__)
HARMLESS = {"multiple_faces", "mesh_unsure"}
"""Warnings that say nothing about how reliable the expression is."""
FEELINGS = re.compile(
    r"\b(feel\w*|emotion\w*|mood\w*|fühl\w*|gefühl\w*|stimmung\w*|ressent\w*|émotion\w*|humeur\w*|sient\w*|sentim\w*"
    r"|emoci\w*|ánimo|is happy|is sad|is angry)\b",
    re.IGNORECASE,
)
CASES = 150


def unit(code: str, intensity: float, *, active: bool = True) -> ActionUnit:
    return ActionUnit(methods()[code].name, intensity, active)


def cases() -> Iterator[Shown]:
    """Faces of every kind: any shares, any units, any warnings."""
    rng = np.random.default_rng(7)
    codes = [*methods()]
    for number in range(CASES):
        shares = rng.dirichlet(np.full(len(LABELS), [0.05, 0.3, 1.5][number % 3]))
        active = rng.random(len(codes)) < [0.0, 0.15, 0.5, 1.0][number % 4]
        units = {code: unit(code, float(rng.random()), active=bool(on)) for code, on in zip(codes, active, strict=True)}
        count = int(rng.integers(0, 4)) if number % 2 else 0
        warnings = tuple(rng.choice(WARNINGS, count, replace=False).tolist())
        yield Shown(
            probabilities=dict(zip(LABELS, shares.tolist(), strict=True)),
            uncertain=bool(shares.max() < 0.6),
            warnings=warnings,
            units=None if number % 10 == 9 else units,
        )


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Language:
    chosen: Language = request.param
    return chosen


def test_every_language_has_every_word(language: Language) -> None:
    words, english = WORDS[language], WORDS["en"]
    assert words.keys() == english.keys()
    for part in ("units", "labels", "reasons", "shares"):
        assert words[part].keys() == english[part].keys()
        assert len(set(words[part].values())) == len(words[part]), "two things have the same name"
    assert methods().keys() == words["units"].keys()
    assert words["reasons"].keys() == {"uncertain", *WARNINGS} - HARMLESS
    for name in ("expression", "fitting", "other", "active", "unsure"):
        assert re.findall(r"{(\w+)}", words[name]) == re.findall(r"{(\w+)}", english[name])


def test_the_sentences_are_whole(language: Language) -> None:
    for shown in cases():
        text = describe(shown, language)
        assert text == text.strip()
        assert "  " not in text
        assert not re.search(r"[{}]|None|\(\s|\s\)|\s[,.;]|,,|\.\.|, \.", text), text
        for sentence in re.split(r"(?<=\.) ", text):
            assert sentence.endswith("."), text
            assert sentence[0].isupper(), text
        assert len(text.split()) < 60, text


def test_lists_have_commas_and_one_conjunction_at_the_end(language: Language) -> None:
    words = WORDS[language]
    names = [*words["units"].values()][:3]
    assert description._list(names[:1], words) == names[0]
    assert description._list(names[:2], words) == f"{names[0]}{words['and']}{names[1]}"
    assert description._list(names, words) == f"{names[0]}, {names[1]}{words['and']}{names[2]}"


def test_it_speaks_of_what_shows_and_never_of_feelings(language: Language) -> None:
    for shown in cases():
        assert not FEELINGS.search(describe(shown, language))


def test_each_unit_that_is_named_is_active_and_on_the_right_side(language: Language) -> None:
    words = WORDS[language]
    named_units = 0
    for shown in cases():
        if shown.units is None:
            continue
        text = describe(shown, language)
        top = max(shown.probabilities, key=shown.probabilities.__getitem__)
        for kind, fits in (("fitting", True), ("other", False)):
            start, end = words[kind].split("{units}")
            found = re.search(re.escape(start) + "(.*?)" + re.escape(end), text)
            for name in re.split(f", |{words['and']}", found[1]) if found else []:
                (code,) = [code for code, known in words["units"].items() if known == name]
                assert shown.units[code].active, (text, code)
                assert not methods()[code].experimental, (text, code)
                assert (code in FITTING_UNITS[top]) == fits, (text, code)
                named_units += 1
        if not any(each.active and not methods()[code].experimental for code, each in shown.units.items()):
            assert words["still"] in text
    assert named_units > CASES


def test_the_shares_are_those_of_the_prediction(language: Language) -> None:
    for shown in cases():
        percents = [int(number) for number in re.findall(r"\([^()]*?(\d+) %\)", describe(shown, language))]
        ranked = sorted(shown.probabilities.values(), reverse=True)
        assert percents == [min(99, round(100 * share)) for share in ranked][: len(percents)]
        assert percents


def test_no_share_is_called_certain(language: Language) -> None:
    for share, percent in ((0.9949, "(99 %)"), (0.995, f"({WORDS[language]['nearly_all']} %)")):
        shown = Shown({"happy": share, "sad": 1 - share}, uncertain=False, warnings=(), units=None)
        assert percent in describe(shown, language)


def test_the_numbers_are_the_same_in_each_language() -> None:
    for shown in cases():
        assert len({tuple(re.findall(r"\d+", describe(shown, language))) for language in LANGUAGES}) == 1


def test_what_makes_it_unsure_is_said(language: Language) -> None:
    words = WORDS[language]
    for code, reason in words["reasons"].items():
        shown = Shown({"happy": 0.5, "sad": 0.4}, code == "uncertain", () if code == "uncertain" else (code,), {})
        assert reason in describe(shown, language)
    for warnings in ((), tuple(HARMLESS)):
        sure = describe(Shown({"happy": 0.9}, False, warnings, {}), language)
        assert words["unsure"].split("{")[0].strip() not in sure


def test_the_same_face_gets_the_same_words() -> None:
    for shown in itertools.islice(cases(), 20):
        assert describe(shown, "en") == describe(shown, "en")


def test_the_words_in_english() -> None:
    units = {
        "AU6": unit("AU6", 0.8),
        "AU12": unit("AU12", 0.9),
        "AU4": unit("AU4", 0.5),
        "AU9": unit("AU9", 0, active=False),
    }
    shown = Shown({"happy": 0.7, "surprise": 0.25, "sad": 0.05}, False, ("blurred",), units)
    assert describe(shown, "en") == (
        "Apparent expression: mostly happy (70 %), partly surprised (25 %), slightly sad (5 %). "
        "Movements that commonly go with it: raised lip corners and raised cheeks. "
        "Movements that do not commonly go with it: lowered brows. "
        "This is unsure: the face is blurred."
    )


def test_a_label_of_a_dropped_in_model_is_quoted() -> None:
    units = {"AU12": unit("AU12", 0.9)}
    text = describe(Shown({"{pain}": 0.9, "calm": 0.1}, False, (), units), "en")
    assert text == (
        "Apparent expression: clearly “{pain}” (90 %), slightly “calm” (10 %). Active movements: raised lip corners."
    )


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("it, fr;q=0.5", "fr"),
        ("ja", "en"),
        ("*", "en"),
        ("en;q=0.3, es;q=0.4", "es"),
        ("fr;q=0, de;q=0", "en"),
        ("ES", "es"),
        ("de;q=x, fr;q=0.1", "fr"),
        (";;;,,,q=1", "en"),
    ],
)
def test_the_language_that_a_client_prefers(accepted: str, expected: str) -> None:
    assert preferred_language(accepted) == expected
