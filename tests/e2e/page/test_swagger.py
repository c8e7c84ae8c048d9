"""Swagger UI at ``/docs``: "Execute" works with what stands there, and with a picture where one is asked for."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.page.browser import on_a_desktop
from tests.process import ROOT

SAMPLE = ROOT / "sample_images" / "happy_sample.jpg"
FORM, JSON = "multipart/form-data", "application/json"


@on_a_desktop
def test_what_stands_there_works(page: Page) -> None:
    page.goto(f"{page.url.rstrip('/')}/docs")
    for path, body, wanted in (
        ("/predict", FORM, '"emotion"'),
        ("/analyze/facial", JSON, '"dominant_emotion"'),
        # The label of the example's voice.
        ("/analyze/multimodal", FORM, '"sad": 0.1'),
    ):
        operation = page.locator(".opblock", has=page.locator(f'[data-path="{path}"]'))
        operation.locator(".opblock-summary-control").click()
        operation.locator(".opblock-section-request-body select").first.select_option(body)
        if body == FORM:
            operation.locator("input[type=file]").first.set_input_files(SAMPLE)
        operation.get_by_role("button", name="Execute").click()
        response = operation.locator(".live-responses-table tbody")
        expect(response.locator(".response-col_status").first).to_contain_text("200")
        expect(response.locator(".highlight-code").first).to_contain_text(wanted)
        operation.locator(".opblock-summary-control").click()
