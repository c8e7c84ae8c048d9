"""The whole service in process, on a fake engine."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.exceptions import StarletteDeprecationWarning

with warnings.catch_warnings():
    # It asks for httpx2, the name under which a later httpx goes.
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from fastapi.testclient import TestClient

from app.config import Settings
from app.main import create_app
from app.service import Service
from tests.api import contract
from tests.api.fakes import PATIENCE, FakeRegistry, Script, fake_factories

Start = Callable[..., TestClient]

PICTURE = b"\xff\xd8\xff\xe0 a picture, as far as the fake engine is concerned"


@pytest.fixture
def script() -> Script:
    """What the engine does."""
    return Script()


@pytest.fixture
def start(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts the service with some settings and waits until it is ready, unless ``wait`` is false.

    Every response that a client of it gets is checked against the OpenAPI document.
    """
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    with ExitStack() as stack:

        def begin(*, registry: FakeRegistry | None = None, wait: bool = True, **settings: Any) -> TestClient:
            values = {"workers": 1, "rate_limit": "off", **settings}
            app = create_app(Settings(**values), fake_factories(script, registry))
            client = stack.enter_context(TestClient(app, raise_server_exceptions=False))
            client.event_hooks["response"].append(contract.check)
            if wait:
                until(lambda: client.get("/health/ready").status_code == 200)
            return client

        yield begin


@pytest.fixture
def client(start: Start) -> TestClient:
    """The service with its defaults, one worker and no rate limit."""
    return start()


def service_of(client: TestClient) -> Service:
    """The state of a service that a test started."""
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    return service


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that is about to happen."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def upload(data: bytes = PICTURE, name: str = "photo.jpg") -> dict[str, Any]:
    """The arguments of a request that sends one picture."""
    return {"files": {"file": (name, data, "image/jpeg")}}
