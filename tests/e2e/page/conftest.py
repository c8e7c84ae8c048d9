"""The page in a real browser, on the real application with a fake pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.e2e.page.application import Application
from tests.e2e.page.browser import (
    CHROMIUM,
    SCREENS,
    TIMEOUT_S,
    Screen,
    Watcher,
    chromium,
    open_context,
    write_fontconfig,
)

expect.set_options(timeout=TIMEOUT_S * 1000)

Start = Callable[..., Application]
OpenPage = Callable[..., Page]
BrowserWithFonts = Callable[[str], Browser]

READY = "#status:is([data-state=ready], [data-state=cold])"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("e2e")
            item.add_marker("browser")
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed (apt-get install chromium)."))


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """One for this folder. While it is open, its thread counts as having a running event loop: tests elsewhere have
    one of their own."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as running:
        yield running


@pytest.fixture(scope="package")
def browser_with_fonts(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserWithFonts]:
    """Browsers that have one set of fonts and no other, by the name of the set."""
    with ExitStack() as stack:

        @cache
        def begin(fonts: str) -> Browser:
            fontconfig = write_fontconfig(tmp_path_factory.mktemp("fonts"), fonts)
            return stack.enter_context(chromium(playwright, fontconfig=fontconfig))

        yield begin


@pytest.fixture(scope="package")
def shared_application() -> Iterator[Application]:
    """One application with its defaults, for all tests that need no other settings."""
    with Application() as running:
        yield running


@pytest.fixture
def application(shared_application: Application) -> Application:
    shared_application.reset()
    return shared_application


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts an application of the test's own, with some settings."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Application(**settings))


@pytest.fixture(params=SCREENS, ids=lambda screen: screen.name)
def screen(request: pytest.FixtureRequest) -> Screen:
    """A phone, then a desktop computer."""
    screen: Screen = request.param
    return screen


@pytest.fixture
def open_page(browser: Browser, start: Start, screen: Screen) -> Iterator[OpenPage]:
    """Opens the page of an application. At the end it must have logged nothing, thrown nothing, and sent no request to
    another origin. It closes before the applications that ``start`` started."""
    with ExitStack() as stack:

        def begin(application: Application, *, until: str = READY, browser: Browser = browser, **options: Any) -> Page:
            permissions = ["clipboard-read", "clipboard-write", "camera"]
            context = open_context(browser, screen, permissions=permissions, **options)
            page = context.new_page()
            watcher = Watcher(page)
            stack.callback(_check, watcher, application.url)
            stack.callback(context.close)
            page.goto(application.url)
            page.wait_for_selector(until)
            return page

        yield begin


def _check(watcher: Watcher, url: str) -> None:
    assert watcher.faults == []
    assert watcher.requests_elsewhere(url) == []


@pytest.fixture
def page(open_page: OpenPage, application: Application) -> Page:
    """The page of the shared application, open and ready."""
    return open_page(application)
