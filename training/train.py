"""Trains one network. A stopped run continues from its last finished epoch and gives the same result."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training import batch_norms, config, folds, networks, scores, teacher
from training.augment import Augmenter
from training.config import Distillation, Finetuning, Generated, Run
from training.data import EMOTIONS, NO_LABEL, Faces
from training.heads import Logits, TwoHeaded
from training.labels import FER2013, FERPLUS, SERVED_FROM_FERPLUS
from training.muon import Muon
from training.predict import predict
from training.step import Average, Step
from training.whole_files import written_whole

_AUGMENTED_ON_GPU: Final = 32
_OF_THE_MACHINE: Final = ("threads", "device", "recorded", "validate_every", "compiler")
"""Settings that a run may change when it goes on."""


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingData:
    """The training faces, the extra photos, the validation faces, and generated faces."""

    train: Faces
    photos: Faces
    valid: Faces
    generated: Faces = dataclasses.field(default_factory=Faces.empty)

    @staticmethod
    def load(folder: Path, run: Run) -> TrainingData:
        train, photos, valid = (Faces.load(folder / f"{name}.npz") for name in ("train", "photos", "valid"))
        if run.fold >= 0:
            train, valid = folds.split(Faces.concatenated([train, valid]), run.fold)
        return TrainingData(train, photos, valid, _generated(run.generated))


class Samples(NamedTuple):
    """The shuffled faces of an epoch, or a part of them, with their targets, on the device of the run.

    ``images`` (n, 1, 48, 48) uint8; ``votes`` (n, 8) and ``original`` (n, 7), the targets; ``strength`` (n,) of the
    augmentation.
    """

    images: Tensor
    votes: Tensor
    original: Tensor
    strength: Tensor


class Trainer:
    """A run in progress: the network, its average, the optimiser, and the next epoch."""

    def __init__(self, run: Run, data: TrainingData, folder: Path) -> None:
        self._run = run
        self._data = data
        self._folder = folder
        self._device = torch.device(run.device)
        torch.manual_seed(run.seed)
        network = networks.build(run.network).to(self._device)
        self._network: TwoHeaded = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # One compiled version for each picture size; dynamic sizes are slower.
        forward: Callable[[Tensor], Logits] = (
            torch.compile(self._network, backend=run.compiler, dynamic=False) if run.compiler else self._network
        )
        self._average = Average(self._network, run.average_decay, run.average_lag)
        self._optimizer = _optimizer(self._network, run)
        recorded = self._device.type == "cuda" and run.recorded
        self._step = Step(forward, self._optimizer, self._average, run.fer2013_weight, recorded=recorded)
        self._stage: tuple[int, bool] | None = None
        self._epoch = 0
        faces = Faces.concatenated([data.train, data.photos, data.generated])
        self._images = torch.from_numpy(faces.images)[:, None].to(self._device)
        self._votes = torch.from_numpy(faces.votes).to(self._device)
        self._original = _smoothed_one_hot(faces.fer2013, run.fer2013_smoothing).to(self._device)
        repeated = _repeated_rows(data.train, run.repeats)
        repeated_photos = _repeated_rows(data.photos, run.photos_repeats) + len(data.train)
        self._repeated = torch.cat([repeated, repeated_photos]).to(self._device)
        self._soft_labels: teacher.SoftLabels | None = None
        if run.distillation.teachers:
            self._soft_labels = _soft_labels(run.distillation, data, self._device)

    @property
    def _checkpoint(self) -> Path:
        return self._folder / "checkpoint.pt"

    def resume(self) -> bool:
        """Restores the state after the last finished epoch, if there is one."""
        if not self._checkpoint.exists():
            return False
        try:
            state = torch.load(self._checkpoint, map_location=self._device, weights_only=True)
        except Exception:
            raise SystemExit(f"{self._checkpoint} cannot be read: delete it to begin again.") from None
        self._network.load_state_dict(state["network"])
        self._average.restore(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._epoch = state["epoch"]
        return True

    def finish(self) -> TwoHeaded:
        """Trains the remaining epochs and returns the averaged network."""
        run = self._run
        while self._epoch < run.schedule.epochs:
            started = time.monotonic()
            loss = self._train_epoch()
            self._epoch += 1
            if self._epoch % run.validate_every and self._epoch < run.schedule.epochs:
                continue
            figures = validate(self._average.network, self._data.valid, self._device)
            seconds = time.monotonic() - started
            self._log({"epoch": self._epoch, "loss": round(loss, 4), **figures, "seconds": round(seconds, 1)})
            self._save()
        if run.norm_refresh:
            chosen = torch.randperm(len(self._data.train), generator=torch.Generator().manual_seed(run.seed))
            unchanged = self._data.train.subset(chosen.numpy())
            batch_norms.refresh(self._average.network, unchanged, run.norm_refresh, self._device)
        return self._average.network

    def _train_epoch(self) -> float:
        run, epoch = self._run, self._epoch
        # All randomness of an epoch depends on the seed and its number, so that an interrupted epoch can be repeated.
        generator = torch.Generator(self._device).manual_seed(run.seed * 10_007 + epoch)
        torch.manual_seed(run.seed * 20_011 + epoch)
        samples = self._samples(generator)
        augmenter = Augmenter(run.augmentation, generator)
        side = run.side_at(epoch)
        steps = len(samples.images) // run.batch
        if not steps:
            raise SystemExit(f"batch is {run.batch}, but an epoch has only {len(samples.images)} faces.")
        self._begin_stage(epoch)
        total, started = torch.zeros((), device=self._device), time.monotonic()
        for step in range(steps):
            place = step % self._augmented_at_once
            if place == 0:
                rows = slice(step * run.batch, min(step + self._augmented_at_once, steps) * run.batch)
                parts = self._augmented(augmenter, Samples(*(values[rows] for values in samples)), side)
                batches = list(zip(*(torch.split(part, run.batch) for part in parts), strict=True))
            self._optimizer.set_rate(run.rate_at(epoch + step / steps))
            total += self._step(*batches[place])
            if (step + 1) % 20 == 0 or step + 1 == steps:
                left = (time.monotonic() - started) / (step + 1) * (steps - step - 1)
                done = f"epoch {epoch + 1}/{run.schedule.epochs}  step {step + 1}/{steps}"
                print(f"\r{done}  loss {float(total) / (step + 1):.3f}  {left:4.0f} s left ", end="", flush=True)
        return float(total) / steps

    @property
    def _augmented_at_once(self) -> int:
        """Batches that are augmented together: on a GPU many, since each kernel takes time to launch."""
        return _AUGMENTED_ON_GPU if self._device.type == "cuda" else 1

    def _begin_stage(self, epoch: int) -> None:
        """Sets the mode of the network for an epoch: only the heads are trained in the first ones of a fine-tuning."""
        plan = self._run.stages
        heads_alone = epoch < plan.head_epochs
        self._network.train()
        if plan.head_epochs:
            for parameter in self._network.body():
                parameter.requires_grad_(not heads_alone)
            if heads_alone:
                # In training mode, batch-norm statistics of the frozen body would change.
                self._network.eval()
                self._network.dropout.train()
        stage = (self._run.side_at(epoch), heads_alone)
        if stage != self._stage:
            self._stage = stage
            self._step.forget()

    def _samples(self, generator: torch.Generator) -> Samples:
        run, data = self._run, self._data
        device = self._device
        photos = torch.randperm(len(data.photos), generator=generator, device=device)
        photos = photos[: int(len(photos) * run.photos_share)] + len(data.train)
        real = len(data.train) + len(data.photos)
        generated = torch.arange(len(data.generated), device=device) + real
        rows = torch.cat([torch.arange(len(data.train), device=device), photos, self._repeated, generated])
        rows = rows[torch.randperm(len(rows), generator=generator, device=device)]
        votes, original = self._votes[rows], self._original[rows]
        is_photo = rows >= len(data.train)
        smooth = torch.where(is_photo[:, None] & (votes.sum(1, keepdim=True) > 0), run.photos_smoothing, 0.0)
        votes = votes * (1 - smooth) + smooth / EMOTIONS
        if self._soft_labels:
            share = run.distillation.share
            votes = _distilled(votes, self._soft_labels.votes[rows], share)
            original = _distilled(original, self._soft_labels.fer2013[rows], share)
        # The loss is the mean by weight, since targets that sum to less count less.
        votes = votes * torch.where(rows[:, None] < real, 1.0, run.generated.weight)
        strength = torch.where(is_photo, 1.0, run.augmentation_share_at(self._epoch))
        return Samples(self._images[rows], votes, original, strength)

    def _augmented(self, augmenter: Augmenter, samples: Samples, side: int) -> tuple[Tensor, Tensor, Tensor]:
        """Changed and mixed faces, and both of their targets."""
        strength = samples.strength
        faces = augmenter(samples.images.float(), side, strength)
        weight, partners = augmenter.mixing(strength)
        faces = torch.lerp(faces[partners], faces, weight[:, None, None, None])
        votes = torch.lerp(samples.votes[partners], samples.votes, weight[:, None])
        original = torch.lerp(samples.original[partners], samples.original, weight[:, None])
        return faces.contiguous(memory_format=torch.channels_last), votes, original

    def _save(self) -> None:
        state = {
            "network": self._network.state_dict(),
            "average": self._average.state(),
            "optimizer": self._optimizer.state_dict(),
            "epoch": self._epoch,
        }
        with written_whole(self._checkpoint) as unfinished:
            torch.save(state, unfinished)

    def _log(self, row: dict[str, float]) -> None:
        path = self._folder / "curves.csv"
        is_new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow(row)
        print(json.dumps(row), flush=True)


def validate(network: TwoHeaded, faces: Faces, device: torch.device) -> dict[str, float]:
    """Quick figures on validation faces. Reported figures come from ``training.evaluate``.

    Log losses are those of the served labels at the best temperature; ``both_ways`` takes the mean of the logits of a
    face and its mirror image.
    """
    plain, mirrored = predict(network, faces, device), predict(network, faces, device, mirrored=True)
    votes, original = (values.numpy() for values in plain)
    labels = scores.served_labels(faces.votes)
    known = labels != NO_LABEL
    both = (votes + mirrored.ferplus.numpy()) / 2
    return {
        "ferplus7": _accuracy(votes[:, SERVED_FROM_FERPLUS], labels),
        "ferplus8": _accuracy(votes, scores.top_labels(faces.votes, faces.votes)),
        "fer2013": _accuracy(original, faces.fer2013),
        "log_loss": scores.log_loss(votes[known][:, SERVED_FROM_FERPLUS], labels[known]),
        "both_ways": scores.log_loss(both[known][:, SERVED_FROM_FERPLUS], labels[known]),
    }


def _accuracy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    known = labels != NO_LABEL
    return round(float((logits[known].argmax(axis=1) == labels[known]).mean()), 4)


def _generated(settings: Generated) -> Faces:
    if not settings.faces:
        return Faces.empty()
    if not Path(settings.faces).is_file():
        raise SystemExit(f"{settings.faces} is missing: `python -m training synthesize` writes it.")
    if not 0 < settings.weight <= 1:
        raise SystemExit(f"generated.weight is {settings.weight}, which is not above 0 and at most 1.")
    return Faces.load(Path(settings.faces))


def _soft_labels(plan: Distillation, data: TrainingData, device: torch.device) -> teacher.SoftLabels:
    """The predictions of the teachers for real faces. Generated faces keep their own labels."""
    real = Faces.concatenated([data.train, data.photos])
    taught = teacher.soft_labels([Path(folder) for folder in plan.teachers], real, device)
    own = torch.from_numpy(data.generated.votes)
    none = torch.zeros(len(own), len(FER2013))
    return teacher.SoftLabels(torch.cat([taught.votes, own]), torch.cat([taught.fer2013, none])).to(device)


def _smoothed_one_hot(labels: NDArray[np.int64], smoothing: float) -> Tensor:
    """(n,) labels to (n, 7) targets; a face without a label has a row of zeros, which does not count in the loss."""
    known = torch.from_numpy(labels != NO_LABEL)[:, None]
    hot = functional.one_hot(torch.from_numpy(np.maximum(labels, 0)), len(FER2013)).float()
    return (hot * (1 - smoothing) + smoothing / len(FER2013)) * known


def _distilled(targets: Tensor, soft_labels: Tensor, share: float) -> Tensor:
    """Targets mixed with soft labels; rows of zeros stay zero."""
    return torch.where(targets.sum(1, keepdim=True) > 0, torch.lerp(targets, soft_labels, share), targets)


def _repeated_rows(faces: Faces, repeats: tuple[tuple[str, int], ...]) -> Tensor:
    """Indices of the rows that an epoch repeats, once for each repetition."""
    top = torch.from_numpy(np.where(faces.votes.max(axis=1) > 0, faces.votes.argmax(axis=1), NO_LABEL))
    parts = [torch.nonzero(top == FERPLUS.index(label))[:, 0].repeat(times) for label, times in repeats]
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)


def _optimizer(network: TwoHeaded, run: Run) -> Muon:
    """The optimiser, whose groups know their share of the learning rate.

    Only matrices have weight decay; on norms and biases it lowers the accuracy. The heads have groups of their own only
    if a run trains them at another rate than the body.
    """
    groups: list[dict[str, Any]] = []
    orthogonal = _before_norms(network) if run.muon_rate else []
    if orthogonal:
        groups.append({"params": orthogonal, "orthogonal": True, "share": run.muon_rate / run.rate})
    parts = [(1.0, list(network.parameters()))]
    if run.stages != Finetuning():
        parts = [(run.stages.body_rate, network.body()), (1.0, network.heads())]
    taken = {id(weights) for weights in orthogonal}
    for share, part in parts:
        left = [p for p in part if id(p) not in taken]
        groups.append({"params": [p for p in left if p.ndim > 1], "weight_decay": run.weight_decay, "share": share})
        groups.append({"params": [p for p in left if p.ndim <= 1], "share": share})
    return Muon(groups, run.rate, run.momentum, run.muon_momentum)


def _before_norms(network: nn.Module) -> list[torch.Tensor]:
    """Weights of ungrouped convolutions that a batch norm follows (they have no bias)."""
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    return [module.weight for module in convolutions if module.bias is None and module.groups == 1]


def train(run: Run, prepared: Path, runs: Path) -> Path:
    """Trains a run to its end and returns the file with its weights."""
    torch.set_num_threads(run.threads)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    folder = runs / run.name
    folder.mkdir(parents=True, exist_ok=True)
    if run.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit(f"device is {run.device}, but this machine or this build of PyTorch has no CUDA.")
    _check_begun(run, folder)
    config.write(run, folder / "run.json")
    data = TrainingData.load(prepared, run)
    trainer = Trainer(run, data, folder)
    trainer.resume()
    network = trainer.finish()
    if run.fold >= 0:
        folds.save(folder, data.valid, predict(network, data.valid, torch.device(run.device)))
    path = folder / "weights.pt"
    with written_whole(path) as unfinished:
        torch.save(network.state_dict(), unfinished)
    return path


def _check_begun(run: Run, folder: Path) -> None:
    """Refuses to go on with a run that began with other settings than those of the machine."""
    if not (folder / "checkpoint.pt").exists():
        return
    begun = config.read(folder / "run.json")
    same = {name: getattr(run, name) for name in _OF_THE_MACHINE}
    if dataclasses.replace(begun, **same) != run:
        raise SystemExit(f"{folder} began with other settings: give this run another name, or delete that folder.")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args(arguments)
    try:
        run = config.load(options.config, options.overrides)
    except ValueError as error:
        raise SystemExit(f"{options.config or 'settings'}: {error}") from None
    print(train(run, options.prepared, options.runs))


if __name__ == "__main__":
    main()
