"""The built-in page and the samples: served as they are, revalidated, and nothing else of the disk."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import app.api
from app.api.routes import web
from app.config import BadSettings, Settings
from app.main import create_app
from tests.api.conftest import Start

WEB = Path(__file__).parents[2] / "app" / "web"


def test_the_page_is_served(client: TestClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "<title>Visage</title>" in response.text


def test_everything_that_the_page_names_is_there(client: TestClient) -> None:
    named = re.findall(r'(?:href|src)="(web/[^"]+)"', client.get("/").text)
    assert named
    for path in named:
        assert client.get(f"/{path}").status_code == 200, path


@pytest.mark.parametrize("path", sorted(file.name for file in WEB.iterdir() if file.is_file()))
def test_files_have_their_types_and_may_not_be_guessed(client: TestClient, path: str) -> None:
    response = client.get(f"/web/{path}")
    kinds = {
        **{".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"},
        **{".webmanifest": "application/manifest+json"},
    }
    assert response.headers["content-type"].startswith(kinds[Path(path).suffix])
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]


def test_the_documentation_is_served_without_a_line_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    named = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert {"docs/swagger-ui-bundle.js", "docs/swagger-ui.css", "docs/start.js"} <= set(named)
    for path in named:
        assert client.get(f"/{path}").status_code == 200, path
    assert 'url: "openapi.json"' in client.get("/docs/start.js").text
    assert "unsafe" not in page.headers["content-security-policy"]


def test_swagger_ui_is_the_one_that_was_taken(client: TestClient) -> None:
    folder = Path(app.api.__file__).parent / "swagger"
    for line in (folder / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


def test_a_file_that_a_browser_has_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/")
    again = client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


def test_a_head_request_has_no_body(client: TestClient) -> None:
    response = client.head("/")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/web/",
        "/docs/SHA256SUMS",
        "/docs/../keys.py",
        "/web/nothing.js",
        "/web/../main.py",
        "/web/%2e%2e/main.py",
        "/web/..%2f..%2fpyproject.toml",
        "/web/%2e%2e/%2e%2e/README.md",
        "/samples/../LICENSE",
        "/samples/%2e%2e/%2e%2e/etc/passwd",
        "/samples/nothing.jpg",
        "/samples/",
    ],
)
def test_nothing_else_of_the_disk_is_served(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["error"]) == (404, "not_found")


def test_the_page_works_under_a_prefix(start: Start) -> None:
    client = start(root_path="/visage")
    text = client.get("/").text
    assert not re.search(r'(?:href|src)="(?:/|http)', text + client.get("/docs").text)


@pytest.mark.parametrize("prefix", ["", "/visage"])
@pytest.mark.parametrize("path", ["/", "/web/base.css", "/docs", "/info", "/health/live"])
def test_a_proxy_may_take_the_prefix_off_or_leave_it_on(start: Start, prefix: str, path: str) -> None:
    assert start(root_path="/visage").get(prefix + path).status_code == 200


@pytest.mark.parametrize("query", ["", "?lang=en"])
def test_the_prefix_without_its_slash_leads_to_the_page(start: Start, query: str) -> None:
    client = start(root_path="/visage")
    response = client.get(f"/visage{query}", follow_redirects=False)
    assert response.status_code == 307
    assert response.headers["location"] == f"/visage/{query}"
    assert "<title>Visage</title>" in client.get(f"/visage{query}").text


@pytest.mark.parametrize("path", ["/predict/", "/health/", "/docs//", "//evil.example/predict/"])
def test_nothing_redirects_to_the_host_that_a_client_sends(start: Start, path: str) -> None:
    for client in (start(), start(root_path="/visage")):
        response = client.get(path, headers={"Host": "evil.example"}, follow_redirects=False)
        assert response.status_code == 404
        assert "location" not in response.headers


@pytest.mark.parametrize(
    "prefix", ["/predict", "/health", "/health/live", "/analyze", "/web", "/docs", "/openapi.json"]
)
def test_a_prefix_that_is_a_path_of_the_service_ends_the_start(prefix: str) -> None:
    with pytest.raises(BadSettings, match=f"^ROOT_PATH: {prefix} is a path of the service itself"):
        create_app(Settings(root_path=prefix))


def test_what_only_begins_like_the_prefix_is_below_it(start: Start) -> None:
    response = start(root_path="/visage").get("/visages")
    assert (response.status_code, response.json()["error"]) == (404, "not_found")


def test_a_prefix_opens_nothing(start: Start) -> None:
    client = start(root_path="/visage", api_keys="phone:0123456789abcdef0123")
    assert client.get("/visage/info").status_code == 401
    assert client.get("/visage").status_code == 200


def test_the_page_needs_no_key(start: Start) -> None:
    client = start(api_keys="phone:0123456789abcdef0123")
    assert client.get("/").status_code == 200
    assert client.get("/web/base.css").status_code == 200
    assert client.get("/info").status_code == 401


FOLDER = "0123456789abcdef"
ENGINE = f"/web/edge/{FOLDER}"


@pytest.fixture
def edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as ``make edge`` builds it, in place of the one that may be there."""
    content = tmp_path / FOLDER
    content.mkdir()
    files = {"worker.js": b"// a worker", "a.mjs": b"export {};", "a.wasm": bytes(200_000), "a.onnx": b"a model"}
    for name, data in files.items():
        (content / name).write_bytes(data)
    (content / "a.wasm.gz").write_bytes(gzip.compress(files["a.wasm"]))
    described = {"folder": f"edge/{FOLDER}/", "bytes": 1000, "files": sorted(files)}
    (tmp_path / "edge.json").write_text(json.dumps(described), "utf-8")
    monkeypatch.setattr(web._edge, "all_directories", [tmp_path])
    return tmp_path


@pytest.mark.usefixtures("edge")
def test_the_page_finds_the_engine_for_the_device(client: TestClient) -> None:
    assert client.get("/web/engine.json").json()["folder"] == f"edge/{FOLDER}/"
    assert "data-device hidden" not in client.get("/").text


def test_without_the_engine_nothing_of_it_is_offered(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web._edge, "all_directories", [])
    assert client.get("/web/engine.json").json() == {"folder": None}
    assert client.get("/service-worker.js").status_code == 404
    assert "data-device hidden" in client.get("/").text


@pytest.mark.usefixtures("edge")
def test_the_engine_s_files_have_their_types_and_are_kept_for_ever(client: TestClient) -> None:
    kinds = {"worker.js": "text/javascript", "a.mjs": "text/javascript", "a.wasm": "application/wasm"}
    for name, kind in {**kinds, "a.onnx": "application/octet-stream"}.items():
        response = client.get(f"{ENGINE}/{name}")
        assert response.headers["content-type"].startswith(kind)
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "'wasm-unsafe-eval'" in response.headers["content-security-policy"]
        assert "unsafe-inline" not in response.headers["content-security-policy"]


@pytest.mark.usefixtures("edge")
def test_the_engine_comes_compressed_to_who_takes_that(client: TestClient) -> None:
    plain = client.get(f"{ENGINE}/a.wasm", headers={"Accept-Encoding": "identity"})
    small = client.get(f"{ENGINE}/a.wasm", headers={"Accept-Encoding": "gzip"})
    assert plain.content == small.content == bytes(200_000)
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < 1000
    assert small.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert small.headers["etag"] != plain.headers["etag"]
    assert client.get(f"{ENGINE}/a.wasm.gz").status_code == 404
    assert client.get(f"{ENGINE}/../edge.py").status_code == 404


@pytest.mark.usefixtures("edge")
def test_the_service_worker_changes_with_every_file_that_it_keeps(
    client: TestClient, edge: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get("/service-worker.js")
    assert first.headers["content-type"].startswith("text/javascript")
    assert first.headers["cache-control"] == "no-cache"
    assert "connect-src 'self'" in first.headers["content-security-policy"]
    kept = json.loads(re.search(r"PAGE_FILES = (.*);", first.text)[1])  # type: ignore[index]
    assert {f"web/{file.name}" for file in WEB.iterdir() if file.is_file()} == set(kept)
    assert client.get("/service-worker.js").text == first.text
    found = web._find
    changed = lambda folder, name: replace(found(folder, name), etag=name)  # noqa: E731
    monkeypatch.setattr(web, "_find", changed)
    assert client.get("/service-worker.js").text != first.text


def test_the_service_worker_needs_no_key(start: Start, edge: Path) -> None:
    assert start(api_keys="phone:0123456789abcdef0123").get("/service-worker.js").status_code == 200


async def test_a_file_is_sent_without_a_copy() -> None:
    """Else each client that does not read would take memory, and the time to fill it."""
    content = bytes(3 * 64 * 1024)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body"))

    await web._FileResponse(content, {}, "text/css")({"type": "http"}, None, send)  # type: ignore[arg-type]
    assert [len(body) for body in sent[1:]] == [64 * 1024] * 3 + [0]
    assert all(body.obj is content for body in sent[1:-1])
