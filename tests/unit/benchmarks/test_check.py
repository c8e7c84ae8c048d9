from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.check import losses


def figure(key: str, value: float, *, better: str = "higher", unit: str = "") -> dict[str, Any]:
    return {"key": key, "title": key, "value": value, "better": better, "unit": unit}


def compared(folder: Path, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    paths = [folder / "before.json", folder / "after.json"]
    for path, figures in zip(paths, (before, after), strict=True):
        path.write_text(json.dumps({"ratios": figures}))
    return losses(*paths)


@pytest.mark.parametrize(("before", "after"), [(1.0, 0.91), (1.0, 2.0)], ids=["a little less", "more"])
def test_a_figure_that_kept_nine_tenths_is_no_loss(tmp_path: Path, before: float, after: float) -> None:
    assert compared(tmp_path, [figure("limit", before)], [figure("limit", after)]) == []


def test_a_figure_that_lost_more_than_a_tenth_is_named_with_both_values(tmp_path: Path) -> None:
    (sentence,) = compared(tmp_path, [figure("limit", 1.0)], [figure("limit", 0.85)])
    assert sentence == "limit: 1.00 before, 0.85 after."


def test_an_increase_is_a_loss_where_lower_is_better(tmp_path: Path) -> None:
    before, after = figure("idle", 180, better="lower", unit="MB"), figure("idle", 230, better="lower", unit="MB")
    assert compared(tmp_path, [before], [after]) == ["idle: 180.00 MB before, 230.00 MB after."]
    assert compared(tmp_path, [after], [before]) == []


def test_seconds_are_not_compared_because_they_depend_on_the_machine(tmp_path: Path) -> None:
    before, after = figure("start", 0.5, better="lower", unit="s"), figure("start", 2.0, better="lower", unit="s")
    assert compared(tmp_path, [before], [after]) == []


def test_a_figure_that_a_run_lacks_is_not_compared(tmp_path: Path) -> None:
    assert compared(tmp_path, [figure("limit", 1.0), figure("gone", 1.0)], [figure("limit", 1.0)]) == []
