"""One typed file a run; every value can be overridden on the command line."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from training.augment import Augmentation


@dataclass(frozen=True, slots=True)
class Network:
    """Which network, and its shape. ``widths`` and ``depths`` count for ``facenet`` alone.

    ``weights`` is a file to start from: what a run of ours kept for ``facenet``, ImageNet's for the others.
    """

    name: str = "facenet"
    widths: tuple[int, ...] = (32, 64, 128, 256)
    depths: tuple[int, ...] = (0, 2, 2, 2)
    dropout: float = 0.2
    stochastic_depth: float = 0.1
    weights: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long, how fast, and at which size of picture.

    The rate rises over ``warmup`` epochs, stays at its peak, and falls in a line to zero from the epoch
    ``decay_from`` on. ``sides`` gives the side of the pictures from an epoch on: small ones first cost a third.
    ``changes`` gives the share of every change of the augmentation that faces of FER-2013 go through from an epoch on;
    photos always go through all of it, since what the service is sent varies more.
    """

    epochs: int = 56
    warmup: float = 1.0
    decay_from: int = 24
    sides: tuple[tuple[int, int], ...] = ((0, 32), (24, 40), (40, 48))
    changes: tuple[tuple[int, float], ...] = ((0, 1.0),)


@dataclass(frozen=True, slots=True)
class Finetuning:
    """The two stages of a network that starts from other weights: its heads alone, then all of it.

    ``body_rate`` is the body's share of the rate in the second stage.
    """

    head_epochs: int = 0
    body_rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Distillation:
    """What earlier networks add to the targets: the ``share`` of them that the runs in ``teachers`` say in the mean.

    ``teachers`` are the folders of finished runs; none of them is no distillation.
    """

    teachers: tuple[str, ...] = ()
    share: float = 0.3


@dataclass(frozen=True, slots=True)
class Run:
    """All that decides what a training run gives."""

    name: str = "default"
    seed: int = 1
    batch: int = 128
    rate: float = 0.1
    momentum: float = 0.9
    orthogonal_rate: float = 0.0
    """The share of their norm by which convolutions move in a step at the peak rate (see ``muon``); 0 for plain SGD."""
    orthogonal_momentum: float = 0.8
    weight_decay: float = 5e-4
    average: float = 0.999
    """How closely the network that is kept follows the one that is trained: the share of it that each step leaves."""
    average_lag: float = 10.0
    """How much faster it follows at first; 2 for the plain mean of all steps while that is faster than ``average``."""
    norms_anew: float = 0.0
    """How far the norms of the kept network are moved in the end to what it makes of unchanged training faces."""
    fer2013_weight: float = 0.5
    fer2013_smoothing: float = 0.1
    photos_share: float = 0.5
    photos_smoothing: float = 0.2
    repeats: tuple[tuple[str, int], ...] = ()
    """How many times more an epoch shows the faces whose top vote is a label, for labels that are rare."""
    photos_repeats: tuple[tuple[str, int], ...] = ()
    """The same for the photos, on top of the share of all of them that an epoch shows."""
    joined: tuple[str, ...] = ()
    """Folders of other runs, whose networks are shipped with this one's to answer with the mean of their logits."""
    balance: float = 0.0
    """How far rare labels are raised in the served logits: a share of minus the logarithm of their frequency. Less than
    nothing takes back some of what ``repeats`` has raised them by."""
    mirrored: bool = False
    """Whether what is shipped looks at each face and its mirror image and answers with the mean."""
    threads: int = 2
    device: str = "cpu"
    compiler: str = ""
    """What makes the network's steps faster, by the name that ``torch.compile`` has for it: ``inductor`` needs a C++
    compiler and a minute for each size of picture, and takes a seventh off an epoch of the default."""
    network: Network = field(default_factory=Network)
    schedule: Schedule = field(default_factory=Schedule)
    finetuning: Finetuning = field(default_factory=Finetuning)
    distillation: Distillation = field(default_factory=Distillation)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def side_at(self, epoch: int) -> int:
        return next(side for start, side in reversed(self.schedule.sides) if epoch >= start)

    def change_at(self, epoch: int) -> float:
        return next(share for start, share in reversed(self.schedule.changes) if epoch >= start)

    @property
    def stages(self) -> Finetuning:
        """How the run's stages really are: without weights to start from there is nothing to tune finely."""
        return self.finetuning if self.network.weights else Finetuning()

    def rate_at(self, epoch: float) -> float:
        """The rate at a point in time, counted in epochs."""
        plan = self.schedule
        rising = min(1.0, epoch / plan.warmup) if plan.warmup else 1.0
        falling = min(1.0, (plan.epochs - epoch) / max(plan.epochs - plan.decay_from, 1e-9))
        return self.rate * rising * max(falling, 0.0)


def load(path: Path | None, overrides: list[str] | None = None) -> Run:
    """A run from a TOML file and ``section.key=value`` overrides, the values as TOML writes them."""
    values: dict[str, Any] = tomllib.loads(path.read_text()) if path else {}
    for override in overrides or []:
        key, separator, text = override.partition("=")
        if not separator:
            raise ValueError(f"an override is written key=value, not {override!r}")
        *sections, last = key.split(".")
        target = values
        for section in sections:
            target = target.setdefault(section, {})
        try:
            target[last] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            target[last] = text
    return _run(values)


def read(path: Path) -> Run:
    """The run that a finished or unfinished training wrote down."""
    return _run(json.loads(path.read_text()))


def write(run: Run, path: Path) -> None:
    """Writes a run down, for :func:`read`."""
    path.write_text(json.dumps(dataclasses.asdict(run), indent=2) + "\n")


def without_weights(network: Network) -> Network:
    """The same network, built without the file of weights that its training started from."""
    return dataclasses.replace(network, weights="")


def _run(values: dict[str, Any]) -> Run:
    run: Run = _build(Run, values, "")
    return run


def _build(kind: type[Any], values: dict[str, Any], place: str) -> Any:
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ValueError(f"no such setting: {', '.join(place + name for name in unknown)}")
    built: dict[str, Any] = {}
    for name, value in values.items():
        if dataclasses.is_dataclass(hints[name]):
            built[name] = _build(hints[name], value, f"{place}{name}.")
        else:
            built[name] = _frozen(value)
    return kind(**built)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
