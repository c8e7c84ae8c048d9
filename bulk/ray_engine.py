"""``--engine ray``: parts are scored by a pool of Ray actors, on this machine or on a cluster.

Ray Data hands out parts, not pictures. An actor loads the model once, writes each part whole, as the local engine does,
and returns only what it counted. So a part that Ray runs again, since its actor or node was lost, replaces itself.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

# Ray would report its use to its makers.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import numpy as np
import ray
from ray.data import ActorPoolStrategy

from app.config import Settings
from app.inference.registry import load_registry
from bulk.engine import LocalEngine, Part
from bulk.output import Output
from bulk.progress import Progress
from bulk.score import Cluster, ScoreOptions, Scorer
from bulk.sources import reason_of
from bulk.stops import Stop

Batch = dict[str, Any]

_IN_FLIGHT: Final = 2
"""Parts that an actor has: one under way, and one that waits for it."""
_CONNECT_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Job:
    """What every actor has to know: the run, as it was begun on the machine that started it."""

    options: ScoreOptions
    settings: Settings
    out: str
    video: bool
    model_sha256: str
    folder: str = ""
    """The folder that relative names start from."""


class PartScorer:
    """One actor: a model, and one thread that predicts."""

    def __init__(self, job: Job) -> None:
        os.chdir(job.folder)
        registry = load_registry(job.settings)
        model = registry.get(job.options.model)
        if model.manifest.sha256 != job.model_sha256:
            raise Stop(f"The model {model.manifest.name} differs on {os.uname().nodename}: copy it to every node.")
        self._engine = LocalEngine(job.settings, registry, 1)
        self._output = Output(job.out)
        self._scorer = Scorer(job.options, job.settings, model, video=job.video)

    def __call__(self, batch: Batch) -> Batch:
        (part,) = map(pickle.loads, batch["part"])
        progress, stop = Progress(quiet=True), ""
        try:
            self._scorer.run(self._engine, self._output, [part], progress)
        except Stop as error:
            # As a value, since Ray wraps what is raised and tries again.
            stop = str(error)
        items, frames, codes = progress.counts
        return {
            "items": np.array([items]),
            "frames": np.array([frames]),
            "stop": np.array([stop]),
            "codes": np.array([json.dumps(codes)]),
        }


def run(job: Job, cluster: Cluster, parts: Sequence[Part], progress: Progress) -> None:
    """Scores parts on a cluster. The output and the sources must be reachable under the same names from every node."""
    try:
        _check_listening(cluster.address or "")
        ray.init(
            address=cluster.address or "local",
            log_to_driver=False,
            include_dashboard=False if cluster.address is None else None,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # Ray raises plain exceptions too.
        raise Stop(f"Ray cannot be reached: {reason_of(error)}.") from None
    try:
        _run(replace(job, folder=str(Path.cwd())), cluster, parts, progress)
    except ray.exceptions.RayError as error:
        raise Stop(_reason(error), 1) from None
    finally:
        ray.shutdown()


def _check_listening(address: str) -> None:
    """Raises OSError at once where nothing listens; Ray would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()


def _run(job: Job, cluster: Cluster, parts: Sequence[Part], progress: Progress) -> None:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.verbose_progress = False
    dataset = ray.data.from_items([{"part": pickle.dumps(part)} for part in parts], override_num_blocks=len(parts))
    scored = dataset.map_batches(
        PartScorer,
        fn_constructor_args=(job,),
        batch_size=1,
        compute=ActorPoolStrategy(min_size=1, max_size=cluster.actors, max_tasks_in_flight_per_actor=_IN_FLIGHT),
        num_cpus=1,
        num_gpus=cluster.gpus,
    )
    for row in scored.iter_rows():
        if row["stop"]:
            raise Stop(str(row["stop"]), 1)
        progress.add(items=int(row["items"]), frames=int(row["frames"]), codes=json.loads(row["codes"]))


def _reason(error: BaseException) -> str:
    """What an actor that could not start says, or else what Ray does, in one line."""
    if said := re.findall(rf"^{Stop.__module__}\.{Stop.__name__}: (.+)$", str(error), re.MULTILINE):
        return str(said[-1])
    return f"Ray gave up: {str(error).strip().splitlines()[-1]}"
