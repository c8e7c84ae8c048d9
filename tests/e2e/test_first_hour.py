"""The first hour of somebody who has never seen the service: from a clone to a client that keeps to its rate.

By hand with a real installation: ``FIRST_HOUR=install python -m pytest tests/e2e/test_first_hour.py``. Without it, the
steps run in the environment at hand; ``make install-check`` installs everything that is pinned.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.api.test_clients import TYPESCRIPT, needs_node
from tests.process import ROOT, ServerProcess, free_port

pytestmark = pytest.mark.e2e

INSTALLS = os.environ.get("FIRST_HOUR") == "install"
LONGEST_INSTALL = 900.0
RATE = {"RATE_LIMIT": "10/10 seconds"}
PROGRAMS = dict(
    re.findall(r"^```\w+\n(?://|#) (read\.\w+)\n(.*?)^```", (ROOT / "docs/api.md").read_text("utf-8"), re.S | re.M)
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the repository is."""
    if not INSTALLS:
        return ROOT
    folder = tmp_path_factory.mktemp("clone") / "visage"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    """The service, started as the README says."""
    if not INSTALLS:
        with ServerProcess({"WORKERS": 1, "DRAIN_SECONDS": 0, **RATE}) as server:
            server.wait_ready()
            yield server.url
        return
    port = free_port()
    environment = {**os.environ, **RATE, "HOST": "127.0.0.1"}
    with subprocess.Popen(["make", "run", f"PORT={port}"], cwd=home, env=environment, start_new_session=True) as make:
        try:
            wait_ready(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(make.pid, 15)


def wait_ready(url: str) -> None:
    deadline = time.monotonic() + LONGEST_INSTALL
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError("the service did not start")


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    """A client that waits until it may send some pictures."""

    def patient(response: httpx.Response) -> None:
        assert response.status_code != 429, "the test before used up the rate"

    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        while int(client.get("/labels").headers["x-ratelimit-remaining"]) < 4:
            time.sleep(0.1)
        client.event_hooks["response"].append(patient)
        yield client


def picture(home: Path, name: str = "happy_sample.jpg") -> bytes:
    return (home / "sample_images" / name).read_bytes()


def test_the_page_and_the_documentation_open(client: httpx.Client) -> None:
    for path, words in (("/", "Visage"), ("/docs", "swagger-ui"), ("/openapi.json", "/predict")):
        response = client.get(path)
        assert response.status_code == 200
        assert words in response.text


def test_a_sample_is_read(client: httpx.Client, home: Path) -> None:
    result = client.post("/predict", files={"file": picture(home)}).json()
    assert (result["success"], result["emotion"]) == (True, "happy")
    levels = client.get("/labels").json()["levels"]
    assert [name for name, bound in levels.items() if bound <= result["confidence"]][-1] == "sure"


def test_so_is_a_picture_of_one_s_own(client: httpx.Client, home: Path) -> None:
    """A screenshot: a photo somewhere on a large white page, as a PNG with transparency."""
    page = Image.new("RGBA", (1600, 1000), (255, 255, 255, 255))
    page.paste(Image.open(io.BytesIO(picture(home))), (900, 300))
    file = io.BytesIO()
    page.save(file, "PNG")
    result = client.post("/predict", files={"file": file.getvalue()}).json()
    assert result["emotion"] == "happy"
    box = result["face"]["box"]
    assert 900 < box["x"] < 1412
    assert 300 < box["y"] < 812


def test_mistakes_are_explained(client: httpx.Client, home: Path) -> None:
    def said(path: str, field: str, data: bytes) -> tuple[str, str]:
        result = client.post(path, files={field: data}).json()
        assert result["success"] is False
        return result["error"], result["message"]

    code, message = said("/predict", "file", (home / "README.md").read_bytes())
    assert code == "unsupported_media_type"
    assert "JPEG, PNG, WebP or BMP" in message
    assert said("/predict", "file", picture(home, "no_face.jpg"))[0] == "no_face_detected"
    assert "The only form field is 'file'" in said("/predict", "image", picture(home))[1]
    assert "Did you mean 'faces'?" in said("/predict?face=all", "file", picture(home))[1]


@needs_node
def test_a_program_in_typescript_with_generated_types(client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(client.get("/openapi.json").text, "utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}', "utf-8")
    (tmp_path / "read.ts").write_text(at(client, PROGRAMS["read.ts"]), "utf-8")
    tools = TYPESCRIPT / "node_modules"
    run(tmp_path, "node", tools / "openapi-typescript/bin/cli.js", "openapi.json", "--output", "visage.ts")
    options = ["--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    run(tmp_path, "node", tools / "typescript/bin/tsc", *options, "read.ts")
    assert re.fullmatch(r"happy 0\.\d+\n", run(tmp_path, "node", "read.js"))


def test_a_program_in_python(client: httpx.Client, home: Path, tmp_path: Path) -> None:
    program = tmp_path / "read.py"
    program.write_text(at(client, PROGRAMS["read.py"]), "utf-8")
    assert re.fullmatch(r"happy 0\.\d+\n", run(home, sys.executable, program))


def at(client: httpx.Client, program: str) -> str:
    """A program of the documentation for this service."""
    assert "http://localhost:8000" in program
    return program.replace("http://localhost:8000", str(client.base_url).rstrip("/"))


def run(folder: Path, *command: object) -> str:
    done = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rate_is_met_and_understood(url: str, home: Path) -> None:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        limit = int(client.get("/labels").headers["x-ratelimit-limit"])
        for _ in range(10 * limit):
            response = client.post("/predict", files={"file": b""})
            if response.status_code == 429:
                break
        assert response.json()["error"] == "rate_limited"
        wait = int(response.headers["retry-after"])
        assert f"Wait {wait} s" in response.json()["message"]
        # What is left can be read without spending it.
        assert int(client.get("/labels").headers["x-ratelimit-remaining"]) < 3
        time.sleep(wait)
        assert client.post("/predict", files={"file": picture(home)}).status_code == 200
