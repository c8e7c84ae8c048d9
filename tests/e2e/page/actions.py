"""What a person does on the page: one function for each action."""

from __future__ import annotations

import base64
import csv
import io
import re
from typing import Any

from playwright.sync_api import FilePayload, Page

from tests.e2e.page.browser import TIMEOUT_S

DONE = "#view-photo[data-state=done]"
BUSY = "#view-photo[data-state=busy]"
ERROR_TITLE = "#photo-error .error__title"

_TRANSFER = """
const transfer = new DataTransfer();
for (const { name, type, data } of files) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  transfer.items.add(new File([bytes], name, { type }));
}
"""


def until(page: Page, condition: str, timeout: float = TIMEOUT_S) -> None:
    """Waits for a condition in the page's own JavaScript. Playwright's way needs ``eval``, which the page forbids."""
    page.evaluate(
        f"""() => new Promise((done, fail) => {{
          const end = performance.now() + {timeout * 1000};
          const check = () => {{
            if ({condition}) done();
            else if (performance.now() > end) fail(new Error("The condition did not become true."));
            else setTimeout(check, 30);
          }};
          check();
        }})"""
    )


def table(text: str) -> list[list[float | str]]:
    """A table of CSV whose numbers are numbers: 0 is the same as 0.0."""
    rows = csv.reader(io.StringIO(text))
    return [[float(cell) if re.fullmatch(r"[\d.]+", cell) else cell for cell in row] for row in rows]


def settled(page: Page) -> None:
    """Waits for two frames, so that what was just changed has been laid out and drawn."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def picked(name: str, data: bytes, kind: str = "image/jpeg") -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": data}


def _described(files: list[FilePayload]) -> list[dict[str, str]]:
    return [
        {"name": file["name"], "type": file["mimeType"], "data": base64.b64encode(file["buffer"]).decode()}
        for file in files
    ]


def choose(page: Page, *files: FilePayload) -> None:
    page.set_input_files("#photo-file", list(files))


def drop(page: Page, *files: FilePayload) -> None:
    page.evaluate(
        f"""(files) => {{ {_TRANSFER}
        const options = {{ dataTransfer: transfer, bubbles: true, cancelable: true }};
        for (const kind of ["dragenter", "dragover", "drop"])
          document.body.dispatchEvent(new DragEvent(kind, options));
        }}""",
        _described(list(files)),
    )


def paste(page: Page, *files: FilePayload) -> None:
    page.evaluate(
        f"""(files) => {{ {_TRANSFER}
        document.body.dispatchEvent(new ClipboardEvent("paste", {{ clipboardData: transfer, bubbles: true }}));
        }}""",
        _described(list(files)),
    )


def shoot(page: Page) -> None:
    page.click("#photo-camera")
    until(page, "document.querySelector('#preview-video').videoWidth > 0")
    page.click("#preview-take")


_HOLD = """() => {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  window.cameras = { asked: [], tracks: [] };
  navigator.mediaDevices.getUserMedia = (wanted) => new Promise((allow, deny) => {
    window.cameras.asked.push(async (denied) => {
      if (denied) return deny(new DOMException("", "NotAllowedError"));
      const stream = await open(wanted);
      window.cameras.tracks.push(...stream.getTracks());
      allow(stream);
    });
  });
}"""


def hold_cameras(page: Page) -> None:
    """From now on a camera opens, or does not, only with :func:`answer_camera`."""
    page.evaluate(_HOLD)


def answer_camera(page: Page, *, deny: bool = False) -> None:
    """Answers the question whether the page may use the camera, the first time and then with the same again."""
    until(page, "window.cameras.asked.length > 0")
    page.evaluate(f"window.cameras.asked[0]({str(deny).lower()})")
    settled(page)


def cameras_on(page: Page) -> int:
    on: int = page.evaluate("window.cameras.tracks.filter(({ readyState }) => readyState === 'live').length")
    return on


def read_sample(page: Page, name: str = "happy_sample") -> None:
    page.click(f"[data-sample={name}]")
    page.wait_for_selector(DONE)


def go(page: Page, view: str) -> None:
    page.click(f".tabs [data-view={view}]")
    page.wait_for_selector(f"#view-{view}:not([hidden])")


def text(page: Page, selector: str) -> str:
    return " ".join(page.inner_text(selector).split())


def said(page: Page) -> str:
    """What the page says of the chosen face, in one line."""
    return " ".join(text(page, part) for part in ("#prediction-lead", "#prediction-label", "#prediction-sure"))


def rect(page: Page, selector: str) -> dict[str, Any]:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return dict(box)
