"""A stand-in for the service that can be put into every state the page has a face for.

It serves the page's own files, answers with fixed readings, and fails on demand: ``mock.fail("rate_limited")`` makes
the next prediction end so. Run it by hand to work on the page: ``python -m tests.e2e.page.mock 8765``.
"""

from __future__ import annotations

import io
import json
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

from app.api.middleware.request_record import security_headers
from app.errors import CATALOGUE, RetryableError

WEB = Path(__file__).parents[3] / "app" / "web"
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ERRORS = {error.code: error for error in CATALOGUE}

SURE = (0.01, 0.0, 0.01, 0.93, 0.01, 0.02, 0.02)
FAIR = (0.05, 0.02, 0.03, 0.04, 0.14, 0.01, 0.71)
UNSURE = (0.06, 0.03, 0.11, 0.02, 0.44, 0.03, 0.31)


@dataclass(frozen=True)
class MockFace:
    """A face in shares of the picture, and how it is read."""

    box: tuple[float, float, float, float]
    probabilities: tuple[float, ...]
    warnings: tuple[str, ...] = ()


ASTRONAUT = (0.34, 0.12, 0.2, 0.25)
HOPPER = (0.24, 0.2, 0.42, 0.37)
READINGS: dict[str, tuple[MockFace, ...]] = {
    "happy_sample": (MockFace(ASTRONAUT, SURE),),
    "neutral_sample": (MockFace(HOPPER, FAIR),),
    "unsure": (MockFace(HOPPER, UNSURE, ("blurred", "turned_away")),),
    "multiple_faces": (MockFace((0.165, 0.13, 0.11, 0.25), SURE), MockFace((0.655, 0.22, 0.155, 0.33), FAIR)),
    "no_face": (),
}


@cache
def astronaut() -> Image.Image:
    from skimage import data

    return Image.fromarray(data.astronaut())


@cache
def hopper() -> Image.Image:
    from matplotlib import cbook

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        return Image.open(file).convert("RGB")


@cache
def sample(name: str) -> bytes:
    """One of the sample pictures, as JPEG."""
    if name == "happy_sample":
        picture = astronaut()
    elif name in {"neutral_sample", "unsure"}:
        picture = hopper()
    elif name == "multiple_faces":
        picture = Image.new("RGB", (1024, 512), "#d8d8d4")
        picture.paste(astronaut(), (0, 0))
        picture.paste(hopper().resize((432, 512)), (552, 0))
    else:
        from skimage import data

        picture = Image.fromarray(data.coffee())
    return as_jpeg(picture)


def as_jpeg(picture: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88, **options)
    return out.getvalue()


def reading(face: MockFace, width: int, height: int, explain: bool) -> dict[str, Any]:
    x, y, across, down = (
        round(share * size) for share, size in zip(face.box, (width, height, width, height), strict=True)
    )
    best = max(range(len(LABELS)), key=face.probabilities.__getitem__)
    fields: dict[str, Any] = {
        "emotion": LABELS[best],
        "confidence": face.probabilities[best],
        "is_uncertain": face.probabilities[best] < 0.6,
        "probabilities": dict(zip(LABELS, face.probabilities, strict=True)),
        "face": {"box": {"x": x, "y": y, "width": across, "height": down}, "score": 0.97, "landmarks": {}},
        "warnings": [{"code": code, "message": "The service's own words."} for code in face.warnings],
    }
    if explain:
        spots = np.indices((6, 6)) - np.array([[[3.6]], [[2.4]]])
        grid = np.exp(-(spots**2).sum(axis=0) / 4)
        left, top, side = x - 0.08 * across, y - 0.16 * across, 1.16 * across
        fields["explanation"] = {
            "method": "cam",
            "label": LABELS[best],
            "corners": [[left, top], [left + side, top], [left + side, top + side], [left, top + side]],
            "grid": [[round(float(value), 3) for value in row] for row in grid],
        }
    return fields


TIMINGS = {"queue": 0.1, "decode": 2.0, "detect": 2.4, "prepare": 0.2, "inference": 1.1, "quality": 0.1, "total": 5.9}


def confusion() -> list[list[int]]:
    counts = np.full((7, 7), 4) + np.diag([214, 12, 41, 860, 262, 300, 610])
    counts[4, 6] = counts[6, 4] = 70
    counts[2, 5] = 23
    return [[int(value) for value in row] for row in counts]


METRICS: dict[str, Any] = {
    "split": "test",
    "ferplus7_plurality_accuracy": 0.833,
    "ferplus7_plurality_accuracy_interval": [0.821, 0.845],
    "calibration_error": 0.019,
    "confusion": {"labels": list(LABELS), "matrix": confusion()},
    "reliability": [
        {"confidence": round(0.05 + step / 10, 2), "accuracy": round(0.04 + step / 10, 2), "faces": 40 + 30 * step}
        for step in range(2, 10)
    ],
}


def card(name: str, explains_by: str) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1.0.0",
        "architecture": "A residual network of 1.2 million weights on 48 × 48 grey pixels",
        "trained_on": "FER-2013 with FER+ labels",
        "license": "MIT",
        "sha256": "3f" * 32,
        "labels": list(LABELS),
        "metrics": METRICS,
        "explains_by": explains_by,
    }


STATS: dict[str, Any] = {
    "uptime_seconds": 86_420,
    "requests": {"/predict": 1204, "/predict/batch": 31, "/health": 400},
    "errors": {"no_face_detected": 61, "unsupported_media_type": 12, "rate_limited": 4},
    "warnings": {"blurred": 88, "face_too_small": 41},
    "pictures": 1816,
    "faces": 2044,
    "models": {
        "default": {
            "pictures": 1816,
            "faces": 2044,
            "uncertain": 233,
            "uncertain_share": 0.114,
            "labels": dict(zip(LABELS, (96, 11, 60, 902, 201, 148, 626), strict=True)),
            "confidence": {
                "bounds": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
                "counts": [0, 0, 4, 31, 78, 120, 214, 330, 511, 756, 0],
                "mean": 0.81,
            },
            "latency_ms": {
                "bounds": [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000],
                "counts": [0, 0, 210, 1033, 402, 121, 39, 9, 2, 0, 0, 0, 0, 0, 0],
                "mean": 9.4,
            },
        }
    },
}


@dataclass
class State:
    """What the mock does next. Tests set it; the handler reads it."""

    prefix: str = ""
    asleep: bool = False
    cold: bool = False
    delay: float = 0.0
    models: tuple[str, ...] = ("default",)
    explains_by: str = "cam"
    faces: tuple[MockFace, ...] | None = None
    stats: dict[str, Any] | None = field(default_factory=lambda: STATS)
    key: str = ""
    failures: deque[tuple[str, int]] = field(default_factory=deque)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    uploads: list[tuple[str, bytes]] = field(default_factory=list)
    errors_sent: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    gate: threading.Event | None = None
    """While it is there and not set, predictions wait: a test looks at the page meanwhile."""


class Failure(Exception):
    def __init__(self, code: str, retry_after: int = 2) -> None:
        self.code, self.retry_after = code, retry_after


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that leaves in the middle of an answer is part of the tests.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Mock:
    """The server, on a port of its own, until it is closed."""

    def __init__(self, port: int = 0, **state: Any) -> None:
        self.state = State(**state)
        handler = type("Handler", (Handler,), {"state": self.state})
        self._server = Server(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.state.prefix}/"

    @staticmethod
    def known(name: str) -> tuple[MockFace, ...]:
        return READINGS[name]

    @property
    def asked(self) -> list[str]:
        """The addresses of the predictions so far, with their queries."""
        asked = [(path, query) for method, path, query in self.state.seen if method == "POST"]
        return [f"{path}?{'&'.join(f'{name}={value}' for name, value in query.items())}" for path, query in asked]

    def fail(self, *codes: str, retry_after: int = 2) -> None:
        """Ends the next predictions in these errors, in this order."""
        self.state.failures.extend((code, retry_after) for code in codes)

    def close(self) -> None:
        if self.state.gate:
            self.state.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Predictions wait for as long as this lasts."""
        self.state.gate = threading.Event()
        try:
            yield
        finally:
            self.state.gate.set()
            self.state.gate = None


class Handler(BaseHTTPRequestHandler):
    state: ClassVar[State]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        self._query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = url.path.removeprefix(self.state.prefix)
        self.state.seen.append((self.command, path, self._query))
        try:
            self._route(path, body)
        except Failure as failure:
            error = ERRORS[failure.code]
            extra = {"Retry-After": str(failure.retry_after)} if issubclass(error, RetryableError) else {}
            fields = {"success": False, "error": error.code, "message": error.default_message, "request_id": "4f7c2d9e"}
            self._json(fields, error.status, extra)

    def _route(self, path: str, body: bytes) -> None:
        if path.startswith("/samples/"):
            return self._send(sample(Path(path).stem), "image/jpeg")
        if path == "/" or path.startswith("/web/"):
            file = WEB / ("index.html" if path == "/" else path.removeprefix("/web/"))
            if not file.is_file():
                raise Failure("not_found")
            return self._send(file.read_bytes(), TYPES[file.suffix])
        if path == "/health":
            status = 503 if self.state.asleep else 200
            fields = {
                "status": "starting" if self.state.asleep else "ok",
                "model_loaded": not self.state.asleep,
                "uptime_seconds": 5,
                "is_cold_start": self.state.cold,
            }
            return self._json(fields, status)
        if self.state.asleep:
            raise Failure("not_ready")
        if self.state.key and self.headers.get("X-API-Key") != self.state.key:
            raise Failure("unauthorized")
        return self._serve(path, body)

    def _serve(self, path: str, body: bytes) -> None:
        if path == "/models":
            cards = [card(name, self.state.explains_by) for name in self.state.models]
            return self._json({"default": self.state.models[0], "models": cards})
        if path == "/info":
            limits = {"max_file_size_mb": 5, "max_batch_files": 32, "rate_limit": "6000/minute"}
            return self._json({"name": "visage", "version": "1.0.0", "limits": limits})
        if path == "/stats":
            if self.state.stats is None:
                raise Failure("not_found")
            return self._json(self.state.stats)
        if not path.startswith("/predict"):
            raise Failure("not_found")
        return self._predict(path, body)

    def _predict(self, path: str, body: bytes) -> None:
        self.state.in_flight += 1
        self.state.most_in_flight = max(self.state.most_in_flight, self.state.in_flight)
        try:
            files = self._files(body)
            if self.state.gate:
                self.state.gate.wait(20)
            time.sleep(self.state.delay)
            if path == "/predict/batch":
                return self._json(self._batch(files))
            self._fail_if_asked()
            if path == "/predict/compare":
                return self._json(self._comparison(*files[0]))
            return self._json(self._reading(*files[0]))
        finally:
            self.state.in_flight -= 1

    def _fail_if_asked(self) -> None:
        if self.state.failures:
            raise Failure(*self.state.failures.popleft())

    def _files(self, body: bytes) -> list[tuple[str, bytes]]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        files = [(str(part.get_filename()), part.get_payload(decode=True)) for part in parts]
        self.state.uploads.extend(files)
        return files

    def _reading(self, name: str, data: bytes) -> dict[str, Any]:
        if not data:
            raise Failure("empty_file")
        try:
            with Image.open(io.BytesIO(data)) as picture:
                turned = picture.getexif().get(0x0112, 1) >= 5
                width, height = picture.size[::-1] if turned else picture.size
        except OSError:
            raise Failure("unsupported_media_type") from None
        found = self.state.faces
        if found is None:
            found = READINGS.get(Path(name).stem, READINGS["happy_sample"])
        if not found:
            if self._query.get("on_no_face") != "center":
                raise Failure("no_face_detected")
            found = (MockFace((0.25, 0.25, 0.5, 0.5), UNSURE, ("face_assumed",)),)
        explain = self._query.get("explain") == "grid"
        faces = [reading(face, width, height, explain) for face in found]
        every = {"faces": faces} if self._query.get("faces") == "all" else {}
        return {
            "success": True,
            **faces[0],
            "faces_detected": len(faces),
            **every,
            "image": {"width": width, "height": height, "format": "jpeg"},
            "model": {"name": self._query.get("model", self.state.models[0]), "version": "1.0.0"},
            "inference_time_ms": 1.1,
            "timings_ms": TIMINGS,
            "request_id": "4f7c2d9e8b1a4c6f9d3e5a7b8c0d1e2f",
        }

    def _batch(self, files: list[tuple[str, bytes]]) -> dict[str, Any]:
        if self.state.failures and self.state.failures[0][0] in {"rate_limited", "overloaded", "not_ready"}:
            self._fail_if_asked()
        results = []
        for index, (name, data) in enumerate(files):
            try:
                self._fail_if_asked()
                results.append({"index": index, "filename": name, **self._reading(name, data)})
            except Failure as failure:
                message = ERRORS[failure.code].default_message
                results.append(
                    {"index": index, "filename": name, "success": False, "error": failure.code, "message": message}
                )
        return {"success": True, "results": results, "summary": {"total": len(files)}}

    def _comparison(self, name: str, data: bytes) -> dict[str, Any]:
        answer = self._reading(name, data)
        entries = []
        for index, model in enumerate(self._query["models"].split(",")):
            face = MockFace(ASTRONAUT, SURE if index == 0 else UNSURE)
            fields = {**reading(face, 512, 512, False), "inference_time_ms": 1.1 + 8 * index}
            entries.append({"model": {"name": model, "version": "1.0.0"}, **fields})
        spread = {label: round(math.fabs(a - b), 4) for label, a, b in zip(LABELS, SURE, UNSURE, strict=True)}
        keep = ("success", "face", "faces_detected", "warnings", "image", "timings_ms", "request_id")
        kept = {key: answer[key] for key in keep}
        return {**kept, "agree": False, "models": entries, "by_emotion": {}, "largest_difference": spread}

    def _json(self, fields: dict[str, Any], status: int = 200, extra: dict[str, str] | None = None) -> None:
        self._send(json.dumps(fields).encode(), "application/json", status, extra)

    def _send(self, body: bytes, kind: str, status: int = 200, extra: dict[str, str] | None = None) -> None:
        self.send_response(status)
        path = urlsplit(self.path).path.removeprefix(self.state.prefix)
        for name, value in security_headers(path):
            self.send_header(name.decode(), value.decode())
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(extra or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.state.errors_sent += status >= 400
        self.wfile.write(body)


if __name__ == "__main__":
    mock = Mock(int(sys.argv[1]) if len(sys.argv) > 1 else 8765)
    print(mock.url)
    threading.Event().wait()
