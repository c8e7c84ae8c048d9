"""The camera, frame by frame."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.page.actions import go, rect, settled, text, until
from tests.e2e.page.application import Application
from tests.e2e.page.browser import on_a_desktop
from tests.e2e.page.pictures import SURPRISED, FaceIn

ON = "#view-live[data-state=on]"

HIDE = """
Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
document.dispatchEvent(new Event("visibilitychange"));
"""


@pytest.fixture
def running(page: Page) -> Page:
    go(page, "live")
    page.click("#live-on")
    page.wait_for_selector("#live-box:not([hidden])")
    return page


def frames(page: Page, least: int) -> None:
    until(page, f"Number(document.querySelector('#live-frames').textContent) >= {least}")


def test_frames_are_read_one_at_a_time(running: Page, application: Application) -> None:
    frames(running, 12)
    assert application.most_in_flight == 1
    # It is shown after half a second of frames.
    until(running, "Number(document.querySelector('#live-fps').textContent) > 0")
    assert text(running, "#live-latency").endswith(" ms")
    assert max(Image.open(io.BytesIO(application.uploads[-1])).size) <= 512
    assert text(running, "#live-label") == "Happy 😄"


def test_a_change_shows_in_the_bars_and_on_the_strip(running: Page, application: Application) -> None:
    frames(running, 3)
    before = rect(running, "#live-box")
    application.faces = (FaceIn((0.1, 0.5, 0.3, 0.4), SURPRISED),)
    expect(running.locator("#live-label")).to_have_text("Surprised 😮")
    lane = running.locator(".timeline__row", has_text="Surprise")
    expect(lane).to_have_attribute("data-top", "")
    drawn = lane.locator("canvas").evaluate(
        "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v > 0)"
    )
    assert drawn
    until(running, f"document.querySelector('#live-box').getBoundingClientRect().y > {before['y'] + 20}")


@on_a_desktop
def test_an_empty_picture_is_said_to_be_one(running: Page, application: Application) -> None:
    application.faces = ()
    expect(running.locator("#live-lead")).to_have_text("No face in view")
    expect(running.locator("#live-box")).to_be_hidden()


@on_a_desktop
@pytest.mark.parametrize("how", ["button", "hidden", "other view"])
def test_it_stops(running: Page, application: Application, how: str) -> None:
    if how == "button":
        running.click("#live-off")
    elif how == "hidden":
        running.evaluate(HIDE)
        expect(running.locator("#live-lead")).to_have_text("Stopped while you were away")
    else:
        go(running, "about")
    running.wait_for_selector(ON, state="hidden")
    assert running.evaluate("document.querySelector('#live-video').srcObject") is None
    settled(running)
    sent = len(application.predictions)
    settled(running)
    assert len(application.predictions) == sent


@on_a_desktop
def test_a_limit_pauses_the_frames_and_not_the_camera(running: Page, application: Application) -> None:
    application.fail("rate_limited", retry_after=1)
    expect(running.locator("#live-error h2")).to_have_text("A short pause")
    expect(running.locator(ON)).to_be_visible()
    expect(running.locator("#live-error")).to_be_hidden()
    frames(running, 5)


@on_a_desktop
@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("NotAllowedError", "The camera is blocked"),
        ("NotFoundError", "No camera found"),
        ("NotReadableError", "The camera is in use"),
    ],
)
def test_a_camera_that_does_not_open_is_explained(page: Page, name: str, title: str) -> None:
    refuse = f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{name}'))"
    page.evaluate(f"() => {{ {refuse} }}")
    go(page, "live")
    page.click("#live-on")
    expect(page.locator("#live-error h2")).to_have_text(title)
    expect(page.locator("#live-on")).to_be_visible()
    go(page, "photo")
    page.click("#photo-camera")
    expect(page.locator("#photo-error h1")).to_have_text(title)


@on_a_desktop
def test_the_camera_needs_a_secure_address(page: Page) -> None:
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    page.click("#photo-camera")
    expect(page.locator("#photo-error h1")).to_have_text("The camera needs a secure address")
