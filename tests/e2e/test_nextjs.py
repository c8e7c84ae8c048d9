"""The README's example for Next.js, built and run as it is printed."""

from __future__ import annotations

import html
import http.server
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.process import ROOT, TIMEOUT, ServerProcess, free_port

PROJECT = ROOT / "tests" / "e2e" / "nextjs"
NEXT = PROJECT / "node_modules" / "next" / "dist" / "bin" / "next"
FILES = re.findall(r"^```tsx?\n// (\S+)\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
LAYOUT = """import type { ReactNode } from "react";

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
"""
"""What every project has."""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        shutil.which("node") is None or not NEXT.exists(),
        reason="Next.js is not installed (npm ci in tests/e2e/nextjs).",
    ),
]


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """The example as a project, built, which checks its types as well."""
    for name, text in [*FILES, ("app/layout.tsx", LAYOUT)]:
        (PROJECT / name).parent.mkdir(exist_ok=True)
        (PROJECT / name).write_text(text, "utf-8")
    done = subprocess.run(
        ["node", NEXT, "build"], cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def environment(**settings: str) -> dict[str, str]:
    return {**os.environ, "NEXT_TELEMETRY_DISABLED": "1", **settings}


class Site:
    """The running example. Its form is sent as a browser without JavaScript sends it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def read(self, name: str) -> str:
        """What the page says after the form was sent with a sample picture."""
        fields = re.findall(r'<input type="hidden" name="([^"]*)"(?: value="([^"]*)")?', self._client.get("/").text)
        data = {html.unescape(field): html.unescape(value) for field, value in fields}
        picture = (ROOT / "sample_images" / name).read_bytes()
        answered = self._client.post("/", data=data, files={"picture": (name, picture, "image/jpeg")})
        said = re.search(r'<p role="status">(.*?)</p>', answered.text)
        assert said, f"{answered.status_code}: {answered.text[:2000]}"
        return html.unescape(said[1])


@contextmanager
def site(visage: str) -> Iterator[Site]:
    port = free_port()
    command = ["node", NEXT, "start", "--port", str(port), "--hostname", "127.0.0.1"]
    settings = environment(VISAGE_URL=visage)
    with subprocess.Popen(command, cwd=PROJECT, env=settings, stdout=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT, trust_env=False) as client:
                client.headers["Origin"] = str(client.base_url).rstrip("/")
                wait_for(client)
                yield Site(client)
        finally:
            process.terminate()


def wait_for(client: httpx.Client) -> None:
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            client.get("/")
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


@contextmanager
def broken_proxy() -> Iterator[str]:
    """A proxy that responds with a page of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(502)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html><h1>502 Bad Gateway</h1></html>")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_shows_predictions_and_errors(shared_server: ServerProcess) -> None:
    with site(shared_server.url) as example:
        assert re.fullmatch(r"Looks happy \(\d\d %\)", example.read("happy_sample.jpg"))
        # More than Next.js accepts by default.
        assert (ROOT / "sample_images" / "phone_12mp.jpg").stat().st_size > 1024 * 1024
        assert re.fullmatch(r"Looks happy \(\d\d %\)", example.read("phone_12mp.jpg"))
        assert example.read("no_face.jpg").startswith("No face found in the image.")


def test_it_says_when_the_service_is_not_there() -> None:
    unreachable = "The service cannot be reached. Try again."
    with broken_proxy() as proxy, site(proxy) as example:
        assert example.read("happy_sample.jpg") == unreachable
    with site(f"http://127.0.0.1:{free_port()}") as example:
        assert example.read("happy_sample.jpg") == unreachable
