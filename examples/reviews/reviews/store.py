"""The index over the reviews, on disk and in memory (FAISS)."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from reviews.embedding import MODEL_SHA256, WIDTH, Embedder, Vectors
from reviews.reviews import Review

EXACT_UP_TO = 50_000
"""Up to so many reviews every vector is compared; above, HNSW looks at a few of them."""
HNSW_LINKS, HNSW_BUILD, HNSW_SEARCH = 32, 40, 64
CHUNK = 64
"""Reviews embedded between two reports of progress."""


class DamagedIndex(Exception):
    """The index on disk cannot be used; the message says why."""


@dataclass(frozen=True)
class Found:
    """A review with its similarity to the query."""

    review: Review
    score: float


@dataclass(frozen=True)
class Store:
    """Reviews and the index over their vectors, in the same order."""

    reviews: Sequence[Review]
    index: Any

    def search(self, query: Vectors, top: int) -> list[Found]:
        """The most similar reviews, best first, for a query of shape (1, 384)."""
        scores, numbers = self.index.search(query, min(top, len(self.reviews)))
        pairs = zip(scores[0], numbers[0], strict=True)
        return [Found(self.reviews[number], float(score)) for score, number in pairs if number >= 0]


def new_index(count: int) -> Any:
    """An empty index that suits `count` vectors."""
    if count <= EXACT_UP_TO:
        return faiss.IndexFlatIP(WIDTH)
    index = faiss.IndexHNSWFlat(WIDTH, HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = HNSW_BUILD
    index.hnsw.efSearch = HNSW_SEARCH
    return index


def build(reviews: Sequence[Review], embedder: Embedder, progress: Callable[[int], None]) -> Store:
    """Embeds the reviews; `progress` gets how many are done."""
    vectors = np.empty((len(reviews), WIDTH), np.float32)
    for start in range(0, len(reviews), CHUNK):
        texts = [review.text for review in reviews[start : start + CHUNK]]
        vectors[start : start + CHUNK] = embedder.embed(texts)
        progress(start + len(texts))
    index = new_index(len(reviews))
    index.add(vectors)
    return Store(reviews, index)


def fingerprint(reviews: Sequence[Review]) -> str:
    """Changes with the reviews and with the embedding model."""
    lines = "\n".join(json.dumps(review.as_dict(), sort_keys=True) for review in reviews)
    return hashlib.sha256(f"{MODEL_SHA256}\n{lines}".encode()).hexdigest()


def save(store: Store, folder: Path) -> None:
    """Writes the index beside its place and moves it there, so that no half of one is ever read."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".index-", dir=folder.parent))
    content = faiss.serialize_index(store.index).tobytes()
    (unfinished / "index.faiss").write_bytes(content)
    about = {"reviews": fingerprint(store.reviews), "index": hashlib.sha256(content).hexdigest()}
    (unfinished / "about.json").write_text(json.dumps(about), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.replace(folder)


def load(reviews: Sequence[Review], folder: Path) -> Store | None:
    """The saved index over exactly these reviews; None where there is none, or one over others."""
    if not folder.exists():
        return None
    try:
        about = json.loads((folder / "about.json").read_text("utf-8"))
        saved, wanted = about["reviews"], about["index"]
        content = (folder / "index.faiss").read_bytes()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedIndex(f"{folder} is incomplete") from error
    if saved != fingerprint(reviews):
        return None
    if hashlib.sha256(content).hexdigest() != wanted:
        raise DamagedIndex(f"{folder / 'index.faiss'} does not have its checksum")
    return Store(reviews, faiss.deserialize_index(np.frombuffer(content, np.uint8)))


def opened(reviews: Sequence[Review], embedder: Embedder, folder: Path, say: Callable[[str], None]) -> Store:
    """The index from disk, or a fresh one where it is missing, damaged, or over other reviews; `say` gets sentences."""
    try:
        store = load(reviews, folder)
    except DamagedIndex as error:
        say(f"The index is damaged ({error}) and is built again.")
        store = None
    if store is None:
        say(f"Building the index over {len(reviews)} reviews.")
        store = build(reviews, embedder, lambda done: say(f"  {done} of {len(reviews)} reviews"))
        try:
            save(store, folder)
        except OSError as error:
            say(f"The index cannot be saved, so the next start builds it again: {error}.")
    return store
