"""Everything that is loaded at start: the reviews with their index, the summariser and the sentiment analyser."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reviews.config import Settings
from reviews.embedding import Embedder
from reviews.generator import generate
from reviews.requests import ReviewQuery
from reviews.reviews import read_reviews
from reviews.sentiment import Analyser, ModelAnalyser, VaderAnalyser
from reviews.store import Store, opened
from reviews.summary import ExtractiveSummariser, ModelSummariser, Summariser


@dataclass(frozen=True)
class Engine:
    """What queries and texts are put to. Safe on several threads."""

    embedder: Embedder
    store: Store
    summariser: Summariser
    analyser: Analyser

    def result_of(self, query: ReviewQuery) -> dict[str, Any]:
        """The best reviews for a query, and their summary."""
        text = query.text()
        times = [time.perf_counter()]
        vector = self.embedder.embed([text])
        times.append(time.perf_counter())
        found = self.store.search(vector, query.top)
        times.append(time.perf_counter())
        summary = self.summariser.summarise([each.review.text for each in found], query.sentences)
        times.append(time.perf_counter())
        stages = zip(("embedding", "search", "summary"), times, times[1:], strict=False)
        return {
            "success": True,
            "query": text,
            "emotion": query.emotion,
            "reviews": [each.review.as_dict() | {"score": round(each.score, 4)} for each in found],
            "summary": summary,
            "summary_by": self.summariser.name,
            "timings_ms": {name: round(1000 * (end - start), 2) for name, start, end in stages},
        }


def load(settings: Settings, say: Callable[[str], None]) -> Engine:
    """Loads all of it, and builds the index where that is needed; `say` gets sentences on the progress."""
    embedder = Embedder(settings.model_folder, settings.threads)
    summary, sentiment = settings.summary_model, settings.sentiment_model
    summariser = ModelSummariser(summary) if summary else ExtractiveSummariser(embedder)
    analyser = ModelAnalyser(sentiment) if sentiment else VaderAnalyser()
    reviews = read_reviews(settings.reviews_file) if settings.reviews_file else generate()
    return Engine(embedder, opened(reviews, embedder, settings.index_folder, say), summariser, analyser)
