"""The page on the service as it ships: a process of its own, with the real pipeline and the shipped model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.e2e.page.actions import DONE, choose, go, read_sample, rect, text, until
from tests.e2e.page.browser import DESKTOP, Watcher, chromium, open_context
from tests.e2e.page.conftest import READY
from tests.e2e.page.pictures import SAMPLES, hopper
from tests.e2e.page.videos import collins_closer, scene, write_camera, write_video
from tests.process import ServerProcess


@pytest.fixture
def served(browser: Browser, shared_server: ServerProcess) -> Iterator[Page]:
    context = open_context(browser, DESKTOP, permissions=["camera"])
    page = context.new_page()
    watcher = Watcher(page)
    page.goto(f"{shared_server.url}/")
    page.wait_for_selector(READY)
    yield page
    context.close()
    assert watcher.faults == []
    assert watcher.requests_elsewhere(shared_server.url) == []


def test_samples_are_read(served: Page) -> None:
    read_sample(served)
    assert text(served, "#prediction-label").startswith("Happy")
    assert "over 99 %" in text(served, "#bars")
    picture, box = rect(served, "#picture-image"), rect(served, "#picture-boxes .box")
    middle = (box["x"] + box["width"] / 2 - picture["x"]) / picture["width"]
    assert middle == pytest.approx(0.44, abs=0.04)
    served.click("#photo-another")
    read_sample(served, "multiple_faces")
    expect(served.locator("#faces button")).to_have_count(2)
    served.click("#photo-another")
    served.click("[data-sample=no_face]")
    expect(served.locator("#photo-error h1")).to_have_text("No face found")
    served.click("text=Read the middle anyway")
    served.wait_for_selector(DONE)
    assert "the middle of the photo was read" in text(served, "#warnings")


@pytest.mark.parametrize("name", ["rotated_exif", "phone_12mp"])
def test_phone_photos_are_boxed_upright(served: Page, name: str) -> None:
    served.set_input_files("#photo-file", SAMPLES / f"{name}.jpg")
    served.wait_for_selector(DONE)
    assert text(served, "#prediction-label").startswith("Happy")
    picture, box = rect(served, "#picture-image"), rect(served, "#picture-boxes .box")
    assert picture["y"] < box["y"] < picture["y"] + picture["height"] / 2
    assert text(served, "#photo-note").startswith("Made smaller") == (name == "phone_12mp")


def test_a_folder_the_totals_and_the_card(served: Page, tmp_path: Path) -> None:
    for name in ("happy_sample", "neutral_sample", "no_face"):
        (tmp_path / f"{name}.jpg").write_bytes((SAMPLES / f"{name}.jpg").read_bytes())
    go(served, "many")
    served.set_input_files("#many-folder-input", str(tmp_path))
    served.wait_for_selector("#view-many[data-state=done]")
    assert text(served, "#many-count") == "2 of 3 photos read, 1 could not be"
    go(served, "totals")
    expect(served.locator(".chart svg:visible").first).to_be_visible()
    go(served, "about")
    expect(served.locator("#card .card__name").first).to_contain_text("default")


def test_an_empty_camera_picture_shows_no_face(served: Page) -> None:
    go(served, "live")
    served.click("#live-on")
    expect(served.locator("#live-lead")).to_have_text("No face in view")
    served.click("#live-off")


def test_two_people_before_a_camera(playwright: Playwright, shared_server: ServerProcess, tmp_path: Path) -> None:
    """The camera shows both sample faces, then only the second."""
    scenes = [scene(collins_closer(), hopper())] * 40 + [scene(Image.new("RGB", (300, 480)), hopper())] * 40
    camera = write_camera(tmp_path / "camera.mjpeg", scenes)
    with chromium(playwright, f"--use-file-for-fake-video-capture={camera}") as browser:
        context = open_context(browser, DESKTOP, permissions=["camera"])
        page = context.new_page()
        watcher = Watcher(page)
        page.goto(f"{shared_server.url}/")
        page.wait_for_selector(READY)
        go(page, "live")
        page.click("#live-on")
        expect(page.locator("#live-boxes .live-box")).to_have_count(2)
        until(page, "Number(document.querySelector('#live-frames').textContent) >= 15")
        page.click("#live-off")
        page.wait_for_selector("#view-live[data-state=report]")
        assert {"Face 1", "Face 2"} <= {*page.locator(".report__face h2").all_inner_texts()}
        assert watcher.faults == []
        context.close()


def test_a_video_file(served: Page, tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.webm", [scene(collins_closer())] * 30)
    go(served, "live")
    served.set_input_files("#live-file", video)
    expect(served.locator("#live-label")).to_have_text("Happy 😄")
    served.wait_for_selector("#view-live[data-state=report]")
    assert "Happy" in text(served, ".report__shares")


def test_what_is_no_picture_is_refused_in_words(served: Page) -> None:
    choose(served, {"name": "me.heic", "mimeType": "image/heic", "buffer": b"\0\0\0\x18ftypheic"})
    expect(served.locator("#photo-error h1")).to_have_text("Not a format it reads")
