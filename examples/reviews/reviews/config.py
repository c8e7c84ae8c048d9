"""The settings, read from environment variables of the same names in capitals."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

FOLDER = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Every setting, with its default."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    reviews_port: int = Field(default=8010, ge=1, le=65535, description="Port to listen on.")
    visage_url: str = Field(default="http://127.0.0.1:8000", pattern="^https?://", description="Where Visage is.")
    visage_api_key: str | None = Field(default=None, description="Sent to Visage as X-API-Key.")
    visage_timeout: float = Field(default=40, gt=0, le=600, description="Seconds to wait for Visage.")
    data_folder: Path = Field(default=FOLDER / ".data", description="Where the embedding model and the index lie.")
    reviews_file: Path | None = Field(
        default=None, description="Your own reviews, one JSON object a line; without it, the synthetic ones."
    )
    summary_model: Path | None = Field(
        default=None, description="Folder of a Flan-T5 model; without it, sentences are chosen."
    )
    sentiment_model: Path | None = Field(default=None, description="Folder of a RoBERTa model; without it, VADER.")
    threads: int = Field(default=2, ge=1, le=64, description="Threads that one embedding uses.")

    @property
    def model_folder(self) -> Path:
        """Where `model.onnx` and `tokenizer.json` lie."""
        return self.data_folder / "model"

    @property
    def index_folder(self) -> Path:
        """Where the index over the reviews lies."""
        return self.data_folder / "index"
