"""One engine for all tests, with the real embedding model and the synthetic reviews."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from reviews.config import Settings
from reviews.engine import Engine, load
from reviews.main import create_app

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings(visage_url=NOBODY, visage_timeout=5)


@pytest.fixture(scope="session")
def engine(settings: Settings) -> Engine:
    return load(settings, print)


@pytest.fixture(scope="session")
def client(settings: Settings, engine: Engine) -> Iterator[TestClient]:
    with TestClient(create_app(settings, engine)) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"
