"""The page by keyboard alone, on small screens, for screen readers, and with reduced motion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.page.actions import DONE, ERROR_TITLE, choose, go, picked, read_sample, rect, said, text, until
from tests.e2e.page.application import Application, two_models
from tests.e2e.page.browser import DESKTOP, PHONE, Screen, on_a_desktop, open_context
from tests.e2e.page.conftest import READY, OpenPage, Start
from tests.e2e.page.pictures import sample

AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

ColourScheme = Literal["light", "dark"]

needs_axe = pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (npm install in tests/e2e).")


SETTLED = """document.getAnimations().every(
  (animation) => animation.playState !== "running" || animation.effect.getTiming().iterations === Infinity)"""


def violations(page: Page) -> list[str]:
    """What axe finds on the page as it stands, one line each."""
    # Colours in the middle of a transition are not those of the page.
    until(page, SETTLED)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("(tags) => axe.run(document, { runOnly: tags })", AXE_TAGS)["violations"]
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


on_both_screens = pytest.mark.parametrize(
    ("screen", "scheme"),
    [(PHONE, "light"), (DESKTOP, "dark")],
    ids=["phone-light", "desktop-dark"],
    indirect=["screen"],
)


@needs_axe
@on_both_screens
def test_axe_finds_nothing_in_one_photo(start: Start, open_page: OpenPage, scheme: ColourScheme) -> None:
    application = start(registry=two_models())
    page = open_page(application)
    page.emulate_media(color_scheme=scheme)
    assert violations(page) == []
    read_sample(page, "multiple_faces")
    page.click("#compare summary")
    page.click("#request summary")
    page.click("text=Compare on this face")
    page.wait_for_selector(".compared__sum")
    assert violations(page) == []
    choose(page, picked("unsure.jpg", sample("unsure")))
    page.wait_for_selector(DONE)
    assert violations(page) == []
    with application.held():
        choose(page, picked("unsure.jpg", sample("unsure")))
        page.wait_for_selector("#view-photo[data-state=busy]")
        assert violations(page) == []
    page.wait_for_selector(DONE)
    for code in ("rate_limited", "no_face_detected", "unauthorized"):
        application.fail(code, retry_after=60)
        choose(page, picked("me.jpg", sample("happy_sample")))
        page.wait_for_selector("#photo-error h1")
        assert violations(page) == []
    application.fail("not_ready", retry_after=60)
    page.route("**/health", lambda route: route.abort())
    choose(page, picked("me.jpg", sample("happy_sample")))
    expect(page.locator("#photo-error h1")).to_have_text("Waking up")
    assert violations(page) == []


@needs_axe
@on_both_screens
def test_axe_finds_nothing_in_the_other_views(page: Page, scheme: ColourScheme, tmp_path: Path) -> None:
    page.emulate_media(color_scheme=scheme)
    for name in ("happy_sample", "no_face", "unsure"):
        (tmp_path / f"{name}.jpg").write_bytes(sample(name))
    go(page, "many")
    assert violations(page) == []
    page.set_input_files("#many-folder-input", str(tmp_path))
    page.wait_for_selector("#view-many[data-state=done]")
    assert violations(page) == []
    go(page, "live")
    assert violations(page) == []
    page.click("#live-on")
    page.wait_for_selector("#live-boxes .live-box")
    assert violations(page) == []
    page.click("#live-off")
    page.wait_for_selector("#view-live[data-state=report]")
    assert violations(page) == []
    go(page, "totals")
    page.wait_for_selector(".chart svg")
    assert violations(page) == []
    go(page, "code")
    page.wait_for_selector("#code-python")
    assert violations(page) == []
    go(page, "about")
    page.wait_for_selector(".confusion")
    assert violations(page) == []


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.dataset.sample || ''"))


def tab_to(page: Page, name: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == name:
            outline = page.evaluate(
                """() => [...[document.activeElement], document.activeElement.closest("label")].some(
                    (element) => element && getComputedStyle(element).outlineStyle === "solid")"""
            )
            assert outline, f"{name} has no visible focus"
            return
    pytest.fail(f"{name} is not reached with the Tab key")


@on_a_desktop
def test_live_works_with_the_keyboard_alone(page: Page) -> None:
    go(page, "live")
    tab_to(page, "live-on")
    page.keyboard.press("Enter")
    page.wait_for_selector("#live-boxes .live-box")
    tab_to(page, "live-off")
    page.keyboard.press("Enter")
    expect(page.locator("#report-title")).to_be_focused()


@on_a_desktop
def test_the_first_view_works_with_the_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    tab_to(page, "happy_sample")
    page.keyboard.press("Enter")
    page.wait_for_selector(DONE)
    expect(page.locator("#photo-another")).to_be_focused()
    tab_to(page, "heatmap-opacity")
    page.keyboard.press("End")
    assert text(page, "#heatmap-value") == "100 %"
    page.focus("#request summary")
    page.keyboard.press("Enter")
    expect(page.locator("#curl")).to_be_visible()


@on_a_desktop
def test_the_focus_follows_what_becomes_of_a_photo(page: Page) -> None:
    another = page.locator("#photo-another")
    page.focus("#photo-choose")
    page.set_input_files("#photo-file", [picked("no_face.jpg", sample("no_face"))])
    expect(page.locator(ERROR_TITLE)).to_be_focused()
    page.get_by_role("button", name="Read the middle anyway").press("Enter")
    page.wait_for_selector(DONE)
    expect(another).to_be_focused()
    another.press("Enter")
    page.locator("#photo-camera").press("Enter")
    expect(page.locator("#preview-take")).to_be_focused()
    until(page, "document.querySelector('#preview-video').videoWidth > 0")
    page.keyboard.press("Enter")
    page.wait_for_selector(DONE)
    expect(another).to_be_focused()


@on_a_desktop
def test_faces_and_views_work_with_the_keyboard_alone(page: Page) -> None:
    read_sample(page, "multiple_faces")
    page.focus("#picture-boxes .box >> nth=1")
    page.keyboard.press("Space")
    assert said(page).startswith("Seems Neutral")
    page.focus(".tabs [data-view=live]")
    page.keyboard.press("Enter")
    expect(page.locator("#view-live h1")).to_be_focused()
    assert page.title() == "Live · Visage"
    tab_to(page, "live-on")
    page.keyboard.press("Enter")
    page.wait_for_selector("#live-boxes .live-box")
    expect(page.locator("#live-off")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#report-title")).to_be_focused()
    tab_to(page, "report-json")
    page.focus("#report-again")
    page.keyboard.press("Enter")
    expect(page.locator("#live-on")).to_be_focused()


@on_a_desktop
def test_many_photos_work_with_the_keyboard_alone(page: Page) -> None:
    go(page, "many")
    with page.expect_file_chooser() as chooser:
        tab_to(page, "many-folder")
        tab_to(page, "many-files")
        page.keyboard.press("Enter")
    chooser.value.set_files([picked("a.jpg", sample("happy_sample")), picked("b.jpg", sample("no_face"))])
    page.wait_for_selector("#view-many[data-state=done]")
    page.focus("[data-filter=happy]")
    page.keyboard.press("Space")
    assert page.get_attribute("[data-filter=happy]", "aria-pressed") == "true"
    page.focus(".tile button >> nth=0")
    page.keyboard.press("Enter")
    page.wait_for_selector(DONE)
    expect(page.locator("#photo-another")).to_be_focused()


@on_a_desktop
def test_progress_is_said_at_each_quarter_alone(page: Page) -> None:
    go(page, "many")
    page.evaluate("""() => {
      window.spoken = [];
      for (const place of document.querySelectorAll("[role=status]"))
        new MutationObserver(() => window.spoken.push(place.textContent)).observe(place, { childList: true });
    }""")
    page.set_input_files("#many-files-input", [picked(f"{n}.jpg", sample("happy_sample")) for n in range(32)])
    page.wait_for_selector("#view-many[data-state=done]")
    quarters = [f"{count} of 32 photos read" for count in (8, 16, 24, 32)]
    assert list(dict.fromkeys(page.evaluate("window.spoken"))) == quarters


@on_a_desktop
@pytest.mark.parametrize("selector", [".details__switch input", "#faces button", "#picture-boxes button", ".tabs a"])
def test_what_is_chosen_shows_in_forced_colours(page: Page, selector: str) -> None:
    page.emulate_media(forced_colors="active")
    read_sample(page, "multiple_faces")
    place = page.locator(selector).last
    looks = []
    for chosen in ("true", "false"):
        place.evaluate(
            """(element, chosen) => {
              if (element.type === "checkbox") element.checked = chosen === "true";
              else if (element.matches("a")) element.toggleAttribute("aria-current", chosen === "true");
              else element.setAttribute("aria-pressed", chosen);
            }""",
            chosen,
        )
        looks.append(place.screenshot(animations="disabled"))
    assert looks[0] != looks[1]


NARROW = Screen("narrow", 320, 640, touch=True)
LARGE_TEXT = Screen("large text", 195, 422, touch=True)
"""A phone of 390 pixels whose text is twice as large, in units of that text."""


@pytest.fixture
def narrow(browser: Browser, application: Application, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = open_context(browser, getattr(request, "param", NARROW))
    page = context.new_page()
    page.goto(application.url)
    page.wait_for_selector(READY)
    yield page
    context.close()


@pytest.mark.parametrize("narrow", [NARROW, LARGE_TEXT], ids=["320", "large-text"], indirect=True)
def test_nothing_sticks_out_of_a_narrow_screen_and_everything_can_be_hit(narrow: Page) -> None:
    assert narrow.viewport_size
    width = narrow.viewport_size["width"]

    def check() -> None:
        assert narrow.evaluate("document.documentElement.scrollWidth") == width
        # The area to hit of a face is larger than its box if the face is small.
        small = narrow.evaluate(
            """() => [...document.querySelectorAll("button, a, select, summary, [type=range], [type=checkbox]")]
              .filter((e) => e.checkVisibility() && !e.closest(".skip, .visually-hidden, .prose p"))
              .filter((e) => {
                const area = e.matches(".box") ? getComputedStyle(e, "::after") : e.getBoundingClientRect();
                return parseFloat(area.width) < 24 || parseFloat(area.height) < 24;
              })
              .map((e) => e.outerHTML.slice(0, 90))"""
        )
        assert small == []

    check()
    read_sample(narrow, "multiple_faces")
    narrow.click("#request summary")
    check()
    for view in ("many", "live", "totals", "code", "about"):
        go(narrow, view)
        check()
    go(narrow, "many")
    narrow.set_input_files("#many-files-input", [picked(f"{n}.jpg", sample("happy_sample")) for n in range(3)])
    narrow.wait_for_selector("#view-many[data-state=done]")
    check()
    go(narrow, "live")
    frame, hint = rect(narrow, "#live-frame"), rect(narrow, ".live__start .frame__hint")
    assert frame["y"] < rect(narrow, "#live-on")["y"]
    assert hint["y"] + hint["height"] <= frame["y"] + frame["height"] - 8
    narrow.click("#live-on")
    narrow.wait_for_selector("#live-boxes .live-box")
    check()
    narrow.click("#live-off")
    narrow.wait_for_selector("#view-live[data-state=report]")
    check()


@pytest.mark.parametrize("narrow", [LARGE_TEXT], ids=["large-text"], indirect=True)
def test_long_names_and_the_form_for_a_key_stay_within_a_narrow_screen(narrow: Page, application: Application) -> None:
    photo = picked(f"{'IMG_' * 20}.jpg", sample("happy_sample"))
    choose(narrow, photo)
    narrow.wait_for_selector(DONE)
    go(narrow, "code")
    assert narrow.evaluate("document.documentElement.scrollWidth") == LARGE_TEXT.width
    go(narrow, "photo")
    application.fail("unauthorized")
    choose(narrow, photo)
    narrow.wait_for_selector("#api-key")
    assert narrow.evaluate("document.documentElement.scrollWidth") == LARGE_TEXT.width


def test_motion_stops_where_it_is_not_wanted(narrow: Page, application: Application) -> None:
    with application.held():
        narrow.click("[data-sample=happy_sample]")
        narrow.wait_for_selector("#view-photo[data-state=busy]")
        until(narrow, "document.getAnimations().every((animation) => animation.playState !== 'running')")
    narrow.wait_for_selector(DONE)


@on_a_desktop
def test_it_works_under_a_prefix(start: Start, open_page: OpenPage) -> None:
    application = start(root_path="/faces")
    page = open_page(application)
    read_sample(page)
    go(page, "about")
    page.wait_for_selector(".confusion")
    go(page, "live")
    page.click("#live-on")
    page.wait_for_selector("#live-boxes .live-box")
    assert {request.path.partition("/faces")[1] for request in application.requests} == {"/faces"}


@on_a_desktop
def test_no_cookie_and_nothing_kept(page: Page) -> None:
    read_sample(page)
    assert page.context.cookies() == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
