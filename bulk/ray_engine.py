"""``--engine ray``: parts are scored by a pool of Ray actors, on this machine or on a cluster.

Ray Data hands out parts, not pictures. An actor loads the model once, writes each part whole, as the local engine does,
and returns only what it counted. So a part that Ray runs again, since its actor or node was lost, replaces itself.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.data import ActorPoolStrategy

from app.config import load_settings
from app.inference.registry import load_registry
from bulk.engine import LocalEngine, Part
from bulk.output import Output
from bulk.progress import Progress
from bulk.score import ScoreOptions, Scorer, Target
from bulk.sources import reason_of
from bulk.stops import Stop

Batch = dict[str, Any]


class PartScorer:
    """One actor: a model, and one thread that predicts."""

    def __init__(self, options: ScoreOptions, out: str, folder: str, video: bool) -> None:
        # Relative names are those of the machine that started the run.
        os.chdir(folder)
        settings = load_settings()
        registry = load_registry(settings)
        self._engine = LocalEngine(settings, registry, 1)
        self._output = Output(out)
        self._scorer = Scorer(options, settings, registry.get(options.model), video=video)

    def __call__(self, batch: Batch) -> Batch:
        (part,) = map(pickle.loads, batch["part"])
        progress = Progress(quiet=True)
        self._scorer.run(self._engine, self._output, [part], progress)
        items, frames, codes = progress.counts
        names = sorted(codes)
        return {
            "items": np.array([items]),
            "frames": np.array([frames]),
            "codes": np.array([" ".join(f"{name}={codes[name]}" for name in names)]),
        }


def run(options: ScoreOptions, target: Target, parts: Sequence[Part], progress: Progress, *, video: bool) -> None:
    """Scores parts on a cluster. The output and the sources must be reachable under the same names from every node."""
    cluster = target.cluster
    assert cluster is not None
    try:
        ray.init(
            address=cluster.address or "local",
            log_to_driver=False,
            include_dashboard=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise Stop(f"Ray cannot be reached: {reason_of(error)}.") from None
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        dataset = ray.data.from_items([{"part": pickle.dumps(part)} for part in parts], override_num_blocks=len(parts))
        scored = dataset.map_batches(
            PartScorer,
            fn_constructor_args=(options, target.out, str(Path.cwd()), video),
            batch_size=1,
            compute=ActorPoolStrategy(min_size=1, max_size=cluster.actors),
            num_cpus=1,
        )
        for row in scored.iter_rows():
            progress.add(int(row["items"]), int(row["frames"]), _codes(row["codes"]))
    finally:
        ray.shutdown()


def _codes(text: str) -> Mapping[str, int]:
    """Counts by code; the empty code stands for rows without an error."""
    pairs = (pair.rpartition("=") for pair in text.split(" "))
    return {name: int(count) for name, _, count in pairs if count}
