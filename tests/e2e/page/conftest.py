"""The page in a real browser, against a stand-in that can be put into every state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.page.browser import CHROMIUM, PATIENCE_S, SCREENS, Screen, Watcher, chromium, open_context
from tests.e2e.page.mock import Mock

expect.set_options(timeout=PATIENCE_S * 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("e2e")
            item.add_marker("browser")
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed (apt-get install chromium)."))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser a module. It must be gone before any test with an event loop of its own runs."""
    with chromium() as running:
        yield running


@pytest.fixture
def mock() -> Iterator[Mock]:
    server = Mock()
    yield server
    server.close()


@pytest.fixture(params=SCREENS, ids=lambda screen: screen.name)
def screen(request: pytest.FixtureRequest) -> Screen:
    """Every flow is walked on a phone and on a desk."""
    screen: Screen = request.param
    return screen


@pytest.fixture
def page(browser: Browser, mock: Mock, screen: Screen) -> Iterator[Page]:
    """The page, open and ready. At the end it must have logged nothing, thrown nothing and asked nobody else."""
    context = open_context(browser, screen, permissions=["clipboard-read", "clipboard-write", "camera"])
    opened = context.new_page()
    watcher = Watcher(opened)
    opened.goto(mock.url)
    opened.wait_for_selector("#status[data-state=ready]")
    yield opened
    context.close()
    assert watcher.faults == []
    assert watcher.strangers(mock.url) == []
    assert watcher.status_lines <= mock.state.errors_sent
