"""The page in a browser, with a stand-in for the camera."""

from __future__ import annotations

import http.server
import json
import queue
import shutil
import subprocess
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[1] / "reviews" / "page"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium).")

SET_UP = """
const element = (id) => document.getElementById(id);
const cameras = [];
let answer = () => {};
const asked = new Promise((resolve) => { answer = resolve; });
navigator.mediaDevices.getUserMedia = async () => {
  await asked;
  const picture = document.createElement("canvas");
  picture.getContext("2d").fillRect(0, 0, picture.width, picture.height);
  cameras.push(picture.captureStream(30));
  return cameras.at(-1);
};
const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
};
const on = () => cameras.filter((camera) => camera.active).length;
const tell = (result) => fetch("/result", { method: "POST", body: JSON.stringify(result) });
"""


class _Page(http.server.SimpleHTTPRequestHandler):
    """Serves the page with a script after its own, and takes what that tells."""

    def __init__(self, *arguments: Any, script: str, told: queue.Queue[Any]) -> None:
        self._script = f'<script type="module">{SET_UP}{script}</script></body>'
        self._told = told
        super().__init__(*arguments, directory=str(PAGE))

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        page = (PAGE / "index.html").read_text("utf-8").replace("</body>", self._script)
        self._send("text/html", page)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/result":
            self._told.put(json.loads(body))
        self._send("application/json", '{"message": "No face."}', 200 if self.path == "/result" else 422)

    def _send(self, kind: str, text: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


def told_by(script: str, profile: Path) -> Any:
    """What a script on the page tells."""
    told: queue.Queue[Any] = queue.Queue()
    handler = partial(_Page, script=script, told=told)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        url = f"http://127.0.0.1:{server.server_port}/"
        with subprocess.Popen([str(CHROMIUM), *options, url], stderr=subprocess.DEVNULL) as browser:
            try:
                return told.get(timeout=60)
            finally:
                browser.terminate()
                server.shutdown()


def test_a_double_click_leaves_no_camera_on(tmp_path: Path) -> None:
    script = """
        element("start").click();
        element("start").click();
        answer();
        await until(() => !element("take").hidden);
        const before = on();
        element("take").click();
        await until(() => !element("preview").hidden);
        await tell([before, on(), element("start").disabled]);
    """
    assert told_by(script, tmp_path) == [1, 0, False]


def test_a_camera_that_opens_after_another_tab_was_chosen_is_stopped(tmp_path: Path) -> None:
    script = """
        element("start").click();
        element("tab-text").click();
        answer();
        await until(() => cameras.length);
        await until(() => !on() || !element("take").hidden);
        await tell([on(), element("camera").hidden, element("start").disabled]);
    """
    assert told_by(script, tmp_path) == [0, True, False]


def test_a_camera_that_is_refused_can_be_asked_for_again(tmp_path: Path) -> None:
    script = """
        navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotAllowedError"); };
        element("start").focus();
        element("start").click();
        await until(() => element("failure").textContent);
        await tell([element("start").disabled, element("start").hidden, document.activeElement.id]);
    """
    assert told_by(script, tmp_path) == [False, False, "start"]


def test_a_search_by_text_gives_up_a_picture_that_is_read(tmp_path: Path) -> None:
    script = """
        const { fetch } = window;
        const slow = new Promise(() => {});
        window.fetch = (path, options) => (path === "predict_emotion" ? slow : fetch(path, options));
        const chosen = new DataTransfer();
        chosen.items.add(new File(["picture"], "face.jpg"));
        element("file").files = chosen.files;
        element("file").dispatchEvent(new Event("change"));
        const before = element("emotion").textContent;
        element("query").value = "a present";
        element("text").requestSubmit();
        await until(() => element("failure").textContent);
        await tell([before, element("emotion").textContent]);
    """
    assert told_by(script, tmp_path) == ["Reading the picture …", ""]
