"""The real application on a fake pipeline, served on a port of its own, with faults that a test asks for.

Run it by hand to work on the page: ``python -m tests.e2e.page.application 8765``.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch
from urllib.parse import unquote

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from app.config import Settings
from app.errors import CATALOGUE, RetryableError
from app.inference.manifest import Manifest
from app.main import create_app
from app.server.server import Server, config_of
from app.service import Service
from app.vision.decode import Picture
from app.vision.geometry import Face
from tests.api.fakes import PATIENCE, FakeModel, FakeRegistry, Script, fake_factories
from tests.e2e.page.pictures import SURE, UNSURE, FaceIn, faces_of, sample
from tests.process import ROOT

_COLD_START_SECONDS = 60
_ERRORS = {error.code: error for error in CATALOGUE}


def shipped_card(**changes: Any) -> Manifest:
    """The manifest of the shipped default model, with some fields changed."""
    manifest = Manifest.model_validate_json((ROOT / "models" / "default" / "manifest.json").read_text("utf-8"))
    return manifest.model_copy(update=changes)


def two_models(other: tuple[float, ...] = UNSURE) -> FakeRegistry:
    """The default model, and another that is uncertain of every face unless its probabilities are given."""
    return FakeRegistry(FakeModel(shipped_card(), SURE), FakeModel(shipped_card(name="other"), other))


def slow_explanations() -> FakeRegistry:
    """A model whose explanations take many inferences, so that the page asks for one only when it is wanted."""
    return FakeRegistry(FakeModel(shipped_card(explain=None), SURE))


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str


class _Recorder:
    """Notes each request, and how many predictions there are at a time."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.requests: list[Request] = []
        self.in_flight = self.most_in_flight = 0

    def reset(self) -> None:
        self.requests.clear()
        self.most_in_flight = self.in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        method = scope.get("method", "WEBSOCKET")
        self.requests.append(Request(method, scope["path"], unquote(scope["query_string"].decode())))
        predicts = method == "POST"
        self.in_flight += predicts
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.app(scope, receive, send)
        finally:
            self.in_flight -= predicts


class Application:
    """The service in a thread, until the ``with`` block ends. Tests change ``script`` and ``faces`` while it runs.

    It is past its first minute, unless ``just_started``. With ``starting`` it waits in its start until
    :meth:`finish_start`.
    """

    def __init__(
        self,
        *,
        registry: FakeRegistry | None = None,
        port: int = 0,
        starting: bool = False,
        just_started: bool = False,
        **settings: Any,
    ) -> None:
        self.script = Script(faces_in=self._faces_in)
        self.faces: Sequence[FaceIn] | None = None
        """The faces of every picture, in place of those of the test's pictures."""
        self.uploads: list[bytes] = []
        self._starting = starting
        self._just_started = just_started or starting
        if starting:
            self.script.build_gate = threading.Event()
        values = {"workers": 1, "rate_limit": "off", **settings}
        inherited = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
        with patch.dict(os.environ, inherited, clear=True):
            self._settings = Settings(**values)
        models = registry or FakeRegistry(FakeModel(shipped_card(), SURE))
        self._app = create_app(self._settings, fake_factories(self.script, models))
        self._recorder = _Recorder(self._app)
        self._listener = socket.create_server(("127.0.0.1", port))
        self._server = Server(config_of(self._recorder, self._settings), self._app, drain_seconds=0)
        self._thread = threading.Thread(target=self._serve, name="application")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}{self._settings.root_path}/"

    @property
    def requests(self) -> list[Request]:
        return self._recorder.requests

    @property
    def predictions(self) -> list[str]:
        """The addresses of the predictions so far, with their queries."""
        return [f"{sent.path}?{sent.query}" for sent in self.requests if sent.method == "POST"]

    @property
    def most_in_flight(self) -> int:
        """The most predictions that there were at a time."""
        return self._recorder.most_in_flight

    @property
    def service(self) -> Service:
        service: Service = self._app.state.service
        return service

    def predict(self, name: str) -> None:
        """Sends a picture as another client would. What comes back does not matter."""
        files = {"file": (f"{name}.jpg", sample(name), "image/jpeg")}
        httpx.post(f"{self.url}predict", files=files, timeout=PATIENCE, trust_env=False)

    def reset(self) -> None:
        """Forgets what an earlier test asked for and sent."""
        self.script.gate = self.script.fails = self.script.meshed = self.faces = None
        self.uploads.clear()
        self._recorder.reset()

    def fail(self, code: str, retry_after: float = 1.0) -> None:
        """Ends the next prediction in this error."""
        error = _ERRORS[code]
        retryable = issubclass(error, RetryableError)
        self.script.fails = error(retry_after=retry_after) if retryable else error()

    def end_streams(self) -> None:
        """Ends all streams, as a service that stops does."""
        self._loop.call_soon_threadsafe(self.service.streams.drain)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Predictions wait for as long as this lasts."""
        gate = self.script.gate = threading.Event()
        try:
            yield
        finally:
            self.script.gate = None
            gate.set()

    def finish_start(self) -> None:
        assert self.script.build_gate is not None
        self.script.build_gate.set()

    def __enter__(self) -> Self:
        self._thread.start()
        _until(lambda: self._server.started or not self._thread.is_alive())
        if not self._starting:
            _until(lambda: self.service.ready or not self._thread.is_alive())
        if not self._just_started:
            self.service.started_at -= _COLD_START_SECONDS
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gate in (self.script.gate, self.script.build_gate):
            if gate is not None:
                gate.set()
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the application did not stop"

    def _serve(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._listener])

    def _faces_in(self, data: bytes, picture: Picture) -> list[Face]:
        self.uploads.append(data)
        faces = faces_of(data) if self.faces is None else self.faces
        return [face.scaled_to(picture) for face in faces]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the application did not start"
        time.sleep(0.005)


if __name__ == "__main__":
    with Application(port=int(sys.argv[1]) if len(sys.argv) > 1 else 8765) as application:
        print(application.url)
        threading.Event().wait()
