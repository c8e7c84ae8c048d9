"""The further outputs of a model: numbers with a range, and labels that do not exclude one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inference.manifest import FurtherOutput, RegressionSpec


@dataclass(frozen=True, slots=True)
class FurtherValue:
    """One number that a model gives beside its labels. ``active`` is None for a number that is no probability."""

    name: str
    value: float
    active: bool | None = None


def further_values(raw: Sequence[NDArray[Any]], specs: Sequence[FurtherOutput]) -> list[tuple[FurtherValue, ...]]:
    """The values of each face, from the outputs (n, names) of a graph."""
    columns = [column for values, spec in zip(raw, specs, strict=True) for column in _columns(values, spec)]
    return [*zip(*columns, strict=True)]


def _columns(raw: NDArray[Any], spec: FurtherOutput) -> list[list[FurtherValue]]:
    """The values of all faces for each name of one output."""
    values = raw.astype(np.float64)
    if isinstance(spec, RegressionSpec):
        cut = np.clip(values, *spec.range).T.tolist()
        return [[FurtherValue(name, value) for value in column] for name, column in zip(spec.names, cut, strict=True)]
    if spec.values == "logits":
        values = 1 / (1 + np.exp(-np.clip(values, -60, 60)))
    named = zip(spec.names, spec.thresholds, np.clip(values, 0, 1).T.tolist(), strict=True)
    return [[FurtherValue(name, value, value >= least) for value in column] for name, least, column in named]
