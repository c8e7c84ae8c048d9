"""One photo, from choosing it to its result and the request that was sent."""

from __future__ import annotations

import io
import re
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat
from playwright.sync_api import Page, expect

from tests.e2e.page.actions import (
    BUSY,
    DONE,
    answer_camera,
    cameras_on,
    choose,
    drop,
    go,
    hold_cameras,
    paste,
    picked,
    read_sample,
    rect,
    said,
    settled,
    shoot,
    text,
    until,
)
from tests.e2e.page.application import Application, slow_explanations, two_models
from tests.e2e.page.browser import FONTS, Screen, on_a_desktop
from tests.e2e.page.conftest import BrowserWithFonts, OpenPage, Start
from tests.e2e.page.pictures import COLLINS, HOPPER, SURE, UNSURE, FaceIn, as_jpeg, hopper, sample


def test_a_sample_is_read(page: Page) -> None:
    read_sample(page)
    assert said(page) == "Looks Happy 😄 ✅ 93 %, sure"
    assert page.get_attribute("#prediction", "data-level") == "sure"
    bars = page.locator("#bars li").all_inner_texts()
    assert [bar.split("\n")[1] for bar in bars] == ["Angry", "Fear", "Happy", "Sad", "Surprise", "Neutral"]
    assert "93 %" in bars[2]
    assert text(page, ".bars__rest") == "Under 1 %: disgust"
    expect(page.locator("#announcements")).to_contain_text("Looks happy, 93 %, sure.")


@on_a_desktop
@pytest.mark.parametrize("bring", [choose, drop, paste])
def test_a_photo_comes_by_every_way(page: Page, application: Application, bring: object) -> None:
    assert callable(bring)
    bring(page, picked("me.jpg", sample("happy_sample")))
    page.wait_for_selector(DONE)
    assert application.uploads == [sample("happy_sample")]
    assert "sent as it is" in text(page, "#photo-note")


def test_the_camera_takes_a_photo(page: Page, application: Application) -> None:
    shoot(page)
    page.wait_for_selector(DONE)
    [data] = application.uploads
    assert Image.open(io.BytesIO(data)).format == "JPEG"
    assert page.evaluate("document.querySelector('#preview-video').srcObject") is None


@on_a_desktop
def test_try_another_begins_again(page: Page) -> None:
    read_sample(page)
    page.click("#photo-another")
    expect(page.locator("#intro")).to_be_visible()
    expect(page.locator("#photo-choose")).to_be_focused()
    read_sample(page, "neutral_sample")
    assert said(page).startswith("Seems Neutral")


def test_the_face_is_boxed_where_it_is(page: Page) -> None:
    read_sample(page)
    # The box closes in on the face.
    page.locator("#picture-boxes .box").evaluate(
        "box => Promise.all(box.getAnimations({subtree: true}).map(each => each.finished)).then(() => null)"
    )
    picture, box = rect(page, "#picture-image"), rect(page, "#picture-boxes .box")
    assert (box["x"] - picture["x"]) / picture["width"] == pytest.approx(174 / 512, abs=0.01)
    assert (box["y"] - picture["y"]) / picture["height"] == pytest.approx(61 / 512, abs=0.01)
    assert box["width"] / picture["width"] == pytest.approx(102 / 512, abs=0.01)


def test_each_of_several_faces_can_be_chosen(page: Page) -> None:
    read_sample(page, "multiple_faces")
    assert said(page).startswith("Looks Happy")
    page.click("#picture-boxes .box >> nth=1")
    assert said(page).startswith("Seems Neutral")
    assert page.get_attribute("#picture-boxes .box >> nth=1", "aria-pressed") == "true"
    page.click("#faces button >> nth=0")
    assert said(page).startswith("Looks Happy")


def test_doubt_is_said_in_words_with_what_to_do(page: Page) -> None:
    choose(page, picked("unsure.jpg", sample("unsure")))
    page.wait_for_selector(DONE)
    assert said(page) == "Uncertain, perhaps Sad 😢 🤔 44 %, uncertain or neutral, 31 % Blurred Turned away"
    assert page.get_attribute("#prediction", "data-level") == "uncertain"
    notes = text(page, "#warnings")
    assert "The face is blurred. Hold still" in notes
    assert "The face is turned away." in notes


def test_the_reason_lies_over_the_face(page: Page, application: Application) -> None:
    read_sample(page)
    assert page.evaluate("getComputedStyle(document.querySelector('#picture-heatmap')).opacity") == "0"
    page.focus("#heatmap-opacity")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#picture-heatmap")).to_have_css("opacity", "0.5")
    assert text(page, "#heatmap-value") == "50 %"
    # Drawn on the face (the middle of its box), and nowhere else (a corner of the picture).
    inside, outside = page.evaluate(
        """() => {
          const canvas = document.querySelector("#picture-heatmap");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return [[225, 130], [500, 500]].map(([x, y]) => data[(y * canvas.width + x) * 4 + 3]);
        }"""
    )
    assert inside > 100
    assert outside == 0
    assert text(page, "#heatmap-hint").endswith("the more it spoke for “happy”.")
    assert application.predictions == ["/predict?faces=all&explain=grid"]


@on_a_desktop
def test_the_request_can_be_copied(page: Page, application: Application) -> None:
    read_sample(page)
    page.click("#request summary")
    page.click("[data-copy=curl]")
    expect(page.locator("[data-copy=curl]")).to_have_text("Copied")
    address = f"{application.url}predict?faces=all&explain=grid"
    assert page.evaluate("navigator.clipboard.readText()") == f"curl -F 'file=@happy_sample.jpg' \\\n  '{address}'"


@on_a_desktop
def test_a_large_photo_is_made_smaller_and_turned_upright(page: Page, application: Application) -> None:
    lying = hopper().rotate(90, expand=True).resize((3600, 3000))
    exif = Image.Exif()
    exif[0x0112] = 6
    choose(page, picked("large.jpg", as_jpeg(lying, exif=exif)))
    page.wait_for_selector(DONE)
    [data] = application.uploads
    sent = Image.open(io.BytesIO(data))
    assert sent.size == (1707, 2048)
    assert not sent.getexif()
    # The sky is at the right of the upright photo, the flag at its left.
    right, left = (sent.getpixel((x, 500)) for x in (1690, 20))
    assert isinstance(right, tuple)
    assert isinstance(left, tuple)
    assert right[2] > 120 > left[2]
    assert text(page, "#photo-note").startswith("Made smaller here before it was sent: 3000 × 3600")


@on_a_desktop
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_webp_is_sent_upright(page: Page, application: Application, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.endian = "<" if orientation % 2 else ">"
    out = io.BytesIO()
    picture = hopper().resize((300, 200))
    picture.save(out, "WEBP", lossless=True, exif=exif.tobytes())
    choose(page, picked("me.webp", out.getvalue(), "image/webp"))
    page.wait_for_selector(DONE)
    [data] = application.uploads
    sent = Image.open(io.BytesIO(data))
    # The service turns what is sent as it is.
    assert (sent.format == "WEBP") == (orientation == 1)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(out.getvalue()))).convert("RGB")
    assert sent.size == upright.size
    difference = ImageChops.difference(sent.convert("RGB"), upright)
    assert max(ImageStat.Stat(difference).mean) < 8


@on_a_desktop
def test_a_format_that_only_the_browser_reads_is_turned_into_a_jpeg(page: Page, application: Application) -> None:
    out = io.BytesIO()
    hopper().convert("P").save(out, "GIF")
    choose(page, picked("me.gif", out.getvalue(), "image/gif"))
    page.wait_for_selector(DONE)
    [data] = application.uploads
    assert "file=@me.jpg" in str(page.text_content("#curl"))
    assert Image.open(io.BytesIO(data)).format == "JPEG"
    assert text(page, "#photo-note").startswith("Turned into a JPEG")


@on_a_desktop
def test_a_file_that_the_page_cannot_make_smaller_is_not_sent(page: Page, application: Application) -> None:
    choose(page, picked("film.mov", bytes(6 * 1024 * 1024), "video/quicktime"))
    expect(page.locator("#photo-error h1")).to_have_text("The file is too large")
    expect(page.locator("#photo-error")).to_contain_text("film.mov 6.3 MB")
    assert application.predictions == []


@on_a_desktop
def test_what_is_dropped_goes_to_the_view_that_reads_it(page: Page) -> None:
    drop(page, picked("clip.mp4", b"nothing of the kind", "video/mp4"))
    expect(page.locator("#live-error h2")).to_have_text("The browser cannot play it")
    drop(page, picked("me.jpg", sample("happy_sample")))
    page.wait_for_selector(DONE)


@on_a_desktop
def test_a_view_that_cannot_be_loaded_can_be_tried_again(page: Page) -> None:
    page.route("**/web/about.js", lambda route: route.abort())
    page.reload()
    page.click(".tabs [data-view=about]")
    expect(page.locator("#announcements")).to_have_text("About could not be loaded")
    expect(page.locator("#view-photo")).to_be_visible()
    page.unroute("**/web/about.js")
    go(page, "about")
    expect(page.locator(".tabs [aria-current]")).to_have_text("About")


@on_a_desktop
def test_a_file_that_is_no_picture_is_refused_in_words(page: Page) -> None:
    choose(page, picked("me.heic", b"\0\0\0\x18ftypheic", "image/heic"))
    expect(page.locator("#photo-error h1")).to_have_text("Not a format it reads")
    expect(page.locator("#frame-blank")).to_be_visible()
    page.click("text=Try another photo")
    expect(page.locator("#intro")).to_be_visible()


@on_a_desktop
def test_the_middle_is_read_when_asked_for(page: Page, application: Application) -> None:
    page.click("[data-sample=no_face]")
    page.click("text=Read the middle anyway")
    page.wait_for_selector(DONE)
    assert application.predictions[-1] == "/predict?faces=all&explain=grid&on_no_face=center"
    assert "the middle of the photo was read" in text(page, "#warnings")


def test_models_are_chosen_and_compared(start: Start, open_page: OpenPage) -> None:
    application = start(registry=two_models())
    page = open_page(application)
    read_sample(page)
    page.select_option("#model", "other")
    expect(page.locator("#result-summary")).to_contain_text("by other")
    assert application.predictions[-1] == "/predict?faces=all&explain=grid&model=other"
    application.reset()
    page.click("#compare summary")
    page.click("text=Compare on this face")
    expect(page.locator(".compared__model")).to_have_count(2)
    first, second = (" ".join(each.split()) for each in page.locator(".compared__model").all_inner_texts())
    assert "Happy ✅ 93 %, sure" in first
    assert "Sad 🤔 44 %, uncertain" in second
    assert re.search(r"[\d.]+ ms for 1 face", second)
    assert "They disagree. They are furthest apart on happy: 91 points." in text(page, "#compare")
    # What the chosen model has said is not asked for again.
    assert application.predictions == ["/predict?faces=all&explain=grid&model=default"]


def test_models_with_the_same_result_agree(start: Start, open_page: OpenPage) -> None:
    page = open_page(start(registry=two_models(SURE)))
    read_sample(page)
    page.click("#compare summary")
    page.click("text=Compare on this face")
    expect(page.locator(".compared__sum")).to_have_text("They agree. No figure differs by a point.")


def test_models_are_compared_on_the_face_that_is_chosen(start: Start, open_page: OpenPage) -> None:
    application = start(registry=two_models())
    page = open_page(application)
    read_sample(page, "multiple_faces")
    page.click("#faces button >> nth=1")
    page.click("#compare summary")
    page.click("text=Compare on this face")
    expect(page.locator(".compared__model")).to_have_count(2)
    assert "They agree." in text(page, "#compare")
    assert "Neutral" in text(page, ".compared__model")
    page.click("#faces button >> nth=0")
    assert "Happy" in text(page, ".compared__model")
    assert "They disagree." in text(page, "#compare")
    # Each model has its map over the face: the two differ in nothing but what they say.
    assert page.locator(".compared__model canvas[role=img]").count() == 2


@on_a_desktop
def test_a_slow_explanation_is_requested_only_when_it_is_wanted(start: Start, open_page: OpenPage) -> None:
    application = start(registry=slow_explanations())
    page = open_page(application)
    until(page, "document.querySelector('#status').dataset.info === 'loaded'")
    read_sample(page)
    assert application.predictions == ["/predict?faces=all"]
    page.focus("#heatmap-opacity")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#heatmap-hint")).to_contain_text("the warmer a spot")
    assert application.predictions[-1] == "/predict?faces=all&explain=grid"


@on_a_desktop
def test_the_method_of_the_explanation_is_chosen(page: Page, application: Application) -> None:
    read_sample(page)
    options = page.locator("#explain-method option").evaluate_all("all => all.map(({ value }) => value)")
    assert options == ["contrast", "cam", "occlusion"]
    expect(page.locator("#explain-method")).to_have_value("contrast")
    with page.expect_response("**/predict?*"):
        page.select_option("#explain-method", "occlusion")
    expect(page.locator("#explain-method")).to_have_value("occlusion")
    assert application.predictions[-1] == "/predict?faces=all&explain=grid&explain_method=occlusion"
    # The next photo begins with the default.
    choose(page, picked("me.jpg", sample("neutral_sample")))
    expect(page.locator("#curl")).to_contain_text("me.jpg")
    assert application.predictions[-1] == "/predict?faces=all&explain=grid"


@on_a_desktop
def test_the_request_for_details_is_written_without_escapes(page: Page) -> None:
    read_sample(page)
    page.get_by_text("What the face does", exact=True).click()
    page.click("#request summary")
    expect(page.locator("#curl")).to_contain_text("details=action_units,head_pose,mesh,description'")


def test_numbers_of_faces_stay_within_the_picture(page: Page, application: Application) -> None:
    application.faces = (FaceIn((0.0, 0.0, 0.05, 0.05)), FaceIn((0.4, 0.0, 0.05, 0.05)))
    read_sample(page)
    picture = rect(page, "#picture")
    for tag in page.locator(".box__tag").all():
        box = tag.bounding_box()
        assert box
        assert box["x"] >= picture["x"] - 1
        assert box["y"] >= picture["y"] - 1


@on_a_desktop
def test_a_large_crowd_is_not_covered_with_numbers(page: Page, application: Application) -> None:
    application.faces = [FaceIn((x / 10, y / 5, 0.05, 0.08)) for x in range(10) for y in range(5)]
    read_sample(page)
    expect(page.locator(".box__tag:visible")).to_have_text(["1"])
    page.click("#faces button >> nth=6")
    expect(page.locator(".box__tag:visible")).to_have_text(["7"])


@on_a_desktop
def test_the_tab_key_goes_through_a_crowd_once(page: Page, application: Application) -> None:
    application.faces = [FaceIn((x / 13, 0.1, 0.05, 0.08)) for x in range(13)]
    read_sample(page)
    page.focus("#photo-another")
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".box:focus")).to_have_count(0)
    application.faces = application.faces[:2]
    read_sample(page)
    page.focus("#photo-another")
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".box:focus")).to_have_count(1)


@on_a_desktop
def test_a_photo_of_many_faces_does_not_offer_the_slow_method(page: Page, application: Application) -> None:
    application.faces = (FaceIn(COLLINS),) * 9
    read_sample(page)
    options = page.locator("#explain-method option").evaluate_all("all => all.map(({ value }) => value)")
    assert options == ["contrast", "cam"]


@on_a_desktop
def test_nothing_is_called_certain(page: Page, application: Application) -> None:
    application.faces = (FaceIn(COLLINS, (0.0001, 0.0, 0.0, 0.9999, 0.0, 0.0, 0.0)),)
    read_sample(page)
    assert said(page) == "Looks Happy 😄 ✅ Over 99 %, sure"
    assert "over 99 %" in text(page, "#bars")
    assert "100 %" not in text(page, "main")


def test_a_poor_photo_is_shown_with_a_lower_level(page: Page, application: Application, screen: Screen) -> None:
    application.faces = (FaceIn(COLLINS, SURE, ["too_dark"]),)
    read_sample(page)
    assert said(page) == "Seems Happy 😄 👍 93 %, fairly sure Dark"
    assert page.get_attribute("#prediction", "data-level") == "fair"
    # The note stands beside the badge, in view.
    badge, note = rect(page, "#prediction-sure .badge"), rect(page, "#prediction-sure .note")
    assert note["y"] < badge["y"] + badge["height"]
    assert note["y"] + note["height"] < screen.height
    assert "Turn towards a window or a lamp." in text(page, "#warnings")


def test_what_matters_is_seen_without_scrolling(page: Page, screen: Screen) -> None:
    read_sample(page, "multiple_faces")
    bottom = rect(page, ".tabs")["y"] if screen.touch else screen.height
    for part in ("#picture-image", "#prediction-label", "#prediction-sure .badge", "#bars [data-top]"):
        box = rect(page, part)
        assert box["y"] + box["height"] <= bottom, part
    # And nothing lies over the picture but the marks of its faces.
    frame = rect(page, "#frame")
    for part in ("#photo-another", "#faces", "#prediction"):
        box = rect(page, part)
        assert box["y"] >= frame["y"] + frame["height"] or box["x"] >= frame["x"] + frame["width"], part


@on_a_desktop
@pytest.mark.parametrize("deny", [False, True])
def test_a_camera_that_is_no_longer_wanted_changes_nothing(page: Page, deny: bool) -> None:
    hold_cameras(page)
    page.click("#photo-camera")
    drop(page, picked("photo.jpg", sample("happy_sample")))
    page.wait_for_selector(DONE)
    answer_camera(page, deny=deny)
    page.wait_for_timeout(200)
    assert cameras_on(page) == 0
    assert page.locator(DONE).count() == 1
    assert said(page).startswith("Looks Happy")


@on_a_desktop
def test_a_file_that_changes_after_it_was_read_can_be_read_again(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(sample("happy_sample"))
    page.set_input_files("#photo-file", file)
    page.wait_for_selector(DONE)
    file.unlink()
    page.select_option("#explain-method", "cam")
    page.wait_for_selector(DONE)
    assert said(page).startswith("Looks Happy")


def test_another_sample_is_one_tap_away(page: Page) -> None:
    read_sample(page)
    page.click("[data-sample=neutral_sample]")
    expect(page.locator("#prediction-label")).to_contain_text("Neutral")
    assert page.evaluate("scrollY") == 0


@on_a_desktop
def test_every_sample_of_the_strip_is_served(page: Page, application: Application) -> None:
    names = page.locator("#samples [data-sample]").evaluate_all("all => all.map((each) => each.dataset.sample)")
    assert len(names) >= 10
    for name in names:
        assert httpx.get(f"{application.url}samples/{name}.jpg", trust_env=False).status_code == 200


@on_a_desktop
def test_the_limits_of_a_photo_are_said_before_it_is_sent(start: Start, open_page: OpenPage) -> None:
    page = open_page(start(max_file_size_mb=2, max_batch_files=3))
    expect(page.locator("#photo-note")).to_contain_text("JPEG, PNG, WebP or BMP, up to 2 MB.")
    go(page, "many")
    expect(page.locator("#many-limits")).to_contain_text("Up to 2 MB a photo, 3 photos a request")


MOVED = "window.shifts.filter(({ from, to }) => Math.hypot(to.x - from.x, to.y - from.y) >= 1)"


@pytest.mark.parametrize("fonts", FONTS)
def test_nothing_moves_from_opening_the_page_to_the_last_face(
    application: Application, open_page: OpenPage, browser_with_fonts: BrowserWithFonts, fonts: str
) -> None:
    if not FONTS[fonts].is_file():
        pytest.skip(f"{FONTS[fonts]} is not installed.")
    application.faces = (FaceIn(COLLINS), FaceIn(HOPPER, UNSURE, ["too_dark", "blurred", "turned_away"]))
    page = open_page(application, browser=browser_with_fonts(fonts))
    until(page, "document.querySelector('#status').dataset.info === 'loaded'")
    settled(page)
    assert page.evaluate(MOVED) == []
    with application.held():
        page.click("[data-sample=happy_sample]")
        page.wait_for_selector(BUSY)
        until(page, "document.querySelector('#picture-image').naturalWidth > 0")
        settled(page)
        page.evaluate("window.shifts.length = 0")
    page.wait_for_selector(DONE)
    settled(page)
    for index in (1, 0):
        page.evaluate(f"document.querySelectorAll('#faces button')[{index}].click()")
        settled(page)
    assert page.evaluate(MOVED) == []


@pytest.mark.parametrize("name", ["happy_sample", "multiple_faces"])
def test_nothing_moves_while_the_result_arrives(page: Page, application: Application, name: str) -> None:
    page.emulate_media(reduced_motion="no-preference")
    with application.held():
        page.click(f"[data-sample={name}]")
        page.wait_for_selector(BUSY)
        until(page, "document.querySelector('#picture-image').naturalWidth > 0")
        settled(page)
        page.evaluate("window.shifts.length = 0")
    page.wait_for_selector(DONE)
    until(page, "document.getAnimations().every((animation) => animation.playState === 'finished')")
    settled(page)
    assert page.evaluate("window.shifts") == []
