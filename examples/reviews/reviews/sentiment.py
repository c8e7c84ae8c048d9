"""How positive or negative texts are: VADER's word list, or a classifier such as RoBERTa."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from reviews.errors import SetupError
from reviews.local_models import folder_of, transformers

NAMES = ("negative", "neutral", "positive")
BOUND = 0.05
"""VADER's authors call a score between -0.05 and 0.05 neutral."""


@dataclass(frozen=True)
class Sentiment:
    """The sentiment of one text; `score` goes from -1 (negative) to 1 (positive)."""

    label: str
    score: float
    shares: dict[str, float]
    """What is negative, neutral and positive in it; the three add up to 1."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Analyser(Protocol):
    """What scores texts."""

    name: str

    def analyse(self, texts: Sequence[str]) -> list[Sentiment]:
        """One sentiment a text."""
        ...


class VaderAnalyser:
    """By words that carry sentiment, negations and emphasis. For English."""

    name = "vader"

    def __init__(self) -> None:
        self._vader = SentimentIntensityAnalyzer()

    def analyse(self, texts: Sequence[str]) -> list[Sentiment]:
        """One sentiment a text."""
        return [self._analyse(text) for text in texts]

    def _analyse(self, text: str) -> Sentiment:
        found = self._vader.polarity_scores(text)
        score = found["compound"]
        label = "positive" if score >= BOUND else "negative" if score <= -BOUND else "neutral"
        return Sentiment(label, score, {"negative": found["neg"], "neutral": found["neu"], "positive": found["pos"]})


class ModelAnalyser:
    """By a text classifier from a folder, with two or three labels."""

    def __init__(self, folder: Path) -> None:
        library = transformers("SENTIMENT_MODEL")
        with folder_of("SENTIMENT_MODEL", folder):
            self._tokenizer = library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = library.AutoModelForSequenceClassification
            self._model = model.from_pretrained(folder, local_files_only=True).eval()
        self._labels = _names_of(self._model.config.id2label, folder)
        self.name = folder.name

    def analyse(self, texts: Sequence[str]) -> list[Sentiment]:
        """One sentiment a text."""
        return [self._analyse(text) for text in texts]

    def _analyse(self, text: str) -> Sentiment:
        encoded = self._tokenizer(text, return_tensors="pt", truncation=True, max_length=512)
        inputs = {name: encoded[name] for name in ("input_ids", "attention_mask")}
        values = self._model(**inputs).logits[0].softmax(-1).tolist()
        shares = dict.fromkeys(NAMES, 0.0) | dict(zip(self._labels, values, strict=True))
        label = max(shares, key=shares.__getitem__)
        return Sentiment(label, shares["positive"] - shares["negative"], shares)


def _names_of(labels: dict[int, str], folder: Path) -> list[str]:
    """Our names for the model's labels: by their first letters, or LABEL_0 to LABEL_2 from negative to positive."""
    numbered = {f"label_{number}": name for number, name in enumerate(NAMES)} if len(labels) == 3 else {}
    short = {name[:3]: name for name in NAMES}
    found = [numbered.get(each.lower()) or short.get(each.lower()[:3], "") for _, each in sorted(labels.items())]
    if not {"negative", "positive"} <= set(found) or "" in found or len(set(found)) != len(found):
        raise SetupError(
            f"The model in {folder} (SENTIMENT_MODEL) has the labels {', '.join(labels.values())}, not negative, "
            "neutral and positive."
        )
    return found
