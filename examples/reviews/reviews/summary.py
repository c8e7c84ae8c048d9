"""A short text from several reviews: sentences chosen among theirs, or written by a model such as Flan-T5."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from reviews.embedding import Embedder, Vectors
from reviews.local_models import folder_of, transformers

MOST_SENTENCES = 120
VARIETY = 0.3
"""How much a sentence loses for its similarity to those that are chosen already."""
_END = re.compile(r"(?<=[.!?])\s+")


class Summariser(Protocol):
    """What makes a summary."""

    name: str

    def summarise(self, texts: Sequence[str], sentences: int) -> str:
        """A summary of about so many sentences."""
        ...


class ExtractiveSummariser:
    """Chooses central sentences that differ from one another; every word is a reviewer's."""

    name = "extractive"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def summarise(self, texts: Sequence[str], sentences: int) -> str:
        """The chosen sentences, in the order in which they stand in the reviews."""
        split = list(dict.fromkeys(each for text in texts for each in split_sentences(text)))[:MOST_SENTENCES]
        if len(split) <= sentences:
            return " ".join(split)
        chosen = choose(self._embedder.embed(split), sentences)
        return " ".join(split[number] for number in sorted(chosen))


class ModelSummariser:
    """Writes a summary with a sequence-to-sequence model from a folder. Check what it writes: it can make things up."""

    def __init__(self, folder: Path) -> None:
        library = transformers("SUMMARY_MODEL")
        with folder_of("SUMMARY_MODEL", folder):
            self._tokenizer = library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = library.AutoModelForSeq2SeqLM.from_pretrained(folder, local_files_only=True).eval()
        self.name = folder.name

    def summarise(self, texts: Sequence[str], sentences: int) -> str:
        """At most 40 words and parts of words a sentence."""
        prompt = "Summarize these customer reviews: " + " ".join(texts)
        encoded = self._tokenizer(prompt, return_tensors="pt", truncation=True, max_length=512)
        inputs = {name: encoded[name] for name in ("input_ids", "attention_mask")}
        written = self._model.generate(**inputs, max_new_tokens=40 * sentences, num_beams=2)
        return str(self._tokenizer.decode(written[0], skip_special_tokens=True)).strip()


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, by their full stops, question marks and exclamation marks."""
    return [each.strip() for each in _END.split(text) if each.strip()]


def choose(vectors: Vectors, count: int) -> list[int]:
    """Which vectors to take by maximal marginal relevance, where relevance is the similarity to their centre."""
    centre = vectors.mean(axis=0)
    relevance = vectors @ (centre / max(float(np.linalg.norm(centre)), 1e-9))
    alike = vectors @ vectors.T
    chosen = [int(relevance.argmax())]
    while len(chosen) < count:
        gain = (1 - VARIETY) * relevance - VARIETY * alike[:, chosen].max(axis=1)
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
    return chosen
