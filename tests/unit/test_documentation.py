"""The documentation leads where it says, and names every parameter."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from app.api.examples import PREDICTION

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
_MADE = {"node_modules", "build", "dist", "runs", "data"}
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def _files(*suffixes: str) -> list[str]:
    """The project's own files with these suffixes."""
    found: list[str] = []
    for folder, below, names in os.walk(ROOT):
        below[:] = sorted(name for name in below if name not in _MADE and name[0] != ".")
        found += (str((Path(folder) / name).relative_to(ROOT)) for name in sorted(names) if name.endswith(suffixes))
    return found


PAGES = _files(".md")


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#{1,6} +(.+?) *$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    found: list[str] = []
    for heading in headings:
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.append(f"{anchor}-{repeated}" if (repeated := found.count(anchor)) else anchor)
    return set(found)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    broken = []
    for link in _LINK.findall(_FENCE.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        if ":" in path:
            continue
        target = page.parent / path if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            broken.append(link)
    assert not broken


def test_references_in_code_lead_somewhere() -> None:
    """Messages, comments and alerts name pages by their path from here."""
    files = _files(".py", ".js", ".ts", ".yml", ".yaml", ".conf", ".toml", ".mk", "Makefile", "Dockerfile")
    broken = []
    for name in files:
        for page, anchor in re.findall(
            r"\b((?:docs/[\w/-]+|README|SECURITY)\.md)(?:#([\w-]+))?", (ROOT / name).read_text()
        ):
            if not (ROOT / page).exists() or (anchor and anchor not in _anchors(ROOT / page)):
                broken.append((name, page, anchor))
    assert not broken


def test_each_query_parameter_is_named() -> None:
    text = "".join((ROOT / name).read_text() for name in PAGES if name.startswith("docs/"))
    paths = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    parameters = {
        each["name"] for operation in operations for each in operation.get("parameters", ()) if each["in"] == "query"
    }
    assert parameters
    assert not {name for name in parameters if not re.search(rf"[`?&]{name}[`=]", text)}


@pytest.mark.parametrize("name", ["README.md", "docs/api.md"])
def test_the_first_result_is_that_of_the_schema_s_example(name: str) -> None:
    shown = json.loads(re.findall(r"^```json\n(.*?)^```", (ROOT / name).read_text(), re.MULTILINE | re.DOTALL)[0])
    example = json.loads(json.dumps(PREDICTION))
    assert shown["face"]["landmarks"].items() <= example["face"]["landmarks"].items()
    assert shown["face"]["box"] == example["face"]["box"]
    assert shown["probabilities"] == example["probabilities"]
