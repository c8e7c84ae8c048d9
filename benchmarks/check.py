"""Compares the ratios of a run with the committed ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_TOLERANCE = 0.10
_UNITS = ("", "MB")
"""Units that are compared. Seconds and milliseconds depend on the machine."""


def losses(committed: Path, fresh: Path) -> list[str]:
    """One sentence for each figure that lost more than a tenth."""
    before, after = _ratios(committed), _ratios(fresh)
    found = []
    for key, then in before.items():
        now = after.get(key)
        if now is None or not then["value"] or then["unit"] not in _UNITS:
            continue
        change = now["value"] / then["value"] - 1
        if (change if then["better"] == "lower" else -change) > _TOLERANCE:
            unit = f" {then['unit']}" if then["unit"] else ""
            found.append(f"{then['title']}: {then['value']:.2f}{unit} before, {now['value']:.2f}{unit} after.")
    return found


def _ratios(path: Path) -> dict[str, dict[str, Any]]:
    return {ratio["key"]: ratio for ratio in json.loads(path.read_text())["ratios"]}
