"""The configuration of a training run: one typed TOML file, whose values the command line can override."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from training.augment import Augmentation
from training.whole_files import written_whole


@dataclass(frozen=True, slots=True)
class Network:
    """Which network, and its shape. Only ``facenet`` uses ``widths``, ``depths`` and ``inner``, the share of the
    channels of a block that lie between its convolutions.

    ``weights`` is a file to start from: the weights of another run for ``facenet``, ImageNet weights for the others.
    """

    name: str = "facenet"
    widths: tuple[int, ...] = (32, 64, 128, 256)
    depths: tuple[int, ...] = (0, 2, 2, 2)
    inner: float = 1.0
    dropout: float = 0.2
    stochastic_depth: float = 0.1
    weights: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Epochs, learning rate and picture size.

    The rate rises over ``warmup`` epochs, stays at its peak, and falls linearly to zero from epoch ``decay_from`` on.
    ``sides`` has the side of the pictures from an epoch on; small pictures at first save a third of the time.
    ``augmentation_shares`` scales the augmentation of FER-2013 faces from an epoch on. Photos get all of it, since the
    pictures that the service receives vary more.
    """

    epochs: int = 56
    warmup: float = 1.0
    decay_from: int = 24
    sides: tuple[tuple[int, int], ...] = ((0, 32), (24, 40), (40, 48))
    augmentation_shares: tuple[tuple[int, float], ...] = ((0, 1.0),)


@dataclass(frozen=True, slots=True)
class Finetuning:
    """The two stages of a network that starts from other weights: first only its heads, then all of it.

    ``body_rate`` is the body's share of the rate in the second stage.
    """

    head_epochs: int = 0
    body_rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Distillation:
    """Targets from earlier networks: a ``share`` of each target is the mean prediction of the ``teachers``.

    ``teachers`` are folders of finished runs; without any there is no distillation.
    """

    teachers: tuple[str, ...] = ()
    share: float = 0.3


@dataclass(frozen=True, slots=True)
class Generated:
    """Generated faces that ``synthesize`` let in. An epoch shows each of them once.

    ``faces`` is their file, or none; in the loss one counts ``weight``, and a real face 1.
    """

    faces: str = ""
    weight: float = 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """All settings of a training run."""

    name: str = "default"
    seed: int = 1
    fold: int = -1
    """The fifth of ``train`` and ``valid`` together, 0 to 4, that is held out; by default ``valid`` is."""
    batch: int = 128
    rate: float = 0.1
    momentum: float = 0.9
    muon_rate: float = 0.0
    """Size of a Muon step on the convolutions at the peak rate, as a share of their norm; 0 for plain SGD."""
    muon_momentum: float = 0.8
    weight_decay: float = 5e-4
    average_decay: float = 0.999
    """Decay of the exponential moving average of the weights, which is the network that is kept."""
    average_lag: float = 10.0
    """The decay starts lower, at ``(1 + step) / (average_lag + step)``; 2 gives the plain mean of all steps."""
    norm_refresh: float = 0.0
    """How far batch-norm statistics are moved at the end to those of unchanged training faces, 0 to 1."""
    fer2013_weight: float = 0.5
    fer2013_smoothing: float = 0.1
    photos_share: float = 0.5
    photos_smoothing: float = 0.2
    repeats: tuple[tuple[str, int], ...] = ()
    """Extra times that an epoch shows the faces of a rare label."""
    photos_repeats: tuple[tuple[str, int], ...] = ()
    """The same for the photos, in addition to ``photos_share``."""
    ensemble: tuple[str, ...] = ()
    """Folders of other runs. The exported model returns the mean of their logits and those of this run."""
    logit_adjustment: float = 0.0
    """Raises rare labels in the served logits by this factor times minus the logarithm of their frequency. A negative
    value undoes a part of what ``repeats`` has raised."""
    mirror_average: bool = False
    """Whether the exported model averages the logits of each face and its mirror image."""
    threads: int = 2
    device: str = "cpu"
    recorded: bool = True
    """Whether steps are recorded as CUDA graphs; it has no effect on a CPU."""
    validate_every: int = 1
    """Epochs between two validations, each with a checkpoint. The last epoch always has one."""
    compiler: str = ""
    """Backend of ``torch.compile``, or none. ``inductor`` needs a C++ compiler and a minute for each picture size, and
    makes an epoch of the default a seventh shorter."""
    network: Network = field(default_factory=Network)
    schedule: Schedule = field(default_factory=Schedule)
    finetuning: Finetuning = field(default_factory=Finetuning)
    distillation: Distillation = field(default_factory=Distillation)
    generated: Generated = field(default_factory=Generated)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def side_at(self, epoch: int) -> int:
        return next(side for start, side in reversed(self.schedule.sides) if epoch >= start)

    def augmentation_share_at(self, epoch: int) -> float:
        return next(share for start, share in reversed(self.schedule.augmentation_shares) if epoch >= start)

    @property
    def stages(self) -> Finetuning:
        """The fine-tuning stages; none without weights to start from."""
        return self.finetuning if self.network.weights else Finetuning()

    def rate_at(self, epoch: float) -> float:
        """The learning rate at a time in epochs."""
        plan = self.schedule
        rising = min(1.0, epoch / plan.warmup) if plan.warmup else 1.0
        falling = min(1.0, (plan.epochs - epoch) / max(plan.epochs - plan.decay_from, 1e-9))
        return self.rate * rising * max(falling, 0.0)


def load(path: Path | None, overrides: list[str] | None = None) -> Run:
    """A run from a TOML file and ``section.key=value`` overrides, with values in TOML syntax."""
    values: dict[str, Any] = tomllib.loads(path.read_text()) if path else {}
    for override in overrides or []:
        key, separator, text = override.partition("=")
        if not separator:
            raise ValueError(f"an override has the form key=value, not {override!r}")
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
    """Reads the settings that :func:`write` saved."""
    return _run(json.loads(path.read_text()))


def write(run: Run, path: Path) -> None:
    """Saves the settings of a run as JSON."""
    with written_whole(path) as unfinished:
        unfinished.write_text(json.dumps(dataclasses.asdict(run), indent=2) + "\n")


def without_weights(network: Network) -> Network:
    """The same network, without the weights that its training started from."""
    return dataclasses.replace(network, weights="")


def _run(values: dict[str, Any]) -> Run:
    run: Run = _build(Run, values, "")
    return run


def _build(kind: type[Any], values: dict[str, Any], place: str) -> Any:
    if not isinstance(values, dict):
        raise ValueError(f"{place.rstrip('.')} is a section, not a value")
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
            wanted = get_origin(hints[name]) or hints[name]
            if not isinstance(built[name], (int, float) if wanted is float else wanted):
                raise ValueError(f"{place}{name} is {value!r}, which is no {wanted.__name__}")
    return kind(**built)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
