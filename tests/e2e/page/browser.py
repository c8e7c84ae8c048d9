"""Chromium as the page's tests use it: Debian's build, a fake camera, chosen fonts, nothing that phones home."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

TIMEOUT_S = 60
"""How long a state is waited for. Only a machine that is busy with other things needs it."""

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)

_NOT_OURS = ("Failed to load resource:", "Service Worker registration blocked by Playwright")
"""What Chromium itself logs for an error status or a lost connection, and Playwright. The page cannot silence it."""

_WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    for (const { node, previousRect, currentRect } of entry.sources) {
      window.shifts.push({ value: entry.value, name: `${node?.nodeName} ${node?.className ?? ""}#${node?.id ?? ""}`,
        from: previousRect.toJSON(), to: currentRect.toJSON() });
    }
  }
}).observe({ type: "layout-shift", buffered: true });
"""


@dataclass(frozen=True)
class Screen:
    name: str
    width: int
    height: int
    touch: bool = False


PHONE = Screen("phone", 390, 844, touch=True)
DESKTOP = Screen("desktop", 1440, 900)
SCREENS = (PHONE, DESKTOP)

on_a_desktop = pytest.mark.parametrize("screen", [DESKTOP], ids=["desktop"], indirect=True)
"""For what does not depend on the size of the screen, so that it is not tested twice."""


FONTS = {
    "dejavu": Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    "noto": Path("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"),
}
"""Sets of fonts, by a file of the folder that holds them: Debian's least, which are wide, and those of most phones.
Chromium does not start without any. A folder may hold symbols alone."""


@contextmanager
def chromium(playwright: Playwright, *arguments: str, fontconfig: Path | None = None) -> Iterator[Browser]:
    """A browser of its own, with the fonts of the machine or of a fontconfig file."""
    environment = {**os.environ, **({"FONTCONFIG_FILE": str(fontconfig)} if fontconfig else {})}
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *arguments], env=dict(environment))
    try:
        yield browser
    finally:
        browser.close()


def write_fontconfig(folder: Path, fonts: str) -> Path:
    """A fontconfig file that knows one set of fonts and no other."""
    rules = '<include ignore_missing="yes">/etc/fonts/conf.d</include>'
    file = folder / "fonts.conf"
    held = f"<dir>{FONTS[fonts].parent}</dir>{rules}<cachedir>{folder}</cachedir>"
    file.write_text(f"<?xml version='1.0'?><fontconfig>{held}</fontconfig>", "utf-8")
    return file


def open_context(browser: Browser, screen: Screen, **options: Any) -> BrowserContext:
    """A browser session of its own. Motion is off unless it is asked for: it costs a machine without a GPU seconds."""
    options.setdefault("reduced_motion", "reduce")
    # A service worker would answer in place of the application.
    options.setdefault("service_workers", "block")
    context = browser.new_context(
        viewport={"width": screen.width, "height": screen.height},
        is_mobile=screen.touch,
        has_touch=screen.touch,
        **options,
    )
    context.add_init_script(_WATCH_SHIFTS)
    context.set_default_timeout(TIMEOUT_S * 1000)
    return context


class Watcher:
    """Notes what a page must not do: log errors, throw, or send a request to another origin."""

    def __init__(self, page: Page) -> None:
        self.faults: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"thrown: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_NOT_OURS):
            self.faults.append(f"{message.type}: {message.text}")

    def requests_elsewhere(self, origin: str) -> list[str]:
        own = urlsplit(origin).netloc
        parts = ((url, urlsplit(url)) for url in self.requests)
        return [url for url, part in parts if part.scheme not in {"blob", "data"} and part.netloc != own]
