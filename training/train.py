"""Trains one network. A stopped run continues from its last finished epoch and gives the same result."""

from __future__ import annotations

import argparse
import copy
import csv
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training import batch_norms, config, networks, teacher
from training.augment import Augmenter
from training.config import Finetuning, Run
from training.data import EMOTIONS, NO_LABEL, Faces
from training.heads import Logits, TwoHeaded
from training.labels import FER2013, FERPLUS, SERVED_FROM_FERPLUS
from training.muon import Muon


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingData:
    """The training faces, the extra photos, and the validation faces."""

    train: Faces
    photos: Faces
    valid: Faces

    @staticmethod
    def load(folder: Path) -> TrainingData:
        return TrainingData(*(Faces.load(folder / f"{name}.npz") for name in ("train", "photos", "valid")))


class Samples(NamedTuple):
    """The shuffled faces of an epoch, or a batch of them, with their targets.

    ``images`` (n, 1, 48, 48); ``votes`` (n, 8) and ``original`` (n, 7), the targets; ``is_photo`` (n,).
    """

    images: Tensor
    votes: Tensor
    original: Tensor
    is_photo: Tensor


class Average:
    """An exponential moving average of the weights of a network; it is what a run keeps.

    The decay is lower at first: ``lag`` sets how much. With a lag of 2 it is the plain mean of all steps, until
    ``decay`` limits it.
    """

    def __init__(self, network: TwoHeaded, decay: float, lag: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay
        self._lag = lag
        self._updates = 0

    def update(self, network: nn.Module) -> None:
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (self._lag + self._updates))
        with torch.no_grad():
            for kept, live in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
                if kept.dtype.is_floating_point:
                    kept.lerp_(live, 1 - decay)
                else:
                    kept.copy_(live)

    def state(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "updates": self._updates}

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self._updates = state["updates"]


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
        self._forward: Callable[[Tensor], Logits] = (
            torch.compile(self._network, backend=run.compiler, dynamic=False) if run.compiler else self._network
        )
        self._average = Average(self._network, run.average_decay, run.average_lag)
        self._optimizer, self._shares = _optimizer(self._network, run)
        self._epoch = 0
        self._faces = Faces.concatenated([data.train, data.photos])
        repeated = _repeated_rows(data.train, run.repeats)
        repeated_photos = _repeated_rows(data.photos, run.photos_repeats) + len(data.train)
        self._repeated = torch.cat([repeated, repeated_photos])
        self._soft_labels: teacher.SoftLabels | None = None
        if run.distillation.teachers:
            teachers = [Path(folder) for folder in run.distillation.teachers]
            self._soft_labels = teacher.soft_labels(teachers, self._faces, self._device)

    @property
    def _checkpoint(self) -> Path:
        return self._folder / "checkpoint.pt"

    def resume(self) -> bool:
        """Restores the state after the last finished epoch, if there is one."""
        if not self._checkpoint.exists():
            return False
        state = torch.load(self._checkpoint, map_location=self._device, weights_only=True)
        self._network.load_state_dict(state["network"])
        self._average.restore(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._epoch = state["epoch"]
        return True

    def finish(self) -> TwoHeaded:
        """Trains the remaining epochs and returns the averaged network."""
        while self._epoch < self._run.schedule.epochs:
            started = time.monotonic()
            loss = self._train_epoch()
            self._epoch += 1
            figures = validate(self._average.network, self._data.valid, self._device)
            seconds = time.monotonic() - started
            self._log({"epoch": self._epoch, "loss": round(loss, 4), **figures, "seconds": round(seconds, 1)})
            self._save()
        if self._run.norm_refresh:
            chosen = torch.randperm(len(self._data.train), generator=torch.Generator().manual_seed(self._run.seed))
            unchanged = self._data.train.subset(chosen.numpy())
            batch_norms.refresh(self._average.network, unchanged, self._run.norm_refresh, self._device)
        return self._average.network

    def _train_epoch(self) -> float:
        run, epoch = self._run, self._epoch
        # All randomness of an epoch depends on the seed and its number, so that an interrupted epoch can be repeated.
        generator = torch.Generator().manual_seed(run.seed * 10_007 + epoch)
        torch.manual_seed(run.seed * 20_011 + epoch)
        faces = self._samples(generator)
        augmenter = Augmenter(run.augmentation, generator)
        side = run.side_at(epoch)
        steps = len(faces.images) // run.batch
        strength = torch.where(faces.is_photo, 1.0, run.augmentation_share_at(epoch))
        self._begin_stage(epoch)
        total, started = 0.0, time.monotonic()
        for step in range(steps):
            rows = slice(step * run.batch, (step + 1) * run.batch)
            batch = Samples(*(values[rows] for values in faces))
            rate = run.rate_at(epoch + step / steps)
            for group, share in zip(self._optimizer.param_groups, self._shares, strict=True):
                group["lr"] = rate * share
            loss = self._loss(augmenter, batch, strength[rows], side)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self._average.update(self._network)
            total += float(loss.detach())
            if (step + 1) % 20 == 0 or step + 1 == steps:
                left = (time.monotonic() - started) / (step + 1) * (steps - step - 1)
                place = f"epoch {epoch + 1}/{run.schedule.epochs}  step {step + 1}/{steps}"
                print(f"\r{place}  loss {total / (step + 1):.3f}  {left:4.0f} s left ", end="", flush=True)
        return total / steps

    def _begin_stage(self, epoch: int) -> None:
        """Sets the mode of the network for an epoch: only the heads are trained in the first ones of a fine-tuning."""
        plan = self._run.stages
        self._network.train()
        if plan.head_epochs:
            heads_alone = epoch < plan.head_epochs
            for parameter in self._network.body():
                parameter.requires_grad_(not heads_alone)
            if heads_alone:
                # In training mode, batch-norm statistics of the frozen body would change.
                self._network.eval()
                self._network.dropout.train()

    def _samples(self, generator: torch.Generator) -> Samples:
        run, data = self._run, self._data
        photos = torch.randperm(len(data.photos), generator=generator)
        photos = photos[: int(len(photos) * run.photos_share)] + len(data.train)
        rows = torch.cat([torch.arange(len(data.train)), photos, self._repeated])
        rows = rows[torch.randperm(len(rows), generator=generator)]
        faces = self._faces.subset(rows.numpy())
        images = torch.from_numpy(faces.images)[:, None].float()
        votes = torch.from_numpy(faces.votes)
        is_photo = rows >= len(data.train)
        smooth = torch.where(is_photo[:, None] & (votes.sum(1, keepdim=True) > 0), run.photos_smoothing, 0.0)
        votes = votes * (1 - smooth) + smooth / EMOTIONS
        original = _smoothed_one_hot(faces.fer2013, run.fer2013_smoothing)
        if self._soft_labels:
            share = run.distillation.share
            votes = _distilled(votes, self._soft_labels.votes[rows], share)
            original = _distilled(original, self._soft_labels.fer2013[rows], share)
        return Samples(images, votes, original, is_photo)

    def _loss(self, augmenter: Augmenter, samples: Samples, strength: Tensor, side: int) -> Tensor:
        run = self._run
        faces = augmenter(samples.images, side, strength)
        weight, partners = augmenter.mixing(strength)
        faces = torch.lerp(faces[partners], faces, weight[:, None, None, None])
        votes = torch.lerp(samples.votes[partners], samples.votes, weight[:, None])
        original = torch.lerp(samples.original[partners], samples.original, weight[:, None])
        faces = faces.to(self._device, memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16):
            logits = self._forward(faces)
        ferplus = _soft_cross_entropy(logits.ferplus.float(), votes.to(self._device))
        fer2013 = _soft_cross_entropy(logits.fer2013.float(), original.to(self._device))
        return ferplus + run.fer2013_weight * fer2013

    def _save(self) -> None:
        state = {
            "network": self._network.state_dict(),
            "average": self._average.state(),
            "optimizer": self._optimizer.state_dict(),
            "epoch": self._epoch,
        }
        unfinished = self._checkpoint.with_suffix(".tmp")
        torch.save(state, unfinished)
        unfinished.replace(self._checkpoint)

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
    """Quick figures on validation faces. Reported figures come from ``training.evaluate``."""
    images = torch.from_numpy(faces.images)[:, None].float()
    side = network.side
    ferplus, fer2013 = [], []
    network.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        for batch in torch.split(images, 256):
            sized = batch
            if batch.shape[-1] != side:
                sized = functional.interpolate(batch, size=side, mode="bilinear", align_corners=False)
            logits = network(sized.to(device, memory_format=torch.channels_last))
            ferplus.append(logits.ferplus.float().cpu())
            fer2013.append(logits.fer2013.float().cpu())
    votes = torch.cat(ferplus).numpy()
    original = torch.cat(fer2013).numpy()
    return {
        "ferplus7": _accuracy(votes[:, SERVED_FROM_FERPLUS], _top(faces.votes[:, SERVED_FROM_FERPLUS], faces.votes)),
        "ferplus8": _accuracy(votes, _top(faces.votes, faces.votes)),
        "fer2013": _accuracy(original, faces.fer2013),
    }


def _top(columns: NDArray[np.float32], votes: NDArray[np.float32]) -> NDArray[np.int64]:
    """The top column of each row if it is also the top of all labels, else no label."""
    is_top = (votes.max(axis=1) > 0) & (columns.max(axis=1) == votes.max(axis=1))
    return np.where(is_top, columns.argmax(axis=1), NO_LABEL)


def _accuracy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    known = labels != NO_LABEL
    return round(float((logits[known].argmax(axis=1) == labels[known]).mean()), 4)


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


def _soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over the faces that have a target; rows of zeros do not count."""
    return -(targets * logits.log_softmax(dim=1)).sum() / targets.sum().clamp_min(1.0)


def _optimizer(network: TwoHeaded, run: Run) -> tuple[torch.optim.Optimizer, list[float]]:
    """The optimiser, and the share of the learning rate of each of its parameter groups.

    Only matrices have weight decay; on norms and biases it lowers the accuracy. The heads have groups of their own only
    if a run trains them at another rate than the body.
    """
    groups: list[dict[str, Any]] = []
    shares: list[float] = []
    orthogonal = _before_norms(network) if run.muon_rate else []
    if orthogonal:
        groups.append({"params": orthogonal, "orthogonal": True})
        shares.append(run.muon_rate / run.rate)
    parts = [(1.0, list(network.parameters()))]
    if run.stages != Finetuning():
        parts = [(run.stages.body_rate, network.body()), (1.0, network.heads())]
    taken = {id(weights) for weights in orthogonal}
    for share, part in parts:
        left = [p for p in part if id(p) not in taken]
        groups.append({"params": [p for p in left if p.ndim > 1], "weight_decay": run.weight_decay})
        groups.append({"params": [p for p in left if p.ndim <= 1], "weight_decay": 0.0})
        shares += [share, share]
    if orthogonal:
        return Muon(groups, run.rate, run.momentum, run.muon_momentum), shares
    return torch.optim.SGD(groups, lr=run.rate, momentum=run.momentum, nesterov=True), shares


def _before_norms(network: nn.Module) -> list[torch.Tensor]:
    """Weights of ungrouped convolutions that a batch norm follows (they have no bias)."""
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    return [module.weight for module in convolutions if module.bias is None and module.groups == 1]


def train(run: Run, prepared: Path, runs: Path) -> Path:
    """Trains a run to its end and returns the file with its weights."""
    torch.set_num_threads(run.threads)
    folder = runs / run.name
    folder.mkdir(parents=True, exist_ok=True)
    config.write(run, folder / "run.json")
    trainer = Trainer(run, TrainingData.load(prepared), folder)
    trainer.resume()
    network = trainer.finish()
    path = folder / "weights.pt"
    torch.save(network.state_dict(), path)
    return path


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args(arguments)
    print(train(config.load(options.config, options.overrides), options.prepared, options.runs))


if __name__ == "__main__":
    main()
