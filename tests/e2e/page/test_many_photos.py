"""A folder of photos."""

from __future__ import annotations

import codecs
import csv
import io
import json
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.page.actions import drop, go, picked, settled, table, text, until
from tests.e2e.page.application import Application
from tests.e2e.page.browser import FONTS, on_a_desktop
from tests.e2e.page.conftest import BrowserWithFonts, OpenPage, Start
from tests.e2e.page.pictures import COLLINS, FaceIn, sample

DONE = "#view-many[data-state=done]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine photos, one of them without a face, one with a name that a spreadsheet would run; and a text."""
    folder = tmp_path / "holiday"
    folder.mkdir()
    for index in range(7):
        (folder / f"photo {index}.jpg").write_bytes(sample("happy_sample"))
    (folder / "=1+1.jpg").write_bytes(sample("neutral_sample"))
    (folder / "no_face.jpg").write_bytes(sample("no_face"))
    (folder / "notes.txt").write_text("not a photo")
    return folder


@pytest.fixture
def filled(page: Page, folder: Path) -> Page:
    go(page, "many")
    page.set_input_files("#many-folder-input", str(folder))
    page.wait_for_selector(DONE)
    return page


def test_a_folder_is_read_a_few_at_a_time(filled: Page, application: Application) -> None:
    assert text(filled, "#many-count") == "8 of 9 photos read, 1 could not be"
    assert filled.get_attribute("#many-meter", "aria-valuenow") == "100"
    expect(filled.locator(".tile")).to_have_count(9)
    expect(filled.locator(".tile canvas")).to_have_count(9)
    assert application.predictions == ["/predict/batch?faces=largest"] * 3
    assert application.most_in_flight == 1
    tiles = [" ".join(tile.split()) for tile in filled.locator(".tile").all_inner_texts()]
    assert "No face found no_face.jpg" in tiles[1]
    assert "😄 Happy ✅ 93 % photo 0.jpg" in tiles[2]


def test_the_sheet_is_filtered_by_label(filled: Page) -> None:
    filled.click("[data-filter=happy]")
    expect(filled.locator(".tile:visible")).to_have_count(7)
    filled.click("[data-filter=failed]")
    expect(filled.locator(".tile:visible")).to_have_count(1)
    assert filled.get_attribute("[data-filter=failed]", "aria-pressed") == "true"
    filled.click("[data-filter=all]")
    expect(filled.locator(".tile:visible")).to_have_count(9)


@on_a_desktop
def test_csv_opens_safely_in_a_spreadsheet(filled: Page) -> None:
    with filled.expect_download() as download:
        filled.click("#many-csv")
    data = Path(download.value.path()).read_bytes()
    assert data.startswith(codecs.BOM_UTF8), "Excel takes it for another encoding"
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [row["index"] for row in rows] == [str(index) for index in range(9)]
    by_name = {row["filename"]: row for row in rows}
    assert by_name["holiday/photo 3.jpg"]["emotion"] == "happy"
    assert by_name["holiday/photo 3.jpg"]["p_happy"] == "0.93"
    assert by_name["holiday/no_face.jpg"]["error"] == "no_face_detected"


@on_a_desktop
def test_csv_is_the_one_of_the_api(page: Page, application: Application) -> None:
    sent = [(f"{name}.jpg", sample(name)) for name in ("happy_sample", "multiple_faces", "no_face", "unsure")]
    go(page, "many")
    page.set_input_files("#many-files-input", [picked(*each) for each in sent])
    page.wait_for_selector(DONE)
    with page.expect_download() as download:
        page.click("#many-csv")
    files = [("files", each) for each in sent]
    response = httpx.post(
        f"{application.url}predict/batch?faces=largest", files=files, headers={"Accept": "text/csv"}, trust_env=False
    )
    assert table(Path(download.value.path()).read_text("utf-8-sig")) == table(response.text)


@on_a_desktop
def test_csv_disarms_formulas(page: Page) -> None:
    go(page, "many")
    drop(page, picked("=1+1.jpg", sample("happy_sample")), picked("b.jpg", sample("happy_sample")))
    page.wait_for_selector(DONE)
    with page.expect_download() as download:
        page.click("#many-csv")
    names = [row[1] for row in csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig")))]
    assert names == ["filename", "'=1+1.jpg", "b.jpg"]


@on_a_desktop
def test_json_holds_whole_results(filled: Page) -> None:
    with filled.expect_download() as download:
        filled.click("#many-json")
    records = json.loads(Path(download.value.path()).read_text())
    assert [record["index"] for record in records] == list(range(9))
    assert records[2]["probabilities"]["happy"] == 0.93


@on_a_desktop
def test_a_file_that_the_page_cannot_make_smaller_is_not_sent(page: Page, application: Application) -> None:
    go(page, "many")
    film = picked("film.mov", bytes(6 * 1024 * 1024), "video/quicktime")
    page.set_input_files("#many-files-input", [film, picked("me.jpg", sample("happy_sample"))])
    page.wait_for_selector("#view-many[data-state=done]")
    assert text(page, ".tile__label >> nth=0") == "The file is too large"
    assert text(page, "#many-count") == "1 of 2 photos read, 1 could not be"
    assert application.uploads == [sample("happy_sample")]


@on_a_desktop
@pytest.mark.parametrize("status", [413, 504])
def test_what_is_too_much_together_is_sent_alone(page: Page, status: int) -> None:
    def let_one_through(route: Route) -> None:
        if (route.request.post_data_buffer or b"").count(b"filename=") == 1:
            route.continue_()
        else:
            route.fulfill(status=status, body="A page of a proxy")

    page.route("**/predict/batch*", let_one_through)
    go(page, "many")
    page.set_input_files("#many-files-input", [picked(f"{n}.jpg", sample("happy_sample")) for n in range(6)])
    page.wait_for_selector(DONE)
    assert text(page, "#many-count") == "6 of 6 photos read"


@on_a_desktop
def test_a_folder_without_photos_is_said_to_have_none(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    go(page, "many")
    limits = text(page, "#many-limits")
    page.set_input_files("#many-folder-input", tmp_path)
    expect(page.locator("#many-limits")).to_have_text("There are no photos in this folder.")
    drop(page, picked("a.jpg", sample("happy_sample")))
    page.wait_for_selector(DONE)
    expect(page.locator("#many-limits")).to_have_text(limits)


@on_a_desktop
def test_a_dropped_folder_without_photos_is_said_to_have_none(page: Page) -> None:
    page.evaluate("""() => {
      const reader = { readEntries: (done) => done([]) };
      const folder = { isDirectory: true, createReader: () => reader };
      const dataTransfer = { types: ["Files"], files: [], items: [{ webkitGetAsEntry: () => folder }] };
      const dropped = new Event("drop", { bubbles: true, cancelable: true });
      document.body.dispatchEvent(Object.assign(dropped, { dataTransfer }));
    }""")
    expect(page.locator("#many-limits")).to_have_text("There are no photos in this folder.")


@on_a_desktop
def test_what_failed_is_tried_again(filled: Page, application: Application) -> None:
    application.faces = (FaceIn(COLLINS),)
    filled.click("#many-retry")
    filled.wait_for_selector(DONE)
    assert text(filled, "#many-count") == "9 of 9 photos read"
    expect(filled.locator("#many-retry")).to_be_hidden()


@on_a_desktop
def test_it_can_be_cancelled_and_taken_up_again(page: Page, application: Application, folder: Path) -> None:
    go(page, "many")
    with application.held():
        page.set_input_files("#many-folder-input", str(folder))
        until(page, "document.querySelectorAll('.tile canvas').length > 4")
        page.click("#many-cancel")
        page.wait_for_selector(DONE)
        assert text(page, "#many-count") == "0 of 9 photos read, stopped"
    expect(page.locator("#many-retry")).to_have_text("Read the rest")
    page.click("#many-retry")
    page.wait_for_selector(DONE)
    assert text(page, "#many-count") == "8 of 9 photos read, 1 could not be"


@on_a_desktop
def test_a_limit_is_waited_for(start: Start, open_page: OpenPage, folder: Path) -> None:
    # A batch counts as often as it has photos: the first four go through, the next four do not.
    page = open_page(start(rate_limit="6/2 seconds"))
    go(page, "many")
    page.set_input_files("#many-folder-input", str(folder))
    expect(page.locator("#many-error h2")).to_have_text("A short pause")
    page.wait_for_selector(DONE)
    assert text(page, "#many-count") == "8 of 9 photos read, 1 could not be"
    expect(page.locator("#many-error")).to_be_empty()


@on_a_desktop
def test_a_rate_that_allows_less_than_a_full_request_is_kept(start: Start, open_page: OpenPage, folder: Path) -> None:
    page = open_page(start(rate_limit="2/second"))
    go(page, "many")
    page.set_input_files("#many-files-input", [folder / f"photo {number}.jpg" for number in range(5)])
    page.wait_for_selector(DONE)
    assert text(page, "#many-count") == "5 of 5 photos read"


@on_a_desktop
def test_a_file_that_is_gone_is_said_to_be(page: Page, application: Application, folder: Path) -> None:
    go(page, "many")
    with application.held():
        page.set_input_files("#many-folder-input", str(folder))
        until(page, "document.querySelectorAll('.tile canvas').length >= 8")
        (folder / "photo 6.jpg").unlink()
    page.wait_for_selector(DONE)
    assert text(page, "#many-count") == "7 of 9 photos read, 2 could not be"
    tile = page.locator(".tile", has_text="photo 6.jpg")
    expect(tile).to_contain_text("The file cannot be read")
    tile.locator("button").click()
    expect(page.locator("#photo-error h1")).to_have_text("The file cannot be read")


def test_several_dropped_photos_come_here_and_one_opens_alone(page: Page) -> None:
    drop(page, picked("a.jpg", sample("happy_sample")), picked("b.jpg", sample("neutral_sample")))
    page.wait_for_selector(DONE)
    assert page.url.endswith("#many")
    page.click(".tile button >> nth=1")
    page.wait_for_selector("#view-photo[data-state=done]")
    assert page.url.endswith("#photo")
    page.go_back()
    expect(page.locator(".tile")).to_have_count(2)


@pytest.mark.parametrize("fonts", FONTS)
def test_nothing_moves_while_the_sheet_fills(
    application: Application, open_page: OpenPage, browser_with_fonts: BrowserWithFonts, folder: Path, fonts: str
) -> None:
    if not FONTS[fonts].is_file():
        pytest.skip(f"{FONTS[fonts]} is not installed.")
    page = open_page(application, browser=browser_with_fonts(fonts))
    go(page, "many")
    with application.held():
        page.set_input_files("#many-folder-input", str(folder))
        until(page, "document.querySelectorAll('.tile canvas').length > 4")
        settled(page)
        page.evaluate("window.shifts.length = 0")
    until(page, "document.querySelector('#many-meter').ariaValueNow > 40")
    assert page.evaluate("window.shifts") == []
    page.wait_for_selector(DONE)
    settled(page)
    assert page.evaluate("window.shifts") == []
