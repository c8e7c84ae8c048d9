"""On this device: pictures are read in the browser, with no request at all and with no network."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.actions import picked, text
from tests.e2e.page.application import Application
from tests.e2e.page.browser import on_a_desktop
from tests.e2e.page.conftest import OpenPage
from tests.e2e.page.pictures import sample
from tests.process import ROOT

EDGE = ROOT / "app" / "web" / "edge" / "edge.json"
OFFLINE_READY = "html[data-offline-ready]"
SWITCH = "#photo-device input"
NOTE = "#photo-device-note"
SINGLE = picked("happy_sample.jpg", sample("happy_sample"))

pytestmark = pytest.mark.skipif(not EDGE.exists(), reason="app/web/edge is not built: run `make edge`.")


def ready(page: Page) -> None:
    page.check(SWITCH)
    expect(page.locator(NOTE)).to_have_text("What leaves this device: nothing. Ready.")


def read(page: Page) -> None:
    page.set_input_files("#photo-file", [SINGLE])
    expect(page.locator("#prediction-label")).to_contain_text("Happy")
    expect(page.locator("#result-summary")).to_contain_text("read on this device")


def test_a_photo_is_read_after_the_first_visit_without_a_network(open_page: OpenPage) -> None:
    with Application() as application:
        page = open_page(application, service_workers="allow")
        page.wait_for_selector(OFFLINE_READY)
    page.context.set_offline(True)
    page.reload()
    ready(page)
    read(page)
    page.reload()
    # The choice is kept.
    expect(page.locator(NOTE)).to_contain_text("Ready")
    read(page)


def test_nothing_leaves_the_device_while_a_photo_is_read(page: Page, application: Application) -> None:
    ready(page)
    expect(page.locator("#status-text")).to_have_text("On this device")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    application.requests.clear()
    read(page)
    assert [url for url in requests if not url.startswith(("blob:", "data:"))] == []
    assert application.requests == []
    assert application.uploads == []
    assert "read as it is" in text(page, "#photo-note")
    expect(page.locator("#explanation")).to_be_hidden()


def test_switching_reads_the_photo_again(page: Page, application: Application) -> None:
    page.set_input_files("#photo-file", [SINGLE])
    expect(page.locator("#result-summary")).not_to_contain_text("this device")
    ready(page)
    expect(page.locator("#result-summary")).to_contain_text("read on this device")
    page.uncheck(SWITCH)
    expect(page.locator("#result-summary")).not_to_contain_text("this device")
    assert len(application.uploads) == 2


@on_a_desktop
def test_a_photo_without_a_face_says_so(page: Page) -> None:
    ready(page)
    page.set_input_files("#photo-file", [picked("cat.jpg", (ROOT / "sample_images/no_face.jpg").read_bytes())])
    expect(page.locator("#photo-error h1")).to_have_text("No face found")
    page.click("text=Read the middle anyway")
    expect(page.locator("#result-summary")).to_contain_text("0 faces found, read on this device")


@on_a_desktop
def test_a_model_file_that_does_not_match_its_hash_is_not_used(page: Page, application: Application) -> None:
    page.route("**/*.onnx", lambda route: route.fulfill(body=b"something else"))
    page.check(SWITCH)
    page.set_input_files("#photo-file", [SINGLE])
    expect(page.locator("#photo-error h1")).to_have_text("A part of the engine was changed")
    page.click("text=Send it to the service instead")
    expect(page.locator("#prediction-label")).to_contain_text("Happy")
    assert len(application.uploads) == 1


@on_a_desktop
def test_a_browser_without_simd_says_so(page: Page) -> None:
    page.evaluate("() => { WebAssembly.validate = () => false; }")
    page.check(SWITCH)
    page.set_input_files("#photo-file", [SINGLE])
    expect(page.locator("#photo-error h1")).to_have_text("This browser cannot do it")


@on_a_desktop
def test_the_page_can_be_installed(page: Page) -> None:
    manifest = json.loads((ROOT / "app/web/manifest.webmanifest").read_text("utf-8"))
    assert {icon["sizes"] for icon in manifest["icons"]} == {"192x192", "512x512"}
    session = page.context.new_cdp_session(page)
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # A test's window is a private one.
    assert [error["errorId"] for error in errors if error["errorId"] != "in-incognito"] == []
    assert session.send("Page.getAppManifest")["errors"] == []
