"""The page's files, without a browser."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter

from tests.process import ROOT

WEB = ROOT / "app" / "web"


def test_the_page_is_small_and_has_nothing_inline() -> None:
    files = [file for file in WEB.iterdir() if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 256 * 1024
    html = (WEB / "index.html").read_text()
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", html)
    assert re.findall(r"<script(.*?)>(.*?)</script>", html) == [(' type="module" src="web/main.js"', "")]
    for file in files:
        addresses = re.findall(r"https?://[^\s\"'`)]+", file.read_text())
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}


def test_what_the_first_view_loads_is_smaller_and_is_requested_at_once() -> None:
    html = (WEB / "index.html").read_text()
    at_once = set(re.findall(r'(?:href|src)="web/([\w-]+\.(?:js|css))"', html))
    assert sum((WEB / name).stat().st_size for name in {"index.html", *at_once}) <= 148 * 1024
    needed = ["main.js"]
    for name in needed:
        imported = re.findall(r"""from ["']\./([\w-]+\.js)["']""", (WEB / name).read_text("utf-8"))
        needed += [each for each in imported if each not in needed]
    assert set(needed) == {name for name in at_once if name.endswith(".js")}


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports = {
        file.name: set(re.findall(r"""(?:from|import\() ?["']\./([\w-]+\.js)["']""", file.read_text("utf-8")))
        for file in WEB.glob("*.js")
    }
    graph = TopologicalSorter(imports)
    # Raises CycleError, which names the modules, where there is a cycle.
    graph.prepare()
