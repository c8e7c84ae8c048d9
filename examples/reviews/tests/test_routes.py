"""What clients get: results, and one sentence for everything that is wrong."""

from __future__ import annotations

import http.server
import json
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from reviews.config import Settings
from reviews.emotions import QUERIES
from reviews.engine import Engine
from reviews.main import create_app

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "sample_images"


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, whose message has to be one sentence."""
    body = response.json()
    assert body.keys() == {"success", "error", "message"}
    assert body["success"] is False
    assert re.fullmatch(r"[^\n]+[.]", body["message"]), body["message"]
    return response.status_code, body["error"]


@pytest.mark.parametrize("emotion", QUERIES)
def test_an_emotion_finds_its_reviews_and_a_summary(client: TestClient, emotion: str) -> None:
    found = client.post("/query_rag", json={"emotion": emotion}).json()
    assert [review["emotion"] for review in found["reviews"]].count(emotion) >= 3
    scores = [review["score"] for review in found["reviews"]]
    assert scores == sorted(scores, reverse=True)
    assert found["query"] == QUERIES[emotion]
    assert found["summary_by"] == "extractive"
    assert found["summary"]


def test_a_text_finds_as_many_reviews_as_asked(client: TestClient) -> None:
    found = client.post("/query_rag", json={"query": " mould in the parcel ", "top": 7, "sentences": 1}).json()
    assert found["query"] == "mould in the parcel"
    assert [review["emotion"] for review in found["reviews"]][:4] == ["disgust"] * 4
    assert len(found["reviews"]) == 7
    assert found["summary"] in " ".join(review["text"] for review in found["reviews"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"query": ""}, (422, "empty_text")),
        ({"query": " ?! \n"}, (422, "empty_text")),
        ({"query": "word " * 10_000}, (422, "text_too_long")),
        ({"query": "x" * 2_001}, (422, "text_too_long")),
        ({"emotion": "joyful"}, (422, "unknown_emotion")),
        ({"emotion": "x" * 10_000}, (422, "unknown_emotion")),
        ({}, (422, "invalid_request")),
        ({"query": "a", "emotion": "happy"}, (422, "invalid_request")),
        ({"query": 7}, (422, "invalid_request")),
        ({"query": "a", "top": 0}, (422, "invalid_request")),
        ({"query": "a", "top": 21}, (422, "invalid_request")),
        ({"query": "a", "more": 1}, (422, "invalid_request")),
        ({"query": "x" * 2**20}, (413, "body_too_large")),
        ([], (422, "invalid_request")),
    ],
)
def test_a_query_that_cannot_be_answered(client: TestClient, body: Any, expected: tuple[int, str]) -> None:
    assert refusal(client.post("/query_rag", json=body)) == expected


def test_the_refusals_say_what_is_known(client: TestClient) -> None:
    def message(**body: str) -> str:
        return str(client.post("/query_rag", json=body).json()["message"])

    assert message(emotion="joyful") == f'"joyful" is none of the known emotions: {", ".join(QUERIES)}.'
    assert message(query="word " * 10_000) == "The query has 10000 words; at most 200 are read."


def test_characters_of_every_kind_are_a_query(client: TestClient) -> None:
    for query in ("素晴らしい", "\u0000a\ud7ff", "😀 great", "a\u202eb"):
        assert client.post("/query_rag", json={"query": query}).status_code == 200


@pytest.mark.parametrize("field", ['"query": "\\ud800 a"', '"emotion": "\\ud800"', '"query": "a", "\\ud800": 1'])
def test_half_of_a_surrogate_pair_is_refused(client: TestClient, field: str) -> None:
    response = client.post("/query_rag", content=f"{{{field}}}", headers={"Content-Type": "application/json"})
    assert refusal(response) == (422, "invalid_request")


def test_sentiment(client: TestClient) -> None:
    texts = ["I love it, wonderful!", "It is terrible and I hate it.", "The parcel arrived on Tuesday."]
    result = client.post("/analyze_sentiment", json={"texts": texts}).json()
    assert [each["label"] for each in result["results"]] == ["positive", "negative", "neutral"]
    assert all(abs(sum(each["shares"].values()) - 1) < 0.01 for each in result["results"])
    assert result["sentiment_by"] == "vader"
    assert client.post("/analyze_sentiment", json={"text": texts[0]}).json()["results"] == result["results"][:1]
    wordless = client.post("/analyze_sentiment", json={"texts": ["😀", "★★★★★"]}).json()["results"]
    assert [each["label"] for each in wordless] == ["positive", "neutral"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"text": ""}, (422, "empty_text")),
        ({"texts": ["a", " "]}, (422, "empty_text")),
        ({"texts": []}, (422, "invalid_request")),
        ({"texts": ["a"] * 51}, (422, "invalid_request")),
        ({"text": "a" * 10_001}, (422, "text_too_long")),
        ({}, (422, "invalid_request")),
        ({"text": "a", "texts": ["a"]}, (422, "invalid_request")),
    ],
)
def test_texts_that_cannot_be_scored(client: TestClient, body: Any, expected: tuple[int, str]) -> None:
    assert refusal(client.post("/analyze_sentiment", json=body)) == expected


def test_requests_that_are_none(client: TestClient) -> None:
    json_type = {"Content-Type": "application/json"}
    assert refusal(client.post("/query_rag", content=b"{", headers=json_type)) == (422, "invalid_request")
    assert refusal(client.post("/query_rag", content=b"\xff", headers=json_type))[0] in (400, 422)
    assert refusal(client.get("/query_rag"))[0] in (404, 405)
    assert refusal(client.get("/nothing")) == (404, "not_found")
    assert refusal(client.post("/predict_emotion")) == (422, "invalid_request")
    assert refusal(client.post("/predict_emotion", files={"file": b""})) == (422, "empty_text")
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    large = iter([start, *[b"x" * 2**20] * 11])
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert refusal(client.post("/predict_emotion", content=large, headers=headers)) == (413, "body_too_large")


def test_no_visage_behind(client: TestClient) -> None:
    response = client.post("/predict_emotion", files={"file": b"picture"})
    assert refusal(response) == (502, "visage_unreachable")
    assert response.json()["message"] == "Visage does not answer at http://127.0.0.1:9."
    health = client.get("/health").json()
    assert (health["status"], health["visage"], health["reviews"]) == ("degraded", "unreachable", 700)


def test_the_page_is_served_with_its_policy(client: TestClient) -> None:
    page = client.get("/")
    assert "never read customers' faces without telling them" in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    for name in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert client.get(name).status_code == 200


class _Fake(http.server.BaseHTTPRequestHandler):
    """Gives what the test says, whatever is asked."""

    given: tuple[int, dict[str, Any] | str] = (200, "")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.given
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if isinstance(body, dict) else "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def in_front_of(engine: Engine, url: str) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(visage_url=url), engine)) as client:
        yield client


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((401, {"success": False, "error": "unauthorized", "message": "No key."}), (502, "unauthorized")),
        ((200, "<h1>Somebody else</h1>"), (502, "visage_failed")),
        ((502, "<h1>Bad gateway</h1>"), (502, "visage_failed")),
    ],
)
def test_what_answers_is_not_visage_or_refuses_the_key(
    engine: Engine, given: tuple[int, Any], expected: tuple[int, str]
) -> None:
    handler = type("Given", (_Fake,), {"given": given})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with in_front_of(engine, f"http://127.0.0.1:{server.server_port}") as client:
            assert refusal(client.post("/predict_emotion", files={"file": b"picture"})) == expected
        server.shutdown()


@pytest.fixture(scope="module")
def visage() -> Iterator[str]:
    """A real Visage, run by the Python that VISAGE_PYTHON names."""
    python = os.environ.get("VISAGE_PYTHON")
    if not python:
        pytest.skip("VISAGE_PYTHON does not name a Python that has Visage's packages (make reviews-test does).")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VISAGE_URL"}}
    settings = {**clean, "PORT": str(port), "HOST": "127.0.0.1", "WORKERS": "1"}
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([python, "-m", "app"], cwd=ROOT, env=settings, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(url)
            yield url
        finally:
            process.terminate()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            if httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_happy_face_finds_reviews_about_happiness(engine: Engine, visage: str) -> None:
    with in_front_of(engine, visage) as client:
        picture = (SAMPLES / "happy_sample.jpg").read_bytes()
        face = client.post("/predict_emotion", files={"file": picture}).json()
        assert face["emotion"] == "happy"
        assert face["query"] == QUERIES["happy"]
        found = client.post("/query_rag", json={"emotion": face["emotion"]}).json()
        assert [review["emotion"] for review in found["reviews"]] == ["happy"] * 4
        assert client.get("/health").json()["status"] == "ok"


def test_a_picture_without_a_face_and_a_file_that_is_no_picture(engine: Engine, visage: str) -> None:
    with in_front_of(engine, visage) as client:
        picture = (SAMPLES / "no_face.jpg").read_bytes()
        assert refusal(client.post("/predict_emotion", files={"file": picture})) == (422, "no_face_detected")
        status, code = refusal(client.post("/predict_emotion", files={"file": b"text"}))
        assert (status, code) in {(415, "unsupported_media_type"), (400, "invalid_image"), (422, "invalid_image")}
