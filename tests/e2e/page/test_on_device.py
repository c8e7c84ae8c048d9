"""On this device: pictures are read in the browser, with no request at all and with no network."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from app.expression.blinks import series_units
from tests.e2e.page.actions import go, picked, table, text, until
from tests.e2e.page.application import Application, shipped_card
from tests.e2e.page.browser import on_a_desktop
from tests.e2e.page.conftest import OpenPage
from tests.e2e.page.pictures import collins, sample
from tests.e2e.page.test_accessibility import needs_axe, violations
from tests.e2e.page.test_live import download
from tests.e2e.page.videos import scene, write_video
from tests.process import ROOT

EDGE = ROOT / "app" / "web" / "edge" / "edge.json"
OFFLINE_READY = "html[data-offline-ready]"
SWITCH = "#photo-device input"
NOTE = "#photo-device-note"
SINGLE = picked("happy_sample.jpg", sample("happy_sample"))

pytestmark = pytest.mark.skipif(not EDGE.exists(), reason="app/web/edge is not built: run `make edge`.")


# The browser asks for it when it likes.
ICON = "/web/icon.svg"
VIEWS_LOADED = "performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/web/about.js'))"


def ready(page: Page) -> None:
    until(page, VIEWS_LOADED)
    page.check(SWITCH)
    expect(page.locator(NOTE)).to_have_text("What leaves this device: nothing. Ready.")


def asked(application: Application) -> list[str]:
    return [sent.path for sent in application.requests if sent.path != ICON]


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


@on_a_desktop
def test_a_browser_without_room_still_loads_the_engine(open_page: OpenPage, application: Application) -> None:
    page = open_page(application, service_workers="allow")
    page.wait_for_selector(OFFLINE_READY)
    page.reload()
    page.evaluate("caches.keys().then((names) => caches.delete(names.find((name) => name.includes('engine'))))")
    session = page.context.new_cdp_session(page)
    used = page.evaluate("navigator.storage.estimate().then(({ usage }) => usage)")
    session.send("Storage.overrideQuotaForOrigin", {"origin": application.url.rstrip("/"), "quotaSize": used})
    ready(page)
    read(page)


def test_nothing_leaves_the_device_while_a_photo_is_read(page: Page, application: Application) -> None:
    ready(page)
    expect(page.locator("#status-text")).to_have_text("On this device")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    application.requests.clear()
    read(page)
    assert [url for url in requests if not url.startswith(("blob:", "data:")) and not url.endswith(ICON)] == []
    assert asked(application) == []
    assert application.uploads == []
    assert "read as it is" in text(page, "#photo-note")


@on_a_desktop
def test_the_heat_map_is_made_on_the_device_too(page: Page, application: Application) -> None:
    ready(page)
    read(page)
    assert page.locator("#explain-method option").all_inner_texts() == [
        "comparing the labels",
        "this label alone",
    ]
    page.locator("#heatmap-opacity").fill("80")
    expect(page.locator("#heatmap-hint")).to_contain_text("spoke for “happy”")
    drawn = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
    assert page.locator("#picture-heatmap").evaluate(drawn)
    page.select_option("#explain-method", "cam")
    expect(page.locator("#result-summary")).to_contain_text("read on this device")
    assert application.uploads == []


def test_switching_reads_the_photo_again(page: Page, application: Application) -> None:
    page.set_input_files("#photo-file", [SINGLE])
    expect(page.locator("#result-summary")).not_to_contain_text("this device")
    ready(page)
    expect(page.locator("#result-summary")).to_contain_text("read on this device")
    page.uncheck(SWITCH)
    expect(page.locator("#result-summary")).not_to_contain_text("this device")
    assert len(application.uploads) == 2


def test_what_the_face_does_is_measured_on_the_device_too(page: Page, application: Application) -> None:
    ready(page)
    read(page)
    assert [path for path in asked(application) if "face_mesh" in path] == []
    page.check("#details-switch")
    expect(page.locator("#details .details__text")).to_contain_text("happy")
    assert page.locator("#picture-mesh .mesh__dots").get_attribute("d").count("M") == 478
    expect(page.locator(".units__row[data-unit=AU12]")).to_have_attribute("data-active", "true")
    assert len([path for path in asked(application) if "face_mesh" in path]) == 1
    assert application.uploads == []


@on_a_desktop
def test_without_the_networks_of_details_the_photo_is_read_all_the_same(page: Page) -> None:
    page.route("**/face_mesh-*.onnx", lambda route: route.abort())
    ready(page)
    read(page)
    page.click("#details-switch")
    expect(page.locator("#photo-error h1")).to_have_text("The engine is not here yet")
    page.click("#photo-error >> text=Try again")
    expect(page.locator("#prediction-label")).to_contain_text("Happy")
    expect(page.locator("#details-switch")).not_to_be_checked()


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


def test_many_photos_stay_on_the_device_too(page: Page, application: Application) -> None:
    ready(page)
    go(page, "many")
    page.set_input_files(
        "#many-files-input", [SINGLE, picked("cat.jpg", (ROOT / "sample_images/cat.jpg").read_bytes())]
    )
    expect(page.locator("#view-many")).to_have_attribute("data-state", "done")
    expect(page.locator("#many-tiles")).to_contain_text("Happy")
    expect(page.locator("#many-tiles")).to_contain_text("No face found")
    assert application.uploads == []


def test_live_stays_on_the_device_and_ends_with_a_report(page: Page, application: Application, tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.webm", [scene(collins())] * 60)
    ready(page)
    go(page, "live")
    application.requests.clear()
    page.set_input_files("#live-file", video)
    expect(page.locator("#live-label")).to_contain_text("Happy")
    expect(page.locator("#live-connection")).to_have_text("Read on this device. Nothing leaves it.")
    page.wait_for_selector(".report__strip")
    assert asked(application) == []
    summary = json.loads(download(page, "#report-json"))
    rows = table(download(page, "#report-csv"))
    assert len(rows) - 1 >= summary["frames"]["read"] > 0


@on_a_desktop
def test_live_measures_what_the_face_does_on_the_device(page: Page, application: Application, tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.webm", [scene(collins())] * 90)
    ready(page)
    go(page, "live")
    page.check("#live-measure")
    page.set_input_files("#live-file", video)
    expect(page.locator("#live-units [data-unit=AU12]")).to_be_visible()
    page.wait_for_selector(".report__units")
    assert json.loads(download(page, "#report-json"))["tracks"][0]["action_units"]["AU12"]["active_share"] > 0.5
    assert application.uploads == []


SUMMARISE = """async ({ frames, labels }) => {
  const { summarise } = await import(new URL("web/session-summary.js", document.baseURI));
  return summarise(frames, labels);
}"""


def unit_of(code: str, intensity: float) -> dict[str, Any]:
    unit = series_units()[code]
    return {"name": unit.name, "intensity": intensity, "active": intensity > unit.threshold}


@on_a_desktop
@pytest.mark.parametrize("count", [12, 400])
def test_a_session_is_added_up_as_by_the_service(page: Page, application: Application, count: int) -> None:
    labels = list(shipped_card().labels)
    numbers = Random(count)
    posted, own, t = [], [], 0.0
    for number in range(count):
        t = round(t + numbers.choice([0.1, 0.13, 0.2, 2.5 if number == 7 else 0.1]), 2)
        weights = [numbers.random() ** 4 for _ in labels]
        shown = {label: round(weight / sum(weights), 4) for label, weight in zip(labels, weights, strict=True)}
        warnings = ["blurred"] if numbers.random() < 0.5 else []
        units = {code: round(numbers.random(), 3) for code in ("AU4", "AU12", "AU45") if number % 3}
        face = {
            **{"track": 1, "probabilities": shown, "is_uncertain": max(shown.values()) < 0.6},
            "warnings": [{"code": code} for code in warnings],
            "action_units": {code: unit_of(code, intensity) for code, intensity in units.items()} or None,
        }
        is_there = number % 5 != 4
        posted.append(
            {
                **{"t": t, "probabilities": shown if is_there else None, "warnings": warnings if is_there else []},
                "action_units": units if is_there else {},
            }
        )
        own.append({"t": t, "faces": [face] if is_there else []})
    body = {"profile": None, "frames": posted}
    wanted = httpx.post(f"{application.url}analyze/session", json=body, trust_env=False).json()
    found = page.evaluate(SUMMARISE, {"frames": own, "labels": labels})
    assert {key: value for key, value in wanted.items() if key != "request_id"} == found


@on_a_desktop
def test_the_page_can_be_installed(page: Page) -> None:
    manifest = json.loads((ROOT / "app/web/manifest.webmanifest").read_text("utf-8"))
    assert {icon["sizes"] for icon in manifest["icons"]} == {"192x192", "512x512"}
    session = page.context.new_cdp_session(page)
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # A test's window is a private one.
    assert [error["errorId"] for error in errors if error["errorId"] != "in-incognito"] == []
    assert session.send("Page.getAppManifest")["errors"] == []


@needs_axe
def test_axe_finds_nothing_on_the_device(page: Page) -> None:
    assert violations(page) == []
    ready(page)
    read(page)
    assert violations(page) == []
    for view in ("many", "live"):
        go(page, view)
        assert violations(page) == []
