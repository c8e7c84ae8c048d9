"""Texts to vectors: all-MiniLM-L6-v2 on ONNX Runtime."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reviews.errors import SetupError

# ONNX Runtime reads this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from tokenizers import Tokenizer

MODEL_SHA256 = "6c18ca9751443c0ebbc012d67fbaa8f22663ca70b869dd3668710381643a70c6"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
WIDTH = 384
LONGEST = 256
"""Words and parts of words that the model reads of a text; the rest is cut off."""
BATCH = 32

Vectors = npt.NDArray[np.float32]
"""Shape (texts, 384), each row of length 1."""


class Embedder:
    """Turns texts into vectors whose inner product is their similarity, from -1 to 1. Safe on several threads."""

    def __init__(self, folder: Path, threads: int) -> None:
        model = _checked(folder / "model.onnx", MODEL_SHA256)
        self._tokenizer = Tokenizer.from_str(_checked(folder / "tokenizer.json", TOKENIZER_SHA256).decode("utf-8"))
        self._tokenizer.enable_truncation(LONGEST)
        self._tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One vector a text. Texts of similar length share a batch, so that little padding is computed."""
        vectors = np.empty((len(texts), WIDTH), np.float32)
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            encoded = self._tokenizer.encode_batch([texts[number] for number in chosen])
            (vectors[chosen],) = self._session.run(
                ["embedding"],
                {
                    "input_ids": np.array([each.ids for each in encoded], np.int64),
                    "attention_mask": np.array([each.attention_mask for each in encoded], np.int64),
                },
            )
        return vectors


def _checked(path: Path, wanted: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SetupError(f"{path} cannot be read: `make reviews-model` writes it.") from error
    if hashlib.sha256(content).hexdigest() != wanted:
        raise SetupError(f"{path} is damaged: `make reviews-model` writes it again.")
    return content
