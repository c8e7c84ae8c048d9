"""Every state in which the service, the connection or the answer can be."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from app.errors import CATALOGUE, RetryableError
from tests.e2e.page.browser import on_a_desk
from tests.e2e.page.mock import Mock, sample
from tests.e2e.page.moves import DONE, TROUBLE, choose, go, picked, read_sample, text


def test_every_error_has_its_own_words_and_a_next_step(page: Page, mock: Mock) -> None:
    titles = set()
    for error in CATALOGUE:
        if error.code == "not_ready":
            continue
        mock.fail(error.code, retry_after=60)
        choose(page, picked("me.jpg", sample("happy_sample")))
        expect(page.locator("#photo-trouble .fine")).to_contain_text(f"{error.code} ·")
        titles.add(text(page, TROUBLE))
        expect(page.locator("#photo-trouble button").first).to_be_visible()
        if issubclass(error, RetryableError):
            expect(page.locator("#photo-trouble .countdown")).to_contain_text("Again in")
    assert len(titles) == len(CATALOGUE) - 1


@on_a_desk
def test_the_request_id_is_there_for_whoever_runs_it(page: Page, mock: Mock) -> None:
    mock.fail("internal_error")
    choose(page, picked("me.jpg", sample("happy_sample")))
    expect(page.locator("#photo-trouble .fine")).to_have_text("internal_error · request 4f7c2d9e")
    page.click("text=Try again")
    page.wait_for_selector(DONE)


@on_a_desk
def test_a_limited_photo_goes_out_again_by_itself(page: Page, mock: Mock) -> None:
    mock.fail("rate_limited", retry_after=1)
    page.click("[data-sample=happy_sample]")
    expect(page.locator("#photo-trouble .countdown")).to_contain_text("Again in 1 s")
    page.wait_for_selector(DONE)


def test_a_cold_start_is_waited_for(page: Page, mock: Mock) -> None:
    mock.state.asleep = True
    page.click("[data-sample=happy_sample]")
    expect(page.locator(TROUBLE)).to_have_text("Waking up")
    expect(page.locator("#status")).to_contain_text("Waking up")
    expect(page.locator("#photo-trouble .countdown")).to_contain_text("Waiting for")
    mock.state.asleep = False
    mock.state.cold = True
    page.wait_for_selector(DONE)
    expect(page.locator("#status")).to_have_text("Ready, just started")


@on_a_desk
def test_a_page_that_opens_too_early_catches_up(page: Page, mock: Mock) -> None:
    mock.state.asleep = True
    page.reload()
    expect(page.locator("#status")).to_contain_text("Waking up")
    mock.state.asleep = False
    expect(page.locator("#status")).to_have_text("Ready")


@on_a_desk
def test_offline_keeps_the_photo_until_the_connection_is_back(page: Page) -> None:
    page.context.set_offline(True)
    expect(page.locator("#status")).to_have_text("Offline")
    choose(page, picked("me.jpg", sample("happy_sample")))
    expect(page.locator(TROUBLE)).to_have_text("You are offline")
    page.context.set_offline(False)
    page.wait_for_selector(DONE)
    expect(page.locator("#status")).to_have_text("Ready")


@on_a_desk
def test_a_key_is_asked_for_and_sent(page: Page, mock: Mock) -> None:
    mock.state.key = "a-key-of-sixteen-letters"
    choose(page, picked("me.jpg", sample("happy_sample")))
    expect(page.locator(TROUBLE)).to_have_text("This service asks for a key")
    page.fill("#api-key", mock.state.key)
    page.keyboard.press("Enter")
    page.wait_for_selector(DONE)
    page.click("#request summary")
    assert mock.state.key not in text(page, "#request")
    assert "$VISAGE_API_KEY" in text(page, "#curl")


@on_a_desk
def test_a_late_answer_does_not_replace_a_later_photo(page: Page, mock: Mock) -> None:
    with mock.held():
        page.click("[data-sample=happy_sample]")
        page.wait_for_selector("#view-photo[data-state=busy]")
        page.click("#photo-another")
    read_sample(page, "neutral_sample")
    assert text(page, "#verdict").startswith("Seems Neutral")


def test_totals_show_the_figures(page: Page) -> None:
    go(page, "totals")
    expect(page.locator(".figures")).to_contain_text("1,816")
    assert "11 %" in text(page, ".figures")
    expect(page.locator(".chart svg:visible")).to_have_count(6)
    page.click(".chart summary >> nth=0")
    assert "Happy 902 44 %" in text(page, ".chart table >> nth=0").replace("\t", " ")


@on_a_desk
def test_totals_that_are_off_say_so(page: Page, mock: Mock) -> None:
    mock.state.stats = None
    go(page, "totals")
    expect(page.locator("#totals-body")).to_contain_text("Totals are switched off")


@on_a_desk
def test_totals_of_a_fresh_service_are_empty_and_whole(page: Page, mock: Mock) -> None:
    mock.state.stats = {
        "uptime_seconds": 3, "requests": {}, "errors": {}, "warnings": {}, "pictures": 0, "faces": 0, "models": {},
    }  # fmt: skip
    go(page, "totals")
    expect(page.locator(".figures")).to_contain_text("since the start 3 seconds ago")
    expect(page.locator(".chart svg:visible")).to_have_count(1)


def test_about_shows_the_road_with_the_last_times_and_the_card(page: Page) -> None:
    read_sample(page)
    go(page, "about")
    expect(page.locator("#road li")).to_have_count(7)
    assert "2.4 ms" in text(page, "#road [data-stage=detect]")
    card = text(page, "#card")
    assert "FER-2013 with FER+ labels" in card
    assert "83.3 % (82.1 % to 84.5 %)" in card
    expect(page.locator(".confusion tbody tr")).to_have_count(7)
    expect(page.locator("#card .chart svg")).to_be_visible()
    assert "since 2 August 2026" in text(page, ".prose")
    page.click("[data-copy=notice]")
    expect(page.locator("[data-copy=notice]")).to_have_text("Copied")
