"""SUMMARY_MODEL and SENTIMENT_MODEL, with tiny random models that the test makes."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from reviews.errors import SetupError
from reviews.sentiment import ModelAnalyser
from reviews.summary import ModelSummariser

needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None or importlib.util.find_spec("torch") is None,
    reason="transformers and torch are not installed.",
)
TEXTS = ["I love this kettle.", "I hate that kettle."]
WORDS = ["<pad>", "</s>", "<unk>", "<s>", "i", "love", "hate", "this", "that", "kettle", "."]


def write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, "<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    about = {"tokenizer_class": "PreTrainedTokenizerFast"} | special
    (folder / "tokenizer_config.json").write_text(json.dumps(about), "utf-8")


def write_roberta(folder: Path, labels: dict[int, str]) -> None:
    import torch
    from transformers import RobertaConfig, RobertaForSequenceClassification

    write_tokenizer(folder)
    torch.manual_seed(1)
    config = RobertaConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=520, type_vocab_size=1, pad_token_id=0, id2label=labels,
        label2id={name: number for number, name in labels.items()},
    )  # fmt: skip
    RobertaForSequenceClassification(config).save_pretrained(folder)


@needs_transformers
def test_a_summary_is_written_by_the_model(tmp_path: Path) -> None:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    folder = tmp_path / "tiny-t5"
    write_tokenizer(folder)
    torch.manual_seed(1)
    config = T5Config(
        vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)
    summariser = ModelSummariser(folder)
    assert summariser.name == "tiny-t5"
    summary = summariser.summarise(TEXTS * 200, 1)
    assert set(summary.split()) <= set(WORDS)
    assert summary == summariser.summarise(TEXTS * 200, 1)


@needs_transformers
@pytest.mark.parametrize(
    "labels",
    [{0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}, {0: "negative", 1: "neutral", 2: "positive"}, {0: "NEG", 1: "POS"}],
)
def test_sentiment_is_the_models(tmp_path: Path, labels: dict[int, str]) -> None:
    write_roberta(tmp_path / "tiny-roberta", labels)
    analyser = ModelAnalyser(tmp_path / "tiny-roberta")
    first, second = analyser.analyse(TEXTS)
    assert first.shares.keys() == {"negative", "neutral", "positive"}
    assert abs(sum(first.shares.values()) - 1) < 1e-5
    assert first.score == first.shares["positive"] - first.shares["negative"]
    assert first != second
    assert analyser.analyse(["love " * 2_000])


@needs_transformers
def test_a_model_with_other_labels_is_refused(tmp_path: Path) -> None:
    write_roberta(tmp_path / "stars", {0: "1 star", 1: "2 stars"})
    with pytest.raises(SetupError, match="has the labels 1 star, 2 stars, not negative"):
        ModelAnalyser(tmp_path / "stars")


@needs_transformers
def test_a_folder_without_a_model_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SetupError, match=r"^The model in [^\n]*\(SUMMARY_MODEL\) cannot be loaded: [^\n]+$"):
        ModelSummariser(tmp_path / "empty")
    with pytest.raises(SetupError, match="which is no folder"):
        ModelAnalyser(tmp_path / "missing")


def test_without_transformers_it_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SetupError, match="needs the packages transformers and torch"):
        ModelSummariser(tmp_path)
