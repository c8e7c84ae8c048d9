"""What is found for which query, and the index."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import faiss
import numpy as np
import pytest

from reviews import store
from reviews.benchmark import precision, queries
from reviews.config import Settings
from reviews.embedding import Embedder
from reviews.emotions import QUERIES
from reviews.engine import Engine
from reviews.errors import SetupError
from reviews.generator import SITUATIONS, TAKEN, generate
from reviews.reviews import read_reviews
from reviews.summary import choose, split_sentences

# What the published model gives with PyTorch, the first eight of 384 numbers.
REFERENCE = {
    "A happy face.": [-0.0264, 0.1132, -0.0632, 0.0143, -0.0365, 0.0181, 0.1284, -0.0286],
    "The parcel came late, broken and without a word; I am furious about it!": [
        -0.0071, 0.0249, 0.0882, 0.0230, 0.0489, -0.0300, -0.0138, -0.0492,
    ],
}  # fmt: skip


def test_the_model_gives_what_pytorch_gives(engine: Engine) -> None:
    vectors = engine.embedder.embed(list(REFERENCE))
    assert np.allclose(vectors[:, :8], list(REFERENCE.values()), atol=1e-4)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_text_gets_the_same_vector_alone_and_beside_longer_ones(engine: Engine) -> None:
    texts = ["short", "a much longer text " * 10, "word " * 1000]
    together = engine.embedder.embed(texts)
    for text, vector in zip(texts, together, strict=True):
        assert np.allclose(engine.embedder.embed([text])[0], vector, atol=1e-5)


def test_there_are_a_hundred_different_reviews_an_emotion_always_the_same() -> None:
    reviews = generate()
    assert reviews == generate()
    assert Counter(review.emotion for review in reviews) == dict.fromkeys(QUERIES, 100)
    assert len({review.text for review in reviews}) == 700
    assert all(review.synthetic for review in reviews)


@pytest.mark.parametrize("emotion", QUERIES)
def test_four_of_five_reviews_found_have_the_emotion(engine: Engine, emotion: str) -> None:
    texts = queries()[emotion]
    assert texts[0] == emotion
    assert len(texts) >= 6
    assert precision(engine, texts, emotion) >= 0.8
    assert precision(engine, [QUERIES[emotion]], emotion) >= 0.8


def test_the_queries_are_not_the_generators() -> None:
    written = " ".join(text for group in (TAKEN, SITUATIONS) for texts in group.values() for text in texts).lower()
    phrases = [text for texts in queries().values() for text in texts[1:]]
    assert [text for text in phrases if text.lower() in written] == []


def test_a_missing_index_is_built_with_progress_then_read(engine: Engine, folder: Path) -> None:
    reviews = generate()[:100]
    said: list[str] = []
    built = store.opened(reviews, engine.embedder, folder, said.append)
    assert said == ["Building the index over 100 reviews.", "  64 of 100 reviews", "  100 of 100 reviews"]
    said.clear()
    read = store.opened(reviews, engine.embedder, folder, said.append)
    assert said == []
    query = engine.embedder.embed(["I love it"])
    assert read.search(query, 5) == built.search(query, 5)
    assert [each.name for each in folder.parent.iterdir()] == ["index"]


@pytest.mark.parametrize("damage", ["cut", "about", "gone"])
def test_a_damaged_index_is_built_again_and_said(engine: Engine, folder: Path, damage: str) -> None:
    reviews = generate()[:10]
    store.save(store.build(reviews, engine.embedder, lambda _: None), folder)
    if damage == "cut":
        (folder / "index.faiss").write_bytes((folder / "index.faiss").read_bytes()[:-100])
    elif damage == "about":
        (folder / "about.json").write_text("[", "utf-8")
    else:
        (folder / "index.faiss").unlink()
    said: list[str] = []
    store.opened(reviews, engine.embedder, folder, said.append)
    assert said[0].startswith("The index is damaged (")
    assert said[0].endswith("and is built again.")
    assert store.load(reviews, folder) is not None


def test_an_index_that_cannot_be_saved_serves_all_the_same(engine: Engine, folder: Path) -> None:
    folder.parent.joinpath("file").touch()
    said: list[str] = []
    read = store.opened(generate()[:10], engine.embedder, folder.parent / "file" / "index", said.append)
    assert said[-1].startswith("The index cannot be saved")
    assert len(read.search(engine.embedder.embed(["a"]), 20)) == 10


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_damaged_or_missing_model_is_one_sentence(settings: Settings, tmp_path: Path, name: str) -> None:
    for each in settings.model_folder.iterdir():
        (tmp_path / each.name).symlink_to(each)
    (tmp_path / name).unlink()
    with pytest.raises(SetupError, match=f"{name} cannot be read: `make reviews-model` writes it."):
        Embedder(tmp_path, 1)
    (tmp_path / name).write_text("{}")
    with pytest.raises(SetupError, match=f"{name} is damaged: `make reviews-model` writes it again."):
        Embedder(tmp_path, 1)


def test_an_index_over_other_reviews_is_built_again(engine: Engine, folder: Path) -> None:
    store.save(store.build(generate()[:10], engine.embedder, lambda _: None), folder)
    assert store.load(generate()[:9], folder) is None


def test_many_reviews_get_hnsw_that_finds_what_an_exact_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "EXACT_UP_TO", 1000)
    dice = np.random.default_rng(1)
    vectors = dice.standard_normal((2000, store.WIDTH), np.float32)
    faiss.normalize_L2(vectors)
    index = store.new_index(len(vectors))
    assert isinstance(index, faiss.IndexHNSWFlat)
    index.add(vectors)
    scores, numbers = index.search(vectors[:50], 1)
    assert np.mean(numbers[:, 0] == np.arange(50)) > 0.95
    assert np.allclose(scores[numbers[:, 0] == np.arange(50), 0][0], 1, atol=1e-4)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_own_reviews_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "own.jsonl"
    lines = json.dumps({"text": "Good.", "id": None}) + "\n\n" + json.dumps({"id": "b", "text": "Bad.", "stars": 1})
    path.write_text(lines, encoding)
    first, second = read_reviews(path)
    assert (first.id, first.text, first.emotion, first.synthetic) == ("1", "Good.", None, False)
    assert (second.id, second.stars) == ("b", 1)


def test_a_line_ends_at_a_line_feed_alone(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    texts = ["One\u2028two\u0085three.", "Four."]
    path.write_bytes("\r\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in texts).encode())
    assert [review.text for review in read_reviews(path)] == texts


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"text": ""}', '{"text": 3}', '{"text": "a", "stars": "b"}', '{"text": "\\ud800"}', "7"]
)
def test_a_line_that_is_no_review_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"text": "Good."}\n' + line)
    with pytest.raises(SetupError, match=r"Line 2 of .* is no review"):
        read_reviews(path)


def test_no_reviews_and_no_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SetupError, match="has no review"):
        read_reviews(tmp_path / "empty")
    with pytest.raises(SetupError, match="cannot be read"):
        read_reviews(tmp_path / "missing")


def test_a_summary_has_sentences_of_the_reviews_that_differ(engine: Engine) -> None:
    texts = [
        "The tent leaks. It smells of fish.",
        "This tent leaks! It is heavy.",
        "The tent leaks. It is green.",
    ]
    summary = split_sentences(engine.summariser.summarise(texts, 3))
    assert len(summary) == 3
    assert sum("leaks" in each for each in summary) == 1
    assert {each for text in texts for each in split_sentences(text)} >= set(summary)


def test_a_copy_of_a_chosen_sentence_comes_after_one_that_differs() -> None:
    vectors = np.array([[1, 0], [1, 0], [0.5, 0.866]], np.float32)
    assert choose(vectors, 2) == [0, 2]
    assert choose(vectors, 3) == [0, 2, 1]
