"""What the face does: the switch, the mesh over the photo, the movements, the head pose and the description."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from app.inference.further import FurtherValue
from tests.api.fakes import FakeModel, FakeRegistry
from tests.api.meshes import meshed
from tests.e2e.page.actions import BUSY, DONE, go, read_sample, rect, text
from tests.e2e.page.application import Application, shipped_card
from tests.e2e.page.conftest import OpenPage, Start
from tests.e2e.page.pictures import SURE, FaceIn
from tests.e2e.page.test_accessibility import AXE, needs_axe, on_both_screens, violations
from tests.process import ROOT

SWITCH = "#details-switch"


def turn_on(page: Page) -> None:
    page.check(SWITCH)
    page.wait_for_selector("#details .details__text:not(:empty)")


@pytest.fixture
def measured(application: Application) -> Application:
    """The application whose every face has the mesh of the first sample."""
    application.script.meshed = meshed()
    return application


def test_nothing_is_asked_for_before_the_switch_is_on(page: Page, measured: Application) -> None:
    read_sample(page)
    assert "details" not in measured.predictions[-1]
    expect(page.locator("#details .details__panel")).to_be_hidden()
    assert page.locator("#picture-mesh > *").count() == 0


def test_the_switch_shows_what_the_face_does(page: Page, measured: Application) -> None:
    read_sample(page)
    turn_on(page)
    assert "details=action_units,head_pose,mesh,description" in measured.predictions[-1]
    assert text(page, ".details__text").startswith("Apparent expression: clearly happy (93 %).")
    assert "raised lip corners" in text(page, ".details__text")
    active = page.locator(".units__row[data-active=true]").all_inner_texts()
    assert any("Lip corner puller" in row for row in active)
    assert "°" in text(page, ".pose") or "Straight ahead" in text(page, ".pose")


def test_the_mesh_lies_over_the_face(page: Page, measured: Application) -> None:
    read_sample(page)
    turn_on(page)
    assert page.locator("#picture-mesh .mesh__dots").get_attribute("d").count("M") == 478
    picture, mesh = rect(page, "#picture-image"), rect(page, "#picture-mesh .mesh__dots")
    face = meshed().mesh.points
    for axis, length, index in (("x", "width", 0), ("y", "height", 1)):
        start = (mesh[axis] - picture[axis]) / picture[length]
        assert start == pytest.approx(face[:, index].min() / 512, abs=0.02)
        assert mesh[length] / picture[length] == pytest.approx(float(np.ptp(face[:, index])) / 512, abs=0.03)
    corner = rect(page, "#picture-mesh text[data-unit=AU12]")
    assert (corner["x"] - picture["x"]) / picture["width"] == pytest.approx(face[291, 0] / 512, abs=0.05)


def test_turned_off_it_is_gone_and_turned_on_again_nothing_is_sent(page: Page, measured: Application) -> None:
    read_sample(page)
    turn_on(page)
    sent = len(measured.predictions)
    page.uncheck(SWITCH)
    expect(page.locator("#details .details__panel")).to_be_hidden()
    assert page.locator("#picture-mesh > *").count() == 0
    turn_on(page)
    assert len(measured.predictions) == sent


def test_the_switch_can_be_turned_on_while_the_photo_is_read_again(page: Page, measured: Application) -> None:
    read_sample(page)
    with measured.held():
        page.select_option("#explain-method", "cam")
        page.wait_for_selector(BUSY)
        page.check(SWITCH)
    page.wait_for_selector("#details .details__text:not(:empty)")
    assert "details=" in measured.predictions[-1]
    assert "explain_method=cam" in measured.predictions[-1]


def test_the_next_photo_has_it_at_once(page: Page, measured: Application) -> None:
    read_sample(page)
    turn_on(page)
    page.click("#photo-another")
    read_sample(page, "neutral_sample")
    assert text(page, ".details__text").startswith("Apparent expression: mostly neutral")


def test_the_description_is_copied(page: Page, measured: Application) -> None:
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    read_sample(page)
    turn_on(page)
    page.click(".details__said button")
    assert page.evaluate("window.copied") == text(page, ".details__text")


def test_a_face_without_a_mesh_says_so(page: Page, measured: Application) -> None:
    measured.script.meshed = None
    read_sample(page)
    turn_on(page)
    assert "cannot be measured" in text(page, ".details__text")
    assert "Too little of the face shows" in text(page, "#details")
    assert page.locator("#picture-mesh > *").count() == 0


def test_a_service_without_details_offers_none(start: Start, open_page: OpenPage) -> None:
    page = open_page(start(details="off"))
    read_sample(page)
    expect(page.locator(SWITCH)).to_be_hidden()


def test_where_they_cannot_be_had_the_photo_is_still_read(start: Start, open_page: OpenPage, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models" / "face_mesh", models / "face_mesh")
    application = start(models_dir=models)
    page = open_page(application)
    read_sample(page)
    (models / "face_mesh" / "face_mesh.onnx").write_bytes(b"damaged")
    page.click(SWITCH)
    expect(page.locator("#photo-error h1")).to_have_text("No details of the face")
    page.click("#photo-error button >> nth=0")
    page.wait_for_selector(DONE)
    expect(page.locator(SWITCH)).not_to_be_checked()


def test_what_a_model_gives_beside_its_labels_is_shown(start: Start, open_page: OpenPage) -> None:
    further = (FurtherValue("valence", 0.614), FurtherValue("AU12", 0.93, True))
    page = open_page(start(registry=FakeRegistry(FakeModel(shipped_card(), SURE, further=further))))
    read_sample(page)
    assert text(page, ".details__outputs") == "Valence 0.61 AU12 0.93, active"


@needs_axe
@on_both_screens
def test_axe_finds_nothing_and_nothing_is_cut_off(start: Start, open_page: OpenPage, scheme: str) -> None:
    application = start()
    application.script.meshed = meshed()
    page = open_page(application)
    page.emulate_media(color_scheme=scheme)
    read_sample(page)
    turn_on(page)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_live_session_measures_it_when_asked(page: Page, measured: Application) -> None:
    measured.faces = [FaceIn((0.3, 0.2, 0.3, 0.4))]
    go(page, "live")
    page.check("#live-measure")
    page.click("#live-on")
    page.wait_for_selector("#live-units [data-unit=AU12][data-active=true]")
    codes = page.eval_on_selector_all(
        "#live-units .units__row", "rows => rows.map(row => Number(row.dataset.unit.slice(2)))"
    )
    assert codes == sorted(codes)
    if AXE.exists():
        assert violations(page) == []
    page.click("#live-off")
    page.wait_for_selector("#view-live[data-state=report]")
    # Where the machine pauses for long, the face has a second track.
    smile = page.locator(".report__units [data-unit=AU12]").first
    assert "Lip corner puller" in smile.inner_text()
    assert "100 %" in smile.inner_text()
    if AXE.exists():
        assert violations(page) == []


def test_a_live_session_measures_nothing_otherwise(page: Page, measured: Application) -> None:
    measured.faces = [FaceIn((0.3, 0.2, 0.3, 0.4))]
    go(page, "live")
    page.click("#live-on")
    page.wait_for_selector("#live-boxes .live-box")
    expect(page.locator("#live-units")).to_be_hidden()
