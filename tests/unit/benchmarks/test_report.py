from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import ratios, results
from benchmarks.report import write_page, write_readme
from benchmarks.results import CellResult, Footprint, OpenResult, Results, Turn

ROOT = Path(__file__).parents[3]


def turn(throughput: float, *, p50: float = 5.0, elsewhere: float = 0.0) -> Turn:
    return Turn(throughput, p50, 2 * p50, 3 * p50, 4 * p50, 0, 5.0, 0.1, 190.0, elsewhere)


def cell(contestant: str, work: str, connections: int, *rates: float) -> CellResult:
    return CellResult(contestant, work, connections, [turn(rate) for rate in rates])


@pytest.fixture
def found() -> Results:
    """Two rounds of a run in which the service has 80 % of the limit and four times that of plain FastAPI."""
    groups = {
        "throughput": [
            cell("limit", "640x480", 2, 100, 200),
            cell("visage", "640x480", 8, 80, 160),
            cell("litserve", "640x480", 8, 40, 80),
            cell("bentoml", "640x480", 8, 40, 80),
            cell("plain", "640x480", 8, 20, 40),
        ],
        "12mp": [cell("visage", "12mp", 8, 30, 30), cell("plain", "12mp", 8, 3, 3)],
    }
    return Results(
        taken="2026-01-31",
        plan="quick",
        rounds=2,
        seconds=1,
        machine={"cores": 2, "kind": "a kind", "system": "Linux x86_64", "python": "3.11"},
        versions={},
        pictures={"640x480": {"bytes": 90_000}, "12mp": {"bytes": 1_700_000}},
        groups=groups,
        open=[OpenResult("visage", 0.8, "even", 100, [turn(100)])],
        footprints=[Footprint("visage", [0.8], 180, 130, 200)],
        generator={
            "wrk_most": 9000.0,
            "wrk_cpu_ms": 0.02,
            "open_rate": 100.0,
            "open_cpu_ms": 0.2,
            "open_p50": 0.3,
            "open_p99": 0.9,
        },
    )


def test_a_ratio_is_formed_round_by_round(found: Results) -> None:
    limit = next(ratio for ratio in ratios.ratios(found) if ratio.key == "limit")
    assert (limit.value, limit.least, limit.most, limit.level) == (0.8, 0.8, 0.8, "below")


def test_results_saved_and_loaded_give_the_same_page(found: Results, tmp_path: Path) -> None:
    results.save(found, ratios.as_json(ratios.ratios(found)), tmp_path / "found.json")
    write_page(found, tmp_path / "one.md")
    write_page(results.load(tmp_path / "found.json"), tmp_path / "two.md")
    page = (tmp_path / "one.md").read_text()
    assert page.replace("one/", "two/") == (tmp_path / "two.md").read_text()
    assert "| throughput / plain FastAPI, 640×480 | 4.00 (4.00–4.00) |" in page
    assert "Plain FastAPI" in (tmp_path / "one" / "throughput.svg").read_text()


def test_plots_of_the_same_figures_are_the_same_files(found: Results, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_page(found, tmp_path / f"{name}.md")
    assert (tmp_path / "one" / "throughput.svg").read_bytes() == (tmp_path / "two" / "throughput.svg").read_bytes()


def test_a_run_without_most_of_its_parts_has_a_page(found: Results, tmp_path: Path) -> None:
    found.groups.clear()
    found.generator.clear()
    found.open.clear()
    write_page(found, tmp_path / "page.md")
    assert "Not part of this run" in (tmp_path / "page.md").read_text()


def test_the_page_warns_if_other_processes_used_the_machine(found: Results, tmp_path: Path) -> None:
    write_page(found, tmp_path / "page.md")
    assert "do not trust" not in (tmp_path / "page.md").read_text()
    found.groups["12mp"] = [CellResult("visage", "12mp", 8, [turn(30, elsewhere=0.4)] * 9)]
    found.failures.append("batch: it broke")
    write_page(found, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "do not trust" in page
    assert "Not measured: batch: it broke." in page


def test_the_ratios_go_between_the_markers_of_the_readme(found: Results, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    begin, end = "<!-- Written by make bench: begin -->", "<!-- Written by make bench: end -->"
    readme.write_text(f"Before.\n{begin}\nold\n{end}\nAfter.\n")
    write_readme(found, readme)
    write_readme(found, readme)
    text = readme.read_text()
    assert text.startswith(f"Before.\n{begin}\nMeasured on 2 cores")
    assert text.endswith(f"\n{end}\nAfter.\n")
    assert "old" not in text
    assert "**4.00** (4.00–4.00) times that of the FastAPI app that tutorials write; **10.0** (10.0–10.0) times" in text


def test_a_readme_without_markers_is_not_changed(found: Results, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("Nothing here.\n")
    with pytest.raises(ValueError, match="markers"):
        write_readme(found, readme)
    assert readme.read_text() == "Nothing here.\n"


def test_the_committed_page_and_readme_have_the_committed_figures(tmp_path: Path) -> None:
    committed = results.load(ROOT / "benchmarks/results.json")
    write_page(committed, tmp_path / "performance.md")
    assert (tmp_path / "performance.md").read_text() == (ROOT / "docs/performance.md").read_text()
    readme = tmp_path / "README.md"
    readme.write_text((ROOT / "README.md").read_text())
    write_readme(committed, readme)
    assert readme.read_text() == (ROOT / "README.md").read_text()
