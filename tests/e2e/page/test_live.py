"""The camera and videos, over the stream, and the report at the end."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.page.actions import (
    answer_camera,
    cameras_on,
    go,
    hold_cameras,
    picked,
    rect,
    settled,
    table,
    text,
    until,
)
from tests.e2e.page.application import Application
from tests.e2e.page.browser import on_a_desktop
from tests.e2e.page.conftest import OpenPage, Start
from tests.e2e.page.pictures import COLLINS, SURPRISED, UNSURE, FaceIn, collins, sample
from tests.e2e.page.videos import scene, write_video

ON = "#view-live[data-state=on]"
REPORT = "#view-live[data-state=report]"
BOX = "#live-boxes .live-box"
LEFT, RIGHT = (0.1, 0.2, 0.3, 0.4), (0.6, 0.3, 0.25, 0.3)
TWO = (FaceIn(LEFT), FaceIn(RIGHT, UNSURE, ("blurred",)))
ANGRY = (0.93, 0.01, 0.01, 0.01, 0.01, 0.01, 0.02)

HIDE = """
Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
document.dispatchEvent(new Event("visibilitychange"));
"""


def begin(page: Page) -> Page:
    go(page, "live")
    page.click("#live-on")
    page.wait_for_selector(BOX)
    return page


@pytest.fixture
def running(page: Page) -> Page:
    return begin(page)


def frames(page: Page, least: int) -> None:
    until(page, f"Number(document.querySelector('#live-frames').textContent) >= {least}")


def finish(page: Page) -> None:
    page.click("#live-off")
    page.wait_for_selector(REPORT)


def download(page: Page, button: str) -> str:
    with page.expect_download() as started:
        page.click(button)
    return Path(started.value.path()).read_text("utf-8")


def test_frames_go_over_one_stream(running: Page, application: Application) -> None:
    frames(running, 12)
    assert [sent.method for sent in application.requests].count("WEBSOCKET") == 1
    assert application.predictions == []
    until(running, "Number(document.querySelector('#live-fps').textContent) > 0")
    assert text(running, "#live-latency").endswith(" ms")
    assert text(running, "#live-skipped").isdigit()
    assert max(Image.open(io.BytesIO(application.uploads[-1])).size) <= 640
    assert text(running, "#live-label") == "Happy 😄"
    assert text(running, "#live-connection") == "Connected"


def test_every_face_has_its_number_and_the_colour_of_its_level(page: Page, application: Application) -> None:
    application.faces = TWO
    begin(page)
    expect(page.locator(BOX)).to_have_count(2)
    assert [box.get_attribute("data-level") for box in page.locator(BOX).all()] == ["sure", "uncertain"]
    first, second = map(int, page.locator(f"{BOX} .live-box__tag").all_inner_texts())
    assert second == first + 1
    marks = page.locator(BOX).evaluate_all("(all) => all.map((box) => getComputedStyle(box).getPropertyValue('--own'))")
    levels = page.evaluate("['--sure', '--uncertain'].map((n) => getComputedStyle(document.body).getPropertyValue(n))")
    assert marks == levels
    page.focus("#live-faces button >> nth=1")
    page.keyboard.press("Enter")
    expect(page.locator("#live-lead")).to_have_text("Uncertain, perhaps")
    expect(page.locator("#live-label")).to_have_text("Sad 😢")
    assert text(page, "#live-warnings") == "Blurred"
    expect(page.locator("#live-faces button >> nth=1")).to_be_focused()
    application.faces = TWO[:1]
    expect(page.locator("#live-label")).to_have_text("Happy 😄")


def test_a_change_shows_in_the_bars_and_on_the_strip(running: Page, application: Application) -> None:
    frames(running, 3)
    before = rect(running, BOX)
    application.faces = (FaceIn((0.1, 0.5, 0.3, 0.4), SURPRISED),)
    expect(running.locator("#live-label")).to_have_text("Surprised 😮")
    lane = running.locator(".timeline__row", has_text="Surprise")
    expect(lane).to_have_attribute("data-top", "")
    drawn = lane.locator("canvas").evaluate(
        "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v > 0)"
    )
    assert drawn
    until(running, f"document.querySelector('{BOX}').getBoundingClientRect().y > {before['y'] + 20}")


def test_nothing_moves_while_frames_are_read(running: Page, application: Application) -> None:
    frames(running, 3)
    settled(running)
    seen = running.evaluate("window.shifts.length")
    for faces in (TWO, (), (FaceIn(LEFT, SURPRISED, ("too_dark", "turned_away", "at_edge")),), TWO[1:]):
        read = int(text(running, "#live-frames"))
        application.faces = faces
        frames(running, read + 4)
    moved = [shift["name"] for shift in running.evaluate(f"window.shifts.slice({seen})") if shift["value"] > 0.0001]
    assert [name for name in moved if "live-box" not in name] == []


@on_a_desktop
def test_an_empty_picture_is_said_to_be_one(running: Page, application: Application) -> None:
    application.faces = ()
    expect(running.locator("#live-lead")).to_have_text("No face in view")
    expect(running.locator(BOX)).to_have_count(0)


@on_a_desktop
@pytest.mark.parametrize("how", ["button", "hidden", "other view"])
def test_it_stops(running: Page, application: Application, how: str) -> None:
    if how == "button":
        running.click("#live-off")
    elif how == "hidden":
        running.evaluate(HIDE)
    else:
        go(running, "about")
    running.wait_for_selector(REPORT, state="attached")
    assert running.evaluate("document.querySelector('#live-video').srcObject") is None
    settled(running)
    sent = len(application.uploads)
    settled(running)
    assert len(application.uploads) == sent
    assert len(application.service.streams) == 0


def test_a_session_ends_with_a_report(running: Page, application: Application) -> None:
    frames(running, 10)
    application.faces = (FaceIn(COLLINS, SURPRISED),)
    expect(running.locator("#live-label")).to_have_text("Surprised 😮")
    frames(running, int(text(running, "#live-frames")) + 15)
    finish(running)
    expect(running.locator("#report-title")).to_be_focused()
    assert "frames read" in text(running, ".report .lead")
    shares = running.locator(".report__shares .bar").all_inner_texts()
    assert {share.split()[0] for share in shares} == {"Happy", "Surprise"}
    assert "Happy → surprise" in text(running, ".report__changes")
    colours = running.locator(".report__strip rect:not(.report__empty)").evaluate_all(
        "(all) => all.map((rect) => rect.style.fill)"
    )
    assert len(colours) == 2
    summary: dict[str, Any] = json.loads(download(running, "#report-json"))
    assert summary["type"] == "summary"
    assert summary["tracks"][0]["share"]["happy"] > 0
    rows = list(csv.DictReader(io.StringIO(download(running, "#report-csv"))))
    assert len(rows) == summary["frames"]["read"]
    assert (rows[0]["track"], rows[0]["emotion"], rows[0]["p_happy"]) == ("1", "happy", "0.93")
    running.click("#report-again")
    expect(running.locator("#live-on")).to_be_focused()
    expect(running.locator("#live-report")).to_be_hidden()


@on_a_desktop
def test_a_second_session_is_like_the_first(running: Page) -> None:
    for _ in range(2):
        expect(running.locator("#live-label")).to_have_text("Happy 😄")
        expect(running.locator("#live-faces button")).to_have_count(1)
        finish(running)
        running.click("#report-again")
        running.click("#live-on")
        running.wait_for_selector(BOX)


@on_a_desktop
def test_a_video_is_read_once_its_key_is_there(start: Start, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(start(api_keys="web:schlüssel–0123456789"))
    hold_cameras(page)
    go(page, "live")
    page.set_input_files("#live-file", write_video(tmp_path / "clip.webm", [scene(collins())] * 60))
    page.fill("#api-key", "nobody–0123456789abcdef")
    page.click("text=Use this key")
    expect(page.locator("#live-error h2")).to_have_text("This key is not valid")
    page.fill("#api-key", "schlüssel–0123456789")
    page.click("text=Use this key")
    page.wait_for_selector(BOX)
    expect(page.locator("#live-play")).to_have_text("Pause")
    # Another camera is for the next session.
    page.evaluate("document.querySelector('#live-camera').add(new Option('Back', 'environment'))")
    page.select_option("#live-camera", "environment")
    page.wait_for_selector(REPORT)
    assert page.evaluate("window.cameras.asked.length") == 0


@on_a_desktop
def test_a_report_begins_with_the_first_frame_and_lists_what_held(page: Page, application: Application) -> None:
    application.faces = ()
    go(page, "live")
    page.click("#live-on")
    frames(page, 3)
    began = time.monotonic()
    until(page, f"performance.now() > {1500} && true")
    application.faces = (FaceIn(LEFT),)
    page.wait_for_selector(BOX)
    while time.monotonic() - began < 2:
        page.wait_for_timeout(100)
    finish(page)
    summary: dict[str, Any] = json.loads(download(page, "#report-json"))
    begin_at, end_at = page.locator(".report__axis").first.locator("span").all_inner_texts()
    assert begin_at.startswith("0:00.")
    assert abs(float(end_at.split(":")[1]) - float(begin_at.split(":")[1]) - summary["duration"]) < 0.2
    mark = page.locator(".report__strip rect").nth(1)
    assert float(mark.get_attribute("x") or 0) > 20


@on_a_desktop
def test_a_session_that_begins_while_another_is_added_up_goes_on(page: Page, application: Application) -> None:
    go(page, "live")
    with application.held():
        page.click("#live-on")
        expect(page.locator("#live-connection")).to_have_text("Connected")
        until(page, "document.querySelector('#live-video').videoWidth > 0")
        page.click("#live-off")
        page.wait_for_selector("#view-live[data-state=ending]")
        page.click("#live-on")
        page.wait_for_selector(ON)
        # The page waits for the summary of the first for eight seconds.
        page.wait_for_timeout(8500)
    frames(page, 3)
    assert page.locator(ON).count() == 1
    finish(page)


@on_a_desktop
def test_the_camera_is_allowed_after_a_video_was_chosen(page: Page, application: Application, tmp_path: Path) -> None:
    hold_cameras(page)
    go(page, "live")
    page.click("#live-on")
    page.set_input_files("#live-file", write_video(tmp_path / "clip.webm", [scene(collins())] * 200))
    page.wait_for_selector(BOX)
    for deny in (False, True):
        answer_camera(page, deny=deny)
        frames(page, int(text(page, "#live-frames")) + 2)
        assert cameras_on(page) == 0
    expect(page.locator("#live-error h2")).to_have_count(0)


@on_a_desktop
def test_the_report_is_what_is_printed(running: Page) -> None:
    frames(running, 3)
    finish(running)
    running.emulate_media(media="print")
    expect(running.locator(".header")).to_be_hidden()
    expect(running.locator("#report-print")).to_be_hidden()
    expect(running.locator(".report__strip").first).to_be_visible()


def test_practice_has_a_level_advice_drops_and_its_notice(start: Start, open_page: OpenPage) -> None:
    application = start(session_profiles="interview_practice")
    page = open_page(application)
    go(page, "live")
    page.check("#live-practise")
    page.click("#live-on")
    expect(page.locator("#practice-level")).to_have_text("Excellent")
    assert "You look very confident" in text(page, "#practice-advice")
    assert "must not be used to judge anybody" in text(page, "#practice-notice")
    frames(page, 5)
    application.faces = (FaceIn(LEFT, ANGRY),)
    expect(page.locator("#practice-drops")).to_contain_text("Sudden drops so far")
    expect(page.locator("#practice-level")).not_to_have_text("Excellent")
    finish(page)
    report = text(page, ".report__practice")
    assert "You suddenly looked less confident" in report
    assert "Do not use it to judge anybody" in report
    asked = next(sent.query for sent in application.requests if sent.method == "WEBSOCKET")
    assert "profile=interview_practice" in asked
    assert "purpose=own_practice" in asked
    head, *rows = table(download(page, "#report-csv"))
    # A posted series has one track.
    own = [head, *([t, 1, *rest] for t, _, *rest in rows)]
    assert own == table(session_as_csv(application, own))


def session_as_csv(application: Application, rows: list[list[float | str]]) -> str:
    """What the service makes of the same frames with ``Accept: text/csv``."""
    head, *frames = rows
    labels = [str(name).removeprefix("p_") for name in head if str(name).startswith("p_")]
    series = [
        {"t": row[0], "probabilities": dict(zip(labels, row[5:], strict=False)), "warnings": str(row[12]).split()}
        for row in frames
    ]
    body = {"profile": "interview_practice", "frames": series}
    url = f"{application.url}analyze/session"
    return httpx.post(url, json=body, headers={"Accept": "text/csv"}, trust_env=False).text


@on_a_desktop
def test_practice_is_offered_only_where_the_operator_allows_it(page: Page) -> None:
    go(page, "live")
    expect(page.locator("#live-practice-choice")).to_be_hidden()


@on_a_desktop
def test_a_lost_connection_comes_back_and_the_report_has_both_parts(running: Page, application: Application) -> None:
    frames(running, 5)
    application.end_streams()
    until(running, "document.querySelector('#live-connection').textContent.includes('Trying again in')")
    expect(running.locator("#live-connection")).to_have_text("Connected")
    expect(running.locator(ON)).to_be_visible()
    read = int(text(running, "#live-frames"))
    frames(running, read + 5)
    finish(running)
    assert "The connection was lost" in text(running, ".report__note")
    summary: dict[str, Any] = json.loads(download(running, "#report-json"))
    assert summary["frames"]["read"] >= read + 5
    rows = list(csv.DictReader(io.StringIO(download(running, "#report-csv"))))
    # The second part goes on counting. Where the machine pauses for long, a part has more than one track.
    tracks = [int(row["track"]) for row in rows]
    assert tracks == sorted(tracks)
    assert (tracks[0], tracks[-1] > 1) == (1, True)


@on_a_desktop
def test_what_the_service_says_is_shown_while_it_has_no_room(start: Start, open_page: OpenPage) -> None:
    page = open_page(start(max_streams=0))
    go(page, "live")
    page.click("#live-on")
    expect(page.locator("#live-connection")).to_contain_text("takes. Try again later. Trying again in")
    page.click("#live-off")
    expect(page.locator("#live-on")).to_be_focused()


@on_a_desktop
def test_it_slows_down_by_itself_at_a_rate(start: Start, open_page: OpenPage) -> None:
    application = start(stream_frames_per_second=3)
    page = begin(open_page(application))
    frames(page, 6)
    until(page, "Number(document.querySelector('#live-fps').textContent) <= 3.5")
    assert int(text(page, "#live-skipped")) <= 3


@on_a_desktop
def test_a_key_is_asked_for_and_never_in_an_address(start: Start, open_page: OpenPage) -> None:
    application = start(api_keys="web:0123456789abcdef0123")
    page = open_page(application)
    go(page, "live")
    page.click("#live-on")
    page.fill("#api-key", "0123456789abcdef0123")
    page.click("text=Use this key")
    page.wait_for_selector(BOX)
    assert "POST /stream/token" in {f"{sent.method} {sent.path}" for sent in application.requests}
    assert not any("0123456789" in f"{sent.path}?{sent.query}" for sent in application.requests)


@on_a_desktop
def test_the_back_camera_can_be_chosen(page: Page) -> None:
    go(page, "live")
    page.evaluate(
        """() => {
          const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          window.asked = [];
          navigator.mediaDevices.getUserMedia = (wanted) => (window.asked.push(wanted.video.facingMode), open(wanted));
        }"""
    )
    page.select_option("#live-camera", "environment")
    page.click("#live-on")
    page.wait_for_selector(BOX)
    assert page.evaluate("window.asked") == ["environment"]


@on_a_desktop
def test_a_camera_is_changed_within_a_session(running: Page, application: Application) -> None:
    frames(running, 3)
    running.evaluate("document.querySelector('#live-camera').add(new Option('Back', 'environment'))")
    running.select_option("#live-camera", "environment")
    frames(running, int(text(running, "#live-frames")) + 3)
    expect(running.locator(ON)).to_be_visible()
    assert [sent.method for sent in application.requests].count("WEBSOCKET") == 1


def test_a_video_is_read_as_it_plays(page: Page, application: Application, tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.webm", [scene(collins())] * 30)
    go(page, "live")
    page.set_input_files("#live-file", video)
    page.wait_for_selector(BOX)
    expect(page.locator("#live-play")).to_have_text("Pause")
    page.wait_for_selector(REPORT)
    summary: dict[str, Any] = json.loads(download(page, "#report-json"))
    # Three seconds of video; the first and the last frame may be missed.
    assert 1.5 < summary["duration"] <= 3.2
    assert application.predictions == []
    assert all(upload[:2] == b"\xff\xd8" and len(upload) < 300_000 for upload in application.uploads)


@on_a_desktop
def test_a_video_may_pause(page: Page, tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.webm", [scene(collins())] * 200)
    go(page, "live")
    page.set_input_files("#live-file", video)
    page.wait_for_selector(BOX)
    page.click("#live-play")
    expect(page.locator("#live-play")).to_have_text("Play")
    settled(page)
    page.wait_for_timeout(300)
    read = text(page, "#live-frames")
    page.wait_for_timeout(500)
    assert text(page, "#live-frames") == read
    page.click("#live-play")
    frames(page, int(read) + 3)
    finish(page)


@on_a_desktop
def test_what_is_no_video_is_said_to_be_none(page: Page) -> None:
    go(page, "live")
    page.set_input_files("#live-file", [picked("photo.jpg", sample("happy_sample"))])
    expect(page.locator("#live-error h2")).to_have_text("Not a video")
    page.set_input_files("#live-file", [picked("clip.mp4", b"nothing of the kind", "video/mp4")])
    expect(page.locator("#live-error h2")).to_have_text("The browser cannot play it")


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
