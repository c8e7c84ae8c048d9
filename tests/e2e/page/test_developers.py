"""The view for developers: its snippets do what the page did, and the way to the documentation leads back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.actions import go, read_sample, text
from tests.e2e.page.browser import on_a_desktop
from tests.e2e.page.pictures import sample
from tests.process import ROOT

TYPESCRIPT = ROOT / "tests" / "api" / "typescript" / "node_modules" / "typescript"

needs_typescript = pytest.mark.skipif(
    shutil.which("node") is None or not TYPESCRIPT.is_dir(),
    reason="The TypeScript compiler is not installed (npm ci in tests/api/typescript).",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "multiple_faces.jpg").write_bytes(sample("multiple_faces"))
    return tmp_path


@pytest.fixture
def snippets(page: Page) -> Page:
    """The view, for a photo with two faces."""
    read_sample(page, "multiple_faces")
    go(page, "code")
    return page


def run(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60).stdout


@on_a_desktop
def test_curl_sends_the_same_request(snippets: Page, folder: Path) -> None:
    result = json.loads(run(folder, "sh", "-c", f"{snippets.text_content('#code-curl')} -s"))
    shown = json.loads(str(snippets.text_content("#code-json")))
    assert result["faces"] == shown["faces"]


@on_a_desktop
def test_python_prints_each_face(snippets: Page, folder: Path) -> None:
    (folder / "read.py").write_text(str(snippets.text_content("#code-python")), "utf-8")
    assert run(folder, sys.executable, "read.py").split("\n")[:2] == ["happy 0.93 ", "neutral 0.71 "]


NODE = """declare module "node:fs" { export function openAsBlob(path: string): Promise<Blob>; }
declare const process: { env: Record<string, string | undefined> };
"""
"""What the snippet uses of Node's types, which the compiler does not bring."""


@needs_typescript
@on_a_desktop
def test_typescript_is_sound_and_prints_each_face(snippets: Page, folder: Path) -> None:
    (folder / "node.d.ts").write_text(NODE)
    (folder / "read.mts").write_text(str(snippets.text_content("#code-typescript")), "utf-8")
    options = ("--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext")
    run(folder, "node", str(TYPESCRIPT / "bin" / "tsc"), *options, "node.d.ts", "read.mts")
    assert run(folder, "node", "read.mjs").split("\n")[:2] == ["happy 0.93 ", "neutral 0.71 "]


@on_a_desktop
def test_a_snippet_can_be_copied(snippets: Page) -> None:
    snippets.click("[data-copy=code-python]")
    expect(snippets.locator("[data-copy=code-python]")).to_have_text("Copied")
    assert snippets.evaluate("navigator.clipboard.readText()") == snippets.text_content("#code-python")


def test_without_a_photo_a_sample_is_the_example(page: Page) -> None:
    go(page, "code")
    assert "happy_sample.jpg" in text(page, "#code-curl")
    assert "No photo has been read yet." in text(page, "#code-result")


@on_a_desktop
def test_the_documentation_leads_back_to_the_page(page: Page) -> None:
    go(page, "code")
    page.click("#code-requests a[href=docs]")
    page.wait_for_selector(".opblock")
    page.click("text=Back to the page of Visage")
    expect(page.locator("#intro")).to_be_visible()
