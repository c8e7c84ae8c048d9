"""Loading models through transformers, for those who have it and the files. Nothing is ever downloaded."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reviews.errors import SetupError


def transformers(setting: str) -> Any:
    """The library, kept from the network."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        importlib.import_module("torch")
        return importlib.import_module("transformers")
    except ImportError as error:
        raise SetupError(
            f"{setting} needs the packages transformers and torch: `pip install transformers torch` installs them."
        ) from error


@contextmanager
def folder_of(setting: str, folder: Path) -> Iterator[None]:
    """Turns what goes wrong while a model is loaded from a folder into one sentence."""
    if not folder.is_dir():
        raise SetupError(f"{setting} names {folder}, which is no folder.")
    try:
        yield
    except Exception as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise SetupError(f"The model in {folder} ({setting}) cannot be loaded: {first[0]}") from error
