"""The built-in page and the samples: served as they are, revalidated, and nothing else of the disk."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

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
    kinds = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
    assert response.headers["content-type"].startswith(kinds[Path(path).suffix])
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]


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
    assert not re.search(r'(?:href|src)="/', text)
    assert "http" not in re.findall(r'(?:href|src)="([^"]+)"', text)


def test_the_page_needs_no_key(start: Start) -> None:
    client = start(api_keys="phone:0123456789abcdef0123")
    assert client.get("/").status_code == 200
    assert client.get("/web/base.css").status_code == 200
    assert client.get("/info").status_code == 401
