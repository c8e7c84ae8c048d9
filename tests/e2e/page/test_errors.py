"""What the page says and offers when a request fails, and how it goes on."""

from __future__ import annotations

import io
import re
import threading

from PIL import Image
from playwright.sync_api import Page, expect

from app.errors import CATALOGUE, RetryableError
from tests.e2e.page.actions import DONE, ERROR_TITLE, choose, go, picked, read_sample, said, text
from tests.e2e.page.application import Application
from tests.e2e.page.browser import on_a_desktop
from tests.e2e.page.conftest import OpenPage, Start
from tests.e2e.page.pictures import damaged, sample

STARTING = "#status[data-state=starting]"
A_PAGE = "<!doctype html><title>502</title><h1>Bad gateway</h1>"


def choose_a_photo(page: Page) -> None:
    choose(page, picked("me.jpg", sample("happy_sample")))


@on_a_desktop
def test_every_error_has_its_own_words_and_a_next_step(page: Page, application: Application) -> None:
    titles = set()
    codes = [error for error in CATALOGUE if error.code != "not_ready"]
    for error in codes:
        application.fail(error.code, retry_after=60)
        choose_a_photo(page)
        expect(page.locator("#photo-error .small-print")).to_contain_text(f"{error.code} ·")
        titles.add(text(page, ERROR_TITLE))
        expect(page.locator("#photo-error button").first).to_be_visible()
        # Without details, which the page turns off, the photo can be read at once.
        if issubclass(error, RetryableError) and error.code != "details_unavailable":
            expect(page.locator("#photo-error .countdown")).to_contain_text("Again in")
    assert len(titles) == len(codes)


@on_a_desktop
def test_the_request_id_of_the_service_is_shown(page: Page, application: Application) -> None:
    application.fail("internal_error")
    with page.expect_response("**/predict?*") as answered:
        choose_a_photo(page)
    request_id = answered.value.headers["x-request-id"]
    expect(page.locator("#photo-error .small-print")).to_have_text(f"internal_error · request {request_id}")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(DONE)


@on_a_desktop
def test_a_damaged_photo_is_called_damaged(page: Page) -> None:
    choose(page, picked("me.jpg", damaged()))
    expect(page.locator(ERROR_TITLE)).to_have_text("The file is damaged")


@on_a_desktop
def test_an_empty_file_is_called_empty(page: Page) -> None:
    choose(page, picked("me.jpg", b""))
    expect(page.locator(ERROR_TITLE)).to_have_text("The file is empty")


@on_a_desktop
def test_a_limited_photo_goes_out_again_by_itself(page: Page, application: Application) -> None:
    application.fail("rate_limited", retry_after=1)
    page.click("[data-sample=happy_sample]")
    expect(page.locator("#photo-error .countdown")).to_contain_text("Again in 1 s")
    page.wait_for_selector(DONE)


@on_a_desktop
def test_the_wait_for_a_limit_is_the_one_of_the_service(start: Start, open_page: OpenPage) -> None:
    page = open_page(start(rate_limit="1/hour"))
    read_sample(page)
    page.click("#photo-another")
    page.click("[data-sample=happy_sample]")
    expect(page.locator(ERROR_TITLE)).to_have_text("A short pause")
    waits = re.fullmatch(r"Again in (\d+) s", text(page, "#photo-error .countdown"))
    assert waits
    assert 3000 < int(waits[1]) <= 3600


@on_a_desktop
def test_a_photo_waits_for_a_busy_service(start: Start, open_page: OpenPage) -> None:
    application = start(queue_size=0)
    page = open_page(application)
    with application.held():
        occupant = threading.Thread(target=application.predict, args=["happy_sample"])
        occupant.start()
        application.script.wait_until_entered()
        page.click("[data-sample=happy_sample]")
        expect(page.locator(ERROR_TITLE)).to_have_text("Busy with others")
    page.wait_for_selector(DONE)
    occupant.join()


@on_a_desktop
def test_a_start_is_waited_for(start: Start, open_page: OpenPage) -> None:
    application = start(starting=True)
    page = open_page(application, until=STARTING)
    page.click("[data-sample=happy_sample]")
    expect(page.locator(ERROR_TITLE)).to_have_text("Waking up")
    expect(page.locator("#status")).to_contain_text("Waking up")
    expect(page.locator("#status")).to_have_text(re.compile(r"^Waking up, \d+ s$"))
    assert page.locator("#status [aria-hidden]").last.inner_text().endswith(" s"), "it is not read out each second"
    expect(page.locator("#photo-error .countdown")).to_contain_text("Waiting for")
    application.finish_start()
    page.wait_for_selector(DONE)
    expect(page.locator("#status")).to_have_text("Ready, just started")


@on_a_desktop
def test_a_page_that_opens_too_early_catches_up(start: Start, open_page: OpenPage) -> None:
    application = start(starting=True)
    page = open_page(application, until=STARTING)
    application.finish_start()
    expect(page.locator("#status")).to_have_text("Ready, just started")


@on_a_desktop
def test_offline_keeps_the_photo_until_the_connection_is_back(page: Page) -> None:
    page.context.set_offline(True)
    expect(page.locator("#status")).to_have_text("You are offline")
    choose_a_photo(page)
    expect(page.locator(ERROR_TITLE)).to_have_text("You are offline")
    page.context.set_offline(False)
    page.wait_for_selector(DONE)
    expect(page.locator("#status")).to_have_text("Ready")


@on_a_desktop
def test_a_photo_waits_for_a_lost_connection(page: Page) -> None:
    page.route("**/health", lambda route: route.abort())
    page.route("**/predict?*", lambda route: route.abort(), times=1)
    choose_a_photo(page)
    expect(page.locator(ERROR_TITLE)).to_have_text("Not reachable")
    expect(page.locator("#status")).to_have_text("Not reachable")
    page.unroute("**/health")
    page.wait_for_selector(DONE)


@on_a_desktop
def test_a_proxy_that_cannot_reach_the_service_is_waited_for(page: Page) -> None:
    page.route("**/predict?*", lambda route: route.fulfill(status=502, content_type="text/html", body=A_PAGE), times=1)
    choose_a_photo(page)
    expect(page.locator(ERROR_TITLE)).to_have_text("Waking up")
    page.wait_for_selector(DONE)


@on_a_desktop
def test_a_page_in_place_of_a_result_is_an_error(page: Page) -> None:
    page.route("**/predict?*", lambda route: route.fulfill(status=200, content_type="text/html", body=A_PAGE), times=1)
    choose_a_photo(page)
    expect(page.locator(ERROR_TITLE)).to_have_text("Something went wrong there")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(DONE)


@on_a_desktop
def test_a_key_is_asked_for_and_sent(start: Start, open_page: OpenPage) -> None:
    key = "a-key-of-sixteen-letters"
    page = open_page(start(api_keys=f"phone:{key}"))
    choose_a_photo(page)
    expect(page.locator(ERROR_TITLE)).to_have_text("This service asks for a key")
    page.fill("#api-key", key)
    page.keyboard.press("Enter")
    page.wait_for_selector(DONE)
    page.click("#request summary")
    assert key not in text(page, "#request")
    assert "$VISAGE_API_KEY" in text(page, "#curl")


@on_a_desktop
def test_many_photos_go_on_once_their_key_is_there(start: Start, open_page: OpenPage) -> None:
    page = open_page(start(api_keys="page:a-key-for-the-page"))
    go(page, "many")
    page.set_input_files("#many-files-input", [picked("a.jpg", sample("happy_sample"))])
    page.fill("#api-key", "a-key-for-the-page")
    page.keyboard.press("Enter")
    page.wait_for_selector("#view-many[data-state=done]")
    # It was on the button to cancel, which is gone.
    expect(page.locator("#many-clear")).to_be_focused()


@on_a_desktop
def test_a_wrong_key_is_called_wrong(start: Start, open_page: OpenPage) -> None:
    key = "a-key-of-sixteen-letters"
    page = open_page(start(api_keys=f"phone:{key}"))
    choose_a_photo(page)
    page.fill("#api-key", "another-key-of-some-letters")
    page.keyboard.press("Enter")
    expect(page.locator(ERROR_TITLE)).to_have_text("This key is not valid")
    page.fill("#api-key", key)
    page.keyboard.press("Enter")
    page.wait_for_selector(DONE)


@on_a_desktop
def test_a_file_that_is_refused_is_named_with_its_size_and_the_reason(page: Page) -> None:
    choose(page, picked("holiday.heic", b"\0\0\0\x18ftypheic" + bytes(30_000), "image/heic"))
    expect(page.locator(".error__file")).to_have_text("holiday.heic 30 KB")
    expect(page.locator("#frame-blank")).to_have_text("This browser cannot show the file.")
    expect(page.locator("#photo-error")).to_contain_text("HEIC files are not supported.")


@on_a_desktop
def test_the_sentence_of_the_service_is_shown_where_it_says_more(page: Page) -> None:
    choose(page, picked("dot.png", tiny(), "image/png"))
    expect(page.locator("#photo-error")).to_contain_text("The picture has 8 x 8 pixels")


def tiny() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return out.getvalue()


@on_a_desktop
def test_opening_the_page_and_the_totals_costs_nothing_of_the_rate(start: Start, open_page: OpenPage) -> None:
    page = open_page(start(rate_limit="3/hour"))
    for view in ("totals", "code", "about", "photo"):
        go(page, view)
    expect(page.locator("[data-allowance] >> nth=0")).to_have_text("3 of 3 photos left for now.")
    read_sample(page)
    expect(page.locator("[data-allowance] >> nth=0")).to_have_text("2 of 3 photos left for now.")


@on_a_desktop
def test_the_status_says_that_the_service_is_gone_and_back(page: Page) -> None:
    look = "document.dispatchEvent(new Event('visibilitychange'))"
    page.route("**/health", lambda route: route.abort())
    page.evaluate(look)
    expect(page.locator("#status")).to_have_text("Not reachable")
    page.unroute("**/health")
    # It is asked again without a hand.
    expect(page.locator("#status")).to_have_text("Ready")


@on_a_desktop
def test_just_started_ends_with_the_start(start: Start, open_page: OpenPage) -> None:
    application = start(just_started=True)
    page = open_page(application)
    expect(page.locator("#status")).to_have_text("Ready, just started")
    application.service.started_at -= 60
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#status")).to_have_text("Ready")


@on_a_desktop
def test_a_late_result_does_not_replace_a_later_photo(page: Page, application: Application) -> None:
    with application.held():
        page.click("[data-sample=happy_sample]")
        page.wait_for_selector("#view-photo[data-state=busy]")
        page.click("#photo-another")
    read_sample(page, "neutral_sample")
    assert said(page).startswith("Seems Neutral")
