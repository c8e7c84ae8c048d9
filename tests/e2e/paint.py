"""How soon the page is painted: ``python -m tests.e2e.paint``. Figures, not a test."""

from __future__ import annotations

import statistics

from playwright.sync_api import Page, sync_playwright

from tests.e2e.page.actions import settled
from tests.e2e.page.browser import SCREENS, chromium, open_context
from tests.process import ServerProcess

ROUNDS = 7

_WATCH = """
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.painted = { at: entry.startTime, what: entry.element?.className };
}).observe({ type: "largest-contentful-paint", buffered: true });
"""


def painted(page: Page, url: str) -> tuple[float, str]:
    """Milliseconds until the largest element was painted, and what it was."""
    page.goto(url, wait_until="load")
    page.wait_for_selector("#status:not([data-state=checking])")
    settled(page)
    largest = page.evaluate("window.painted")
    return float(largest["at"]), str(largest["what"])


def main() -> None:
    with ServerProcess({"WORKERS": 1}) as service, sync_playwright() as playwright, chromium(playwright) as browser:
        service.wait_ready()
        for screen in SCREENS:
            times = []
            for _ in range(ROUNDS):
                context = open_context(browser, screen)
                context.add_init_script(_WATCH)
                page = context.new_page()
                at, what = painted(page, f"{service.url}/")
                times.append(at)
                context.close()
            middle, worst = statistics.median(times), max(times)
            print(f"{screen.name}: largest paint ({what}) median {middle:.0f} ms, worst {worst:.0f} ms")


if __name__ == "__main__":
    main()
