"""Draws the icons of the page as an app, app/web/icons, from app/web/icon.svg. Needs Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

WEB = Path(__file__).resolve().parents[1] / "app" / "web"
ICONS = {"192.png": (192, 0.72), "512.png": (512, 0.72), "maskable.png": (512, 0.52), "apple-touch.png": (180, 0.66)}
"""Sides in pixels, and the share of the side that the drawing takes: a mask may cut the edges off."""
PAPER = "#f7f8f8"


def main() -> None:
    drawing = (WEB / "icon.svg").read_text("utf-8")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        for name, (side, share) in ICONS.items():
            page.set_viewport_size({"width": side, "height": side})
            page.set_content(
                f"<style>body {{ margin: 0; height: 100vh; display: grid; place-items: center; background: {PAPER} }}"
                f"svg {{ width: {share:.0%}; height: {share:.0%} }}</style>{drawing}"
            )
            page.screenshot(path=WEB / "icons" / name)
        browser.close()


if __name__ == "__main__":
    main()
