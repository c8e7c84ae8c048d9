"""`python -m reviews.benchmark`: what retrieval costs and finds. `--vectors 1000000` measures a large index too.

The large index has the vectors of the synthetic reviews with noise added, so that they lie in groups like those of real
texts; what it finds is compared with an exact search.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import faiss
import numpy as np

from reviews.config import Settings
from reviews.embedding import WIDTH
from reviews.emotions import QUERIES
from reviews.engine import Engine, load
from reviews.requests import ReviewQuery
from reviews.store import HNSW_LINKS, new_index

QUERY_COUNT = 200
NOISE = 0.04
"""Standard deviation added to each of the 384 numbers of a vector."""
CHUNK = 20_000


def queries() -> dict[str, list[str]]:
    """The hand-written queries by emotion, each emotion's name first."""
    found: dict[str, list[str]] = json.loads(files("reviews").joinpath("queries.json").read_text("utf-8"))
    return found


def precision(engine: Engine, texts: list[str], emotion: str) -> float:
    """The share of the first four reviews with this label, over all texts."""
    vectors = engine.embedder.embed(texts)
    found = [engine.store.search(vectors[number : number + 1], 4) for number in range(len(texts))]
    labels = [each.review.emotion for one in found for each in one]
    return labels.count(emotion) / len(labels)


def milliseconds(work: Callable[[], Any], times: int) -> tuple[float, float]:
    """The median and the 95th percentile."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken)), float(np.quantile(taken, 0.95))


def small(engine: Engine) -> None:
    """Prints precision by emotion and the latency of a whole query."""
    print("Precision at 4   hand-written queries   the emotion's own query")
    for emotion, texts in queries().items():
        own = precision(engine, [QUERIES[emotion]], emotion)
        print(f"{emotion:<16} {precision(engine, texts, emotion):.2f} of {len(texts):<16} {own:.2f}")
    query = ReviewQuery(query="a present that made somebody happy")
    median, late = milliseconds(lambda: engine.result_of(query), 50)
    print(f"A query with its summary: median {median:.1f} ms, 95th percentile {late:.1f} ms")


def large(engine: Engine, count: int) -> None:
    """Prints time to build, size, latency and recall of an index of `count` vectors."""
    base = engine.embedder.embed([review.text for review in engine.store.reviews])
    dice = np.random.default_rng(20261126)
    asked = _noisy(base, QUERY_COUNT, dice)
    index, exact = new_index(count), [(np.full((QUERY_COUNT, 4), -2.0), np.zeros((QUERY_COUNT, 4), np.int64))]
    start, building = time.perf_counter(), 0.0
    for first in range(0, count, CHUNK):
        vectors = _noisy(base, min(CHUNK, count - first), dice)
        begun = time.perf_counter()
        index.add(vectors)
        building += time.perf_counter() - begun
        exact = [_best(exact[0], asked @ vectors.T, first)]
        done, spent = first + len(vectors), time.perf_counter() - start
        print(f"\r{done} of {count} vectors, {spent:.0f} s", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    single = iter(np.tile(asked, (2, 1)))
    median, late = milliseconds(lambda: index.search(next(single)[None], 4), QUERY_COUNT)
    _, found = index.search(asked, 4)
    hits = [len(set(one) & set(other)) for one, other in zip(found, exact[0][1], strict=True)]
    size = count * (4 * WIDTH + 8 * HNSW_LINKS) / 2**30
    print(f"{type(index).__name__} of {count} vectors: built in {building:.0f} s, about {size:.1f} GiB")
    print(f"A search: median {median:.2f} ms, 95th percentile {late:.2f} ms")
    print(f"It finds {np.mean(hits) / 4:.3f} of the best four that an exact search finds")


def _noisy(base: Any, count: int, dice: np.random.Generator) -> Any:
    vectors = base[dice.integers(len(base), size=count)]
    vectors = vectors + NOISE * dice.standard_normal((count, WIDTH), np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _best(before: tuple[Any, Any], scores: Any, first: int) -> tuple[Any, Any]:
    """The best four of those before and of a further block of scores."""
    top = np.argpartition(-scores, 4, axis=1)[:, :4]
    values = np.concatenate([before[0], np.take_along_axis(scores, top, 1)], axis=1)
    numbers = np.concatenate([before[1], top + first], axis=1)
    order = np.argsort(-values, axis=1)[:, :4]
    return np.take_along_axis(values, order, 1), np.take_along_axis(numbers, order, 1)


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description="Measures retrieval.")
    parser.add_argument("--vectors", type=int, metavar="COUNT", help="also an index of so many vectors")
    parser.add_argument("--threads", type=int, default=2, help="threads that build the index (2)")
    chosen = parser.parse_args()
    faiss.omp_set_num_threads(chosen.threads)
    engine = load(Settings(), lambda sentence: print(sentence, file=sys.stderr))
    small(engine)
    if chosen.vectors:
        large(engine, chosen.vectors)


if __name__ == "__main__":
    main()
